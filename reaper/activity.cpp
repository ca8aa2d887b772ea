// SPDX-License-Identifier: Apache-2.0
#include "reaper/activity.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace berth::reaper {

Instant on_our_clock(const Reading& reading, Instant last_at) {
    return reading.received_at - std::max(Duration{0}, reading.read_at - last_at);
}

Quiet quiet_since(const Policy& policy, const JobsRule& jobs, const WorkspaceView& workspace, const WorkspaceWatch& watch, Instant now) {
    if (workspace.state != WorkspaceState::active) return {{}, "it is not active"};
    if (workspace.hold_until && *workspace.hold_until > now) {
        return {{}, fmt::format("held until {}", to_rfc3339(*workspace.hold_until))};
    }
    if (!watch.reading) return {{}, "its host has not reported its signals yet"};
    const auto& reading = *watch.reading;
    if (reading.received_at + policy.silence_max(policy.activity) < now) {
        return {{}, fmt::format("the last reading is of {}", to_rfc3339(reading.received_at))};
    }
    const auto signals = counted(reading.signals, jobs);
    if (signals.empty()) return {{}, "its host reads no signal of it"};
    if (reading.signals.size() > policy.signals_max) return {{}, "its host reports too many signals"};

    auto since = std::max(workspace.changed_at, workspace.granted_at);
    if (watch.objected_at) since = std::max(since, *watch.objected_at);
    if (workspace.hold_until) since = std::max(since, *workspace.hold_until);
    for (const auto& signal : signals) {
        if (!signal.last_at) return {{}, fmt::format("signal '{}' cannot be read", signal.name)};
        since = std::max(since, on_our_clock(reading, *signal.last_at));
    }
    return {since, ""};
}

Instant last_use_of(const Reading& reading, const JobsRule& jobs) {
    Instant last;
    for (const auto& signal : counted(reading.signals, jobs)) last = std::max(last, *signal.last_at);
    return last;
}

std::vector<std::string> evidence_of(const WorkspaceView& workspace, const WorkspaceWatch& watch, const JobsRule& jobs) {
    std::vector<std::string> lines;
    for (const auto& signal : counted(watch.reading->signals, jobs)) {
        const auto what = signal.text ? fmt::format(" ({})", *signal.text) : "";
        lines.push_back(fmt::format("{}: last at {}{}", signal.name, to_rfc3339(on_our_clock(*watch.reading, *signal.last_at)), what));
    }
    lines.push_back(fmt::format("active since {}", to_rfc3339(workspace.changed_at)));
    if (watch.objected_at) lines.push_back(fmt::format("its host objected at {}", to_rfc3339(*watch.objected_at)));
    if (workspace.hold_until) lines.push_back(fmt::format("was held until {}", to_rfc3339(*workspace.hold_until)));
    lines.push_back(fmt::format("read at {}", to_rfc3339(watch.reading->received_at)));
    return lines;
}

}  // namespace berth::reaper
