// SPDX-License-Identifier: Apache-2.0
// The projector's core: what has to be written where, so that what others read is what the ledger says. It decides by
// comparing the picture that should be with what stands there, so an event that was lost or came twice, a crash, or a
// store that was emptied makes no difference to where it ends.
#pragma once

#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "base/line.hpp"
#include "base/result.hpp"
#include "events/query.hpp"
#include "projector/state.hpp"

namespace berth::projector {

/// The view is void until the next ViewReply (I21).
struct ViewLost {};
struct Tick {};
/// What a place holds: the keys that are ours.
struct Listed {
    PlaceKind place = PlaceKind::redis;
    Result<std::vector<std::string>> keys;
};
struct Written {
    PlaceKind place = PlaceKind::redis;
    Result<void> outcome;
};

using Input = std::variant<Tick, ViewReply, ViewLost, FactRecord, LedgerHead, HostHeartbeat, Listed, Written>;

/// Asks for the keys there; answered by Listed.
struct List {
    PlaceKind place = PlaceKind::redis;
};
/// All of it or a part: the next comparison sees what is missing. Answered by Written.
struct Write {
    PlaceKind place = PlaceKind::redis;
    Picture set;                          // whole entries: fields that are not among them go
    std::vector<std::string> removed;
    std::vector<std::string> renewed;     // their lifetime begins anew
};
using Call = std::variant<List, Write>;

struct Decisions {
    std::vector<Call> calls;
    std::vector<Line> lines;

    auto in_order() { return std::tie(calls, lines); }
    bool durable() const { return false; }                     // it keeps nothing
};

State make_state(Policy policy);

Decisions step(State& state, Input input, Instant now);

}  // namespace berth::projector
