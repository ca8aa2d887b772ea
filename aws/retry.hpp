// SPDX-License-Identifier: Apache-2.0
// When a call is tried again, and after how long: doubling pauses with full jitter, and a bucket of tokens
// that all calls of one client share, so that an outage is not answered with a storm. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "aws/fault.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"

namespace berth::aws {

struct RetryPolicy {
    std::uint32_t tries_max = 4;          // of one call, the first included
    Duration pause{200};                  // before the second try at most; doubles …
    Duration pause_throttled{1'000};      // … from here when they throttle …
    Duration pause_max{8'000};            // … up to this
    double tokens_max = 100;              // of the bucket
    double token_cost = 5;                // of one more try
    double token_gain = 1;                // by a call that worked
};

/// May the call do its work twice without harm?
BERTH_ENUM(Repeat, harmless, harmful)

class Retries {
public:
    explicit Retries(RetryPolicy policy, Rng rng) : policy_(policy), rng_(rng), tokens_(policy.tokens_max) {}

    /// The pause before the next try; none when there is to be no other.
    std::optional<Duration> after(const Fault& fault, std::uint32_t tries, Repeat repeat);
    void worked();
    double tokens() const { return tokens_; }

private:
    RetryPolicy policy_;
    Rng rng_;
    double tokens_;
};

}  // namespace berth::aws
