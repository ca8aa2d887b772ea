// SPDX-License-Identifier: Apache-2.0
// What Prometheus reads. Labels are bounded: pools, states, routes, statuses; never a user, a
// project or an id.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "gateway/step.hpp"

namespace berth::gateway {

/// Counted by the shell.
struct Traffic {
    std::map<std::pair<Operation, unsigned>, std::uint64_t> answers;  // by route and status
    std::map<Operation, double> seconds;                              // spent on them
    std::map<unsigned, std::uint64_t> unmatched;                      // answers to no route, by status
    std::array<std::uint64_t, enum_names(Refusal{}).size()> refused{};  // by Refusal
    std::uint64_t connections = 0;
    std::uint64_t streams = 0;
    std::uint64_t streams_cut = 0;
    std::uint64_t events_sent = 0;
    std::uint64_t bus_timeouts = 0;
    std::uint64_t views = 0;                                          // read whole: at start and after a gap
    std::uint64_t gaps = 0;
};

std::string metrics_text(const Picture& picture, const Traffic& traffic, Instant now);

}  // namespace berth::gateway
