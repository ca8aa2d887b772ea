// SPDX-License-Identifier: Apache-2.0
#include "aws/retry.hpp"

#include <algorithm>

namespace berth::aws {

std::optional<Duration> Retries::after(const Fault& fault, std::uint32_t tries, Repeat repeat) {
    const bool passing = fault.kind == FaultClass::throttle || fault.kind == FaultClass::contention || fault.kind == FaultClass::unreachable ||
                         fault.kind == FaultClass::broken;
    if (!passing || tries >= policy_.tries_max) return std::nullopt;
    if (fault.perhaps_done && repeat == Repeat::harmful) return std::nullopt;
    if (tokens_ < policy_.token_cost) return std::nullopt;
    tokens_ -= policy_.token_cost;
    const auto first = fault.kind == FaultClass::throttle ? policy_.pause_throttled : policy_.pause;
    const auto longest = std::min(policy_.pause_max, first * (1L << std::min<std::uint32_t>(tries - 1, 16)));
    return Duration{static_cast<Duration::rep>(rng_.below(static_cast<std::uint64_t>(longest.count()) + 1))};
}

void Retries::worked() { tokens_ = std::min(policy_.tokens_max, tokens_ + policy_.token_gain); }

}  // namespace berth::aws
