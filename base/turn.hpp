// SPDX-License-Identifier: Apache-2.0
// One turn of a core: the state that it may change, the moment, and what it decided so far. Every core's
// own Turn begins with it.
#pragma once

#include <string>
#include <utility>

#include "base/line.hpp"
#include "base/time.hpp"

namespace berth {

template <class State, class Decisions>
struct TurnOf {
    TurnOf(State& of, Instant at) : state(of), now(at) {}

    State& state;
    const Instant now;
    Decisions out;

    void line(LogLevel level, std::string event, std::string subject, std::string why) {
        out.lines.push_back({level, std::move(event), std::move(subject), std::move(why)});
    }
};

}  // namespace berth
