// SPDX-License-Identifier: Apache-2.0
// The scaler's core: how many hosts there should be, and why. Every launch is a fact before it is a
// call (I31), and no host is ended without a permit that was checked right before (I13, I16). The
// shell sends asks to the allocator and calls to the provider's thread, and feeds back each outcome
// exactly once.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/line.hpp"
#include "events/query.hpp"
#include "scaler/provider.hpp"
#include "scaler/state.hpp"

namespace berth::scaler {

// ---- inputs

struct Tick {};
/// The view is void until the next ViewReply (I21).
struct ViewLost {};
struct Answered {
    AskId ask = 0;
    Result<std::variant<Done, LaunchReply, Permit>> outcome;
};
/// `error` is of the call as a whole; what it names has an outcome each, and none that is missing worked.
struct CallAnswered {
    CallId call = 0;
    std::optional<ProviderError> error;
    std::vector<LaunchOutcome> launched;
    std::vector<InstanceOutcome> instances;
};
struct OrphanAsked {
    CallerId caller = 0;
    TerminateOrphanRequest body;
};

using Input = std::variant<Tick, ViewReply, ViewLost, FactRecord, LedgerHead, ProviderReport, ProviderSnapshot, Answered, CallAnswered,
                           OrphanAsked>;

// ---- decisions

using AskBody = std::variant<LaunchRequest, LaunchFailedRequest, CordonRequest, UncordonRequest, DrainRequest,
                             PermitCheckRequest, GoneRequest, CondemnRequest, LaunchMetRequest, HostPricedRequest>;
struct Ask {
    AskId id = 0;
    AskBody body;
};

struct LaunchCall {
    std::vector<LaunchStarted> launches;
    PoolDefined pool;
};
struct TerminateCall {
    std::string instance;
    HostIncarnation incarnation;
};
struct ProtectCall {
    std::vector<std::string> instances;
    Protection protection = Protection::on;
};
struct StartCall {
    std::vector<std::string> instances;
};
struct Call {
    CallId id = 0;
    std::string provider;
    std::variant<LaunchCall, TerminateCall, ProtectCall, StartCall> body;
};
struct Reply {
    CallerId caller = 0;
    Result<Done> body;
};
struct Decisions {
    std::vector<Reply> replies;
    std::vector<Ask> asks;                // of the allocator
    std::vector<Call> calls;              // of a provider
    std::vector<Line> lines;

    auto in_order() { return std::tie(replies, asks, calls, lines); }
    bool durable() const { return false; }                     // launches in flight are the allocator's facts
};

State make_state(Policy policy, Rng rng);

Decisions step(State& state, Input input, Instant now);

}  // namespace berth::scaler
