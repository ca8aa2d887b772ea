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

/// A term is named by the position of its first fact, and by the time of it: when an old copy of the
/// ledger was put back, another term may begin at the same position (I4, F16). Later ones are greater.
constexpr Term term_of(Position first, Instant at) {
    return Term{(first.value << 20) | (static_cast<std::uint64_t>(at.time_since_epoch().count()) & 0xF'FFFF)};
}
constexpr Position begin_of(Term term) { return Position{term.value >> 20}; }
/// No ledger goes on beyond it, or its terms would overflow. As milliseconds it is the year 2248.
inline constexpr Position position_max{1ULL << 43};

/// The first fact of each allocator begins its term.
struct TookOver {
    std::string ledger;                   // id of this ledger, minted once
    std::string version;
    BERTH_FIELDS(TookOver, ledger, version)
};

/// A host showed that it has seen more of this ledger than there is: it is an old copy. From here on
/// no machine is ended for being unknown, until the ledger is recovered.
struct LedgerDoubted {
    HostId host;
    Position position_seen;
    BERTH_FIELDS(LedgerDoubted, host, position_seen)
};

/// `berth-allocator recover`: an old copy goes on as another ledger. Its position lies after every one
/// that the lost part can have had, so that nothing of both ever bears the same number.
struct LedgerRecovered {
    std::string before;                   // id of the ledger that the copy was of
    std::string ledger;                   // id from here on
    BERTH_FIELDS(LedgerRecovered, before, ledger)
};

using Fact = std::variant<TookOver, LedgerDoubted, LedgerRecovered, PoolDefined, PoolRetired, ClaimAccepted, ClaimGranted, ClaimDenied, LeaseGranted,
                          LeaseExtended, WorkspaceStarted, WorkspaceRestarted, WorkspaceIncident, WorkspaceFailed, WorkspaceStopping, WorkspaceStopped,
                          HomeArchived, HomeLost, HomeChosen,
                          WorkspaceDestroying, WorkspaceDestroyed, WorkspaceHeld, IdleNoted, IdleWithdrawn, StopObjected,
                          HostRegistered, HostCordoned, HostUncordoned, HostLeaving, HostEnding, HostEndWithdrawn, HostSealing,
                          HostDrained, HostImpaired, HostUnknown, HostReturned,
                          HostGone, InstanceCondemned, HostRecovered, SlotQuarantined, SlotCleared, LaunchStarted, LaunchFailed,
                          LaunchMet, HostPriced>;

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
    std::optional<std::string> storage;   // "low": its disk is full, new claims are refused until there is room
    BERTH_FIELDS(LedgerHead, ledger, term, position, storage)
};

}  // namespace berth
