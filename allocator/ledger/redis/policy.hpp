// SPDX-License-Identifier: Apache-2.0
// Numbers of the Redis store: [ledger.redis]. Which server, database and prefix stands in [ledger] store.
#pragma once

#include <cstdint>
#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::allocator {

struct RedisPolicy {
    std::string user;                     // empty: the default user
    std::string password_file;            // empty: no password
    std::uint32_t wait_replicas = 0;      // an append waits for so many of them (WAIT)
    Duration connect{2'000};
    Duration answer{5'000};               // then the connection is given up, and what stands is read
    Duration give_up{15'000};             // then the allocator ends
    BERTH_FIELDS(RedisPolicy, user, password_file, wait_replicas, connect, answer, give_up)
};

}  // namespace berth::allocator
