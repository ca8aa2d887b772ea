// SPDX-License-Identifier: Apache-2.0
// Facts: the events that stand in the ledger. This variant is the whole list of what can ever have
// been decided; events/view.hpp says what each one means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "events/activity.hpp"
#include "events/claim.hpp"
#include "events/host.hpp"
#include "events/pool.hpp"
#include "events/reason.hpp"
#include "events/workspace.hpp"

namespace berth {

/// The first fact of each allocator: its term is the position of this fact (I4).
struct TookOver {
    std::string ledger;                   // id of this ledger, minted once
    std::string version;
    BERTH_FIELDS(TookOver, ledger, version)
};

using Fact = std::variant<TookOver, PoolDefined, ClaimAccepted, ClaimGranted, ClaimDenied, LeaseGranted,
                          LeaseExtended, WorkspaceStarted, WorkspaceFailed, WorkspaceStopping, WorkspaceStopped,
                          WorkspaceDestroying, WorkspaceDestroyed, WorkspaceHeld, IdleNoted, StopObjected,
                          HostRegistered, HostCordoned, HostUncordoned, HostDrained, HostUnknown, HostReturned,
                          HostGone, SlotQuarantined, SlotCleared, LaunchStarted, LaunchFailed>;

/// A fact as it stands in the ledger. `cause` is the id of the message that led to it, or the
/// position of the fact that did ("#41").
struct FactRecord {
    Position position;
    Term term;
    Instant at;
    Fact fact;
    Reason reason;
    std::string cause;

    friend bool operator==(const FactRecord&, const FactRecord&) = default;
};

/// Ids that a fact is about: what `berth why` looks up.
std::vector<std::string> subjects_of(const Fact& fact);
std::string_view type_of(const Fact& fact);   // "claim.granted"

/// Observation `ledger.head`, every second: a subscriber behind it re-reads (design §3).
struct LedgerHead {
    std::string ledger;
    Term term;
    Position position;
    BERTH_FIELDS(LedgerHead, ledger, term, position)
};

}  // namespace berth
