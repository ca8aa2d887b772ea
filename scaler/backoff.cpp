// SPDX-License-Identifier: Apache-2.0
#include "scaler/backoff.hpp"

#include <algorithm>

namespace berth::scaler {

namespace {

Duration first_pause(const Policy& policy, LaunchFailure failure) {
    switch (failure) {
        case LaunchFailure::quota:
        case LaunchFailure::permission:
        case LaunchFailure::configuration: return policy.backoff_slow;
        case LaunchFailure::capacity:
        case LaunchFailure::throttle:
        case LaunchFailure::lost: return policy.backoff;
    }
    return policy.backoff;
}

}  // namespace

Duration backoff(const Policy& policy, LaunchFailure failure, std::uint32_t failures, Rng& rng) {
    const auto doublings = std::min<std::uint32_t>(failures > 0 ? failures - 1 : 0, 16);
    const auto full = std::min(policy.backoff_max, first_pause(policy, failure) * (1L << doublings));
    const auto half = full / 2;
    return half + Duration{static_cast<Duration::rep>(rng.below(static_cast<std::uint64_t>(half.count()) + 1))};
}

}  // namespace berth::scaler
