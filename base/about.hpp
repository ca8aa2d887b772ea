// SPDX-License-Identifier: Apache-2.0
// A measured length of time, for people: no more digits than say something. What was set is shown
// as it was set (to_text); what a clock measured is rounded.
#pragma once

#include <algorithm>
#include <string>

#include "base/time.hpp"

namespace berth {

/// "5s", "2m30s", "1h5m"; under a second "0.4s".
inline std::string about(Duration measured) {
    const auto ms = measured.count();
    if (ms <= 0) return "0s";
    if (ms < 1'000) return fmt::format("0.{}s", std::max<Duration::rep>(1, std::min<Duration::rep>(9, (ms + 50) / 100)));
    const auto to = [&](Duration::rep unit) { return to_text(Duration{(ms + unit / 2) / unit * unit}); };
    return ms < 600'000 ? to(1'000) : ms < 86'400'000 ? to(60'000) : to(3'600'000);
}

}  // namespace berth
