// SPDX-License-Identifier: Apache-2.0
// Every number of the projector: [projector] in the configuration.
#pragma once

#include <cstdint>
#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::projector {

struct Policy {
    std::string redis;                    // redis://HOST:PORT/DATABASE?prefix=NAME; empty: no picture there
    std::string redis_user;
    std::string redis_password_file;
    std::string dynamodb;                 // a table's name ("worker_pool"); empty: no picture there
    std::string dynamodb_region;          // empty: AWS_REGION, the profile's, or this instance's own
    std::string dynamodb_profile;
    std::uint32_t dynamodb_changes_per_s = 100;   // items written or removed
    Duration write_every{500};            // what changed in between is written together
    Duration heartbeat_every{15'000};     // of one host, at most: its load and last heartbeat
    Duration lifetime{120'000};           // of a key in Redis; renewed at a third of it, so that a dead picture goes away
    Duration look_every{60'000};          // the keys that are there are looked at, so that what somebody took away comes back
    Duration retry{1'000};                // after a failed write; doubles …
    Duration retry_max{30'000};           // … up to this
    Duration behind{10'000};              // older changes that are not written yet are told
    std::uint32_t changes_max = 1'000;    // entries of one write
    BERTH_FIELDS(Policy, redis, redis_user, redis_password_file, dynamodb, dynamodb_region, dynamodb_profile, dynamodb_changes_per_s, write_every, heartbeat_every,
                 lifetime, look_every, retry, retry_max, behind, changes_max)
};

}  // namespace berth::projector
