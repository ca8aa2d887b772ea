// SPDX-License-Identifier: Apache-2.0
#include "events/activity.hpp"

#include <algorithm>

namespace berth {

std::vector<Signal> counted(const std::vector<Signal>& signals, const JobsRule& rule) {
    std::vector<Signal> counting;
    for (const auto& signal : signals) {
        const bool is_job = signal.name == "job";
        if (is_job && rule.jobs != IdleJobs::any) continue;
        if (signal.name == "cpu" && rule.jobs == IdleJobs::none) continue;
        counting.push_back(signal);
        auto& last = counting.back().last_at;
        if (is_job && last && signal.since) last = std::min(*last, *signal.since + rule.max);
    }
    return counting;
}

}  // namespace berth
