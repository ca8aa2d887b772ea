// SPDX-License-Identifier: Apache-2.0
#include "cli/pool_report.hpp"

#include <fmt/format.h>

namespace berth::cli {

std::vector<Said> provider_says(const Json& pool) {
    std::vector<Said> all;
    if (const auto* troubles = find(pool, "troubles"); troubles != nullptr && troubles->is_array() && !troubles->empty()) {
        const auto& newest = troubles->front();
        const auto zone = text_at(newest, "zone");
        all.push_back({fmt::format("no machine came at {}{} ({}): {}", text_at(newest, "at"), zone.empty() ? "" : " in " + zone, text_at(newest, "failure"), text_at(newest, "text")),
                       troubles->size() == 1 ? "" : fmt::format("{} such in the last hour; `berth pools -o json` shows them", troubles->size())});
    }
    if (const auto* advice = find(pool, "advice"); advice != nullptr && advice->is_array()) {
        for (const auto& one : *advice) {
            if (one.is_string()) all.push_back({one.get<std::string>(), {}});
        }
    }
    return all;
}

}  // namespace berth::cli
