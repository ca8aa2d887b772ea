// SPDX-License-Identifier: Apache-2.0
// When a process that died may start again: after 100 ms, then twice as long each time, at most
// every 5 s; a process that lived a minute is forgiven. Pure, so that the rate is a tested bound.
#pragma once

#include <cstdint>

#include "base/time.hpp"
#include "cli/up/policy.hpp"

namespace berth::cli {

class Restarts {
public:
    explicit Restarts(const UpPolicy& policy) : policy_(policy) {}

    /// A process that was started at `started_at` died now: when may it start again?
    Instant next_start(Instant started_at, Instant now) {
        if (now - started_at >= policy_.restart_forgotten) in_a_row_ = 0;
        auto delay = policy_.restart_first;
        for (std::uint32_t i = 0; i < in_a_row_ && delay < policy_.restart_longest; ++i) delay *= 2;
        ++in_a_row_;
        ++total_;
        return now + (delay < policy_.restart_longest ? delay : policy_.restart_longest);
    }
    std::uint32_t in_a_row() const { return in_a_row_; }
    std::uint32_t total() const { return total_; }

private:
    UpPolicy policy_;
    std::uint32_t in_a_row_ = 0;
    std::uint32_t total_ = 0;
};

}  // namespace berth::cli
