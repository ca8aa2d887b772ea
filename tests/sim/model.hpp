// SPDX-License-Identifier: Apache-2.0
// The ledger read a second time, by plain maps that share no code with events/view.cpp: what the
// invariants compare each new fact with.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "events/ledger.hpp"

namespace berth::sim {

using SlotName = std::pair<HostId, std::uint32_t>;
using LeaseName = std::pair<WorkspaceId, Epoch>;

struct ModelLease {
    SlotName slot;
    HostIncarnation incarnation;
    std::uint64_t granted = 0;            // positions; 0: it did not happen
    std::uint64_t started = 0;
    std::uint64_t ended = 0;              // released, expired, failed, destroyed, lost
    std::uint64_t stopped = 0;            // the slot became free
    bool ended_once = false;              // in the lost part of an old copy; the command may be on its way still
    bool lost = false;                    // granted there, and no host has told of it since
    std::string why;
    UserId user;
    ProjectName project;
    Instant granted_at;
    Instant expires_at;
    Instant hold_until;
    Instant held_at;                      // when the hold was recorded
};
struct ModelHost {
    HostIncarnation incarnation;
    PoolName pool;
    std::uint32_t slots = 0;
    bool live = false, gone = false, open = false, drained = false;
    std::uint64_t met = 0;                // position of its host.recovered
    std::uint32_t failures = 0;           // starts that failed since the last that worked
    bool impaired = false;                // by its own word it can start nothing
};
struct ModelClaim {
    ClaimAccepted asked;
    std::uint64_t accepted = 0;
    std::uint64_t ended = 0;
    std::optional<ClaimGranted> granted;
    std::optional<ClaimDenied> denied;
};

struct Model {
    std::uint64_t position = 0;
    Term term;
    std::uint64_t recovered = 0;          // position of the last ledger.recovered
    Instant recovered_at;
    bool doubted = false;
    std::map<SlotName, Epoch> highest;
    std::map<SlotName, WorkspaceId> held;
    std::map<SlotName, bool> quarantined;
    std::map<HostId, ModelHost> hosts;
    std::map<LeaseName, ModelLease> leases;
    std::map<WorkspaceId, Epoch> current;                  // leased now
    std::map<WorkspaceId, Epoch> newest;                   // leased last
    std::map<WorkspaceId, bool> destroyed;
    std::map<WorkspaceId, HomeArchive> archives;           // the newest that was confirmed
    std::map<ClaimId, ModelClaim> claims;
    std::map<std::pair<Principal, IdempotencyKey>, ClaimId> keys;
    std::map<LaunchId, LaunchStarted> launches;
    std::map<PoolName, PoolDefined> pools;

    void apply(const FactRecord& record);
    /// Facts of `before` that an old copy lacks, and that hosts acted on all the same.
    void remember_lost(const Model& before);
    const ModelLease* lease(const WorkspaceId& workspace, Epoch epoch) const;
    /// Slots of this host that no lease holds and that are not set aside.
    std::uint32_t free_slots(const HostId& host) const;
};

}  // namespace berth::sim
