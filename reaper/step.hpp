// SPDX-License-Identifier: Apache-2.0
// The reaper's core: what is over. step() takes one input and says what to publish and what to ask
// for; whether it is done, the allocator, the host and the scaler decide by their own rules. What
// cannot be known is never taken for quiet, dead or orphaned (I15, I17, I32).
#pragma once

#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/line.hpp"
#include "events/query.hpp"
#include "reaper/state.hpp"

namespace berth::reaper {

/// The view is void until the next ViewReply (I21).
struct ViewLost {};
struct Tick {};
/// A heartbeat: that it came is all that matters here.
struct HostHeard {
    HostId host;
    HostIncarnation incarnation;
};
/// The outcome of an ask: exactly one for each, at the latest at its timeout.
struct Answered {
    AskId ask = 0;
    Result<Done> outcome;
};

using Input = std::variant<Tick, ViewReply, ViewLost, FactRecord, LedgerHead, HostHeard, HostActivity,
                           HostObjected, ProviderSnapshot, Answered>;

struct Intent {
    WorkspaceIdle idle;
    Reason reason;
};
using AskBody = std::variant<ReapRequest, UnknownRequest, GoneRequest, TerminateOrphanRequest>;
struct Ask {
    AskId id = 0;
    AskBody body;
};
struct Decisions {
    std::vector<Intent> intents;          // workspace.idle, with its reason
    std::vector<Ask> asks;
    std::vector<Line> lines;

    auto in_order() { return std::tie(intents, asks, lines); }
    bool durable() const { return false; }                     // it keeps nothing
};

State make_state(Policy policy, Instant now);

Decisions step(State& state, Input input, Instant now);

}  // namespace berth::reaper
