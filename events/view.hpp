// SPDX-License-Identifier: Apache-2.0
// The ledger folded into a picture: what each fact means, written once. The allocator decides on
// it, snapshots are it, reaper, scaler and gateway follow it, and `--at` folds it up to a position.
// apply() is pure and refuses nothing: it checks (aborts on) facts that break an invariant.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "events/ledger.hpp"

namespace berth {

BERTH_ENUM(SlotUse, free, leased, stopping, quarantined)

struct SlotView {
    SlotUse use = SlotUse::free;
    Epoch epoch;                          // highest ever granted; never goes down (I3)
    WorkspaceId workspace;                // of the lease, while leased or stopping
    BERTH_FIELDS(SlotView, use, epoch, workspace)
};

/// A host that will be ended (host.ending).
struct Ending {
    EndCause cause = EndCause::asked;
    std::string by;                       // the actor who asked for it
    std::string why;
    bool force = false;
    bool closed = false;                  // it was open before, and is again when the end is withdrawn
    bool sealing = false;                 // its seal was asked for: no way back
    Instant since;
    BERTH_FIELDS(Ending, cause, by, why, force, closed, sealing, since)
};

struct HostView {
    HostId host;
    HostIncarnation incarnation;
    PoolName pool;
    std::string instance;
    std::string public_ip;
    std::string private_ip;
    std::uint32_t proxy_port = 0;
    Liveness liveness = Liveness::live;
    Admission admission = Admission::open;
    Instant registered_at;
    Instant changed_at;                   // of liveness or admission
    std::optional<std::string> cordoned_by;  // actor of the last cordon, until it is undone
    Position drained_at;                  // of its host.drained; 0 = none
    std::uint32_t failures = 0;           // starts that failed since the last that worked
    Instant failed_at;                    // of the last one
    std::vector<SlotView> slots;
    std::optional<Position> met_at;       // of its host.recovered
    std::optional<Ending> ending;
    std::optional<std::string> provider;  // that its machine is of; none: of before this was written down
    std::optional<std::string> impaired;  // why it can start nothing now, by its own word
    std::optional<HostPrice> price;       // none: nobody said it
    std::optional<std::string> home_mark; // of its folder of homes
    std::optional<Leaving> leaving;       // until it is uncordoned
    BERTH_FIELDS(HostView, host, incarnation, pool, instance, public_ip, private_ip, proxy_port, liveness,
                 admission, registered_at, changed_at, cordoned_by, drained_at, failures,
                 failed_at, slots, met_at, ending, provider, impaired, home_mark, leaving, price)

    std::uint32_t count(SlotUse use) const;
    bool idle() const;                    // no slot has a workspace; one that is set aside may still have its
    bool is_static() const { return provider == static_provider; }
    /// Slots that a lease could land on now.
    std::uint32_t ready() const { return liveness == Liveness::live && admission == Admission::open && !impaired ? count(SlotUse::free) : 0; }
};

struct WorkspaceView {
    WorkspaceId workspace;
    UserId user;
    ProjectName project;
    PoolName pool;
    WorkspaceState state = WorkspaceState::starting;
    HostId host;                          // of the lease; the last one when there is none
    HostIncarnation incarnation;
    std::uint32_t slot = 0;
    Epoch epoch;
    bool leased = false;                  // its slot is not free yet
    std::optional<ClaimId> claim;         // that the present lease was granted for
    ContainerId container;
    std::string url;
    Instant created_at;
    Instant granted_at;                   // of the present lease
    Instant changed_at;                   // of state
    Instant expires_at;
    std::optional<Instant> hold_until;
    std::optional<Instant> idle_stop_at;  // an open intent to stop
    std::optional<std::string> incident;  // the last thing that its user should know
    std::optional<HomePlace> home_place;  // of the present lease, or the last
    std::optional<HomeArchive> archive;   // what the next start brings back
    std::optional<HostRef> home_on;       // of place host: where it was started last
    BERTH_FIELDS(WorkspaceView, workspace, user, project, pool, state, host, incarnation, slot, epoch, leased,
                 claim, container, url, created_at, granted_at, changed_at, expires_at, hold_until, idle_stop_at, incident,
                 home_place, archive, home_on)
};

struct ClaimView {
    ClaimAccepted asked;
    ClaimState state = ClaimState::waiting;
    WorkspaceId workspace;                // once it has one
    HostId host;
    Epoch epoch;
    std::string url;
    Instant lease_expires_at;
    ErrorKind kind = ErrorKind::internal; // of a denial
    std::string text;
    std::uint32_t tries = 0;              // starts that failed for it
    Instant ended_at;                     // 1970 while it is open
    BERTH_FIELDS(ClaimView, asked, state, workspace, host, epoch, url, lease_expires_at, kind, text, tries, ended_at)

    bool open() const { return state == ClaimState::waiting || state == ClaimState::starting; }
};

struct Recovery {
    Position position;
    Instant at;
    BERTH_FIELDS(Recovery, position, at)
};

/// Orphans that are remembered; an instance is condemned shortly before it ends, so the oldest are long gone.
inline constexpr std::size_t condemned_max = 1'000;

struct View {
    std::string ledger;
    Term term;
    Position position;
    std::map<PoolName, PoolDefined> pools;
    std::map<HostId, HostView> hosts;
    std::map<WorkspaceId, WorkspaceView> workspaces;
    std::map<ClaimId, ClaimView> claims;  // ended ones are kept for claim_memory
    std::map<LaunchId, LaunchStarted> launches;
    std::optional<HostId> doubted_by;     // this ledger is an old copy of what that host has seen
    std::optional<Recovery> recovered;    // where and when it went on as another ledger
    std::optional<std::vector<InstanceCondemned>> condemned;   // the latest condemned_max, in order
    std::optional<std::map<PoolName, Instant>> retired;  // pools that are configured no more, and since when; never empty
    BERTH_FIELDS(View, ledger, term, position, pools, hosts, workspaces, claims, launches, doubted_by, recovered, condemned, retired)

    bool is_condemned(const std::string& instance, const HostIncarnation& incarnation) const;
    bool is_retired(const PoolName& pool) const { return retired && retired->contains(pool); }

    const WorkspaceView* workspace_of(const UserId& user, const ProjectName& project) const;
    const ClaimView* claim_of(const Principal& principal, const IdempotencyKey& key) const;
    const HostView* host_of(const HostRef& ref) const;  // null unless this very incarnation
    /// False when this ledger was recovered from an old copy and does not know yet what the host holds.
    bool has_met(const HostView& host) const;
    /// The host may hold leases that are not here, so nothing on it is ended.
    bool is_unsure_of(const HostView& host) const { return doubted_by || !has_met(host); }

    // Look-ups derived from the maps above; not part of what is stored. reindex() after decoding.
    struct Index {
        std::map<std::pair<UserId, ProjectName>, WorkspaceId> by_owner;
        std::map<std::pair<Principal, IdempotencyKey>, ClaimId> by_key;
        // What will be forgotten, by age: nobody looks through all that there is.
        std::set<std::pair<Instant, ClaimId>> ended;
        std::set<std::pair<Instant, WorkspaceId>> destroyed;
        std::set<HostId> gone;
        bool operator==(const Index&) const = default;
    } index;
    void reindex();
};

/// Ended claims and destroyed workspaces are forgotten this long after their end (I6: ≥ 24 h).
inline constexpr Duration claim_memory{48 * 3'600'000LL};

/// record.position must be view.position + 1; that of a LedgerRecovered may be any later one.
void apply(View& view, const FactRecord& record);

/// The same on every build flavour (I19).
std::uint64_t state_hash(const View& view);

}  // namespace berth
