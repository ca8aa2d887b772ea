// SPDX-License-Identifier: Apache-2.0
// Numbers of the DynamoDB store: [ledger.dynamodb]. Which table stands in [ledger] store.
#pragma once

#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::allocator {

struct DynamoPolicy {
    std::string profile;                  // of ~/.aws; empty: the usual chain
    std::string region;                   // empty: AWS_REGION, the profile's, or this instance's own
    Duration answer{5'000};               // of one try of a call
    Duration give_up{15'000};             // of all tries, also while Amazon throttles; then the allocator ends
    BERTH_FIELDS(DynamoPolicy, profile, region, answer, give_up)
};

}  // namespace berth::allocator
