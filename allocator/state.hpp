// SPDX-License-Identifier: Apache-2.0
// What the allocator knows: the view (all of it from the ledger) and look-ups and timers derived
// from it, so that no step scans. Nothing here but the view outlives the process.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "allocator/policy.hpp"
#include "events/view.hpp"

namespace berth::allocator {

using CallerId = std::uint64_t;           // a reply that somebody waits for; the shell's own number
using CommandId = std::uint64_t;

/// Where a host stands among the candidates of its pool: the smallest rank is tried first.
struct Rank {
    std::uint32_t failures = 0;           // score "fewest failed starts"
    std::uint32_t no_standby = 0;         // score "has a prepared environment": 0 when it has
    std::uint32_t free_slots = 0;         // score "fullest first", so that others can be given back
    HostId host;
    friend auto operator<=>(const Rank&, const Rank&) = default;
};

/// The last word of a host; an observation, lost on restart and soon said again.
struct Seen {
    Instant at;
    HostHeartbeat beat;
};

/// The seal of a host that is ending: whether its agent is being asked, and when it may be again.
struct SealTry {
    bool open = false;
    Instant not_before;
};

BERTH_ENUM(CommandKind, bind, stop, link, erase, seal)

struct PendingCommand {
    CommandKind kind = CommandKind::bind;
    HostRef host;
    WorkspaceId workspace;
    Epoch epoch;
    std::optional<CallerId> caller;       // of a link or a seal
    std::optional<ClaimId> claim;         // whose reply carries the link
};

struct State {
    Policy policy;
    View view;
    bool storage_low = false;
    Instant began_at;                                       // this allocator

    std::map<HostId, Seen> seen;
    std::map<PoolName, std::set<Rank>> candidates;          // live, open, with a free slot
    std::map<HostId, std::pair<PoolName, Rank>> ranks;

    std::map<PoolName, std::map<std::uint64_t, ClaimId>> queue;   // waiting for capacity, by acceptance
    std::map<std::pair<UserId, ProjectName>, std::set<ClaimId>> followers;  // waiting for their workspace
    std::set<std::pair<Instant, ClaimId>> claim_deadlines;
    std::map<ClaimId, std::vector<CallerId>> callers;

    std::set<std::pair<Instant, WorkspaceId>> due;          // next time to drive a workspace on
    std::map<WorkspaceId, Instant> due_at;
    std::map<CommandId, PendingCommand> commands;
    std::map<WorkspaceId, CommandId> driving;               // its command that is under way
    CommandId next_command = 1;

    std::map<WorkspaceId, Instant> save_wanted;             // an archive that is not older
    std::map<WorkspaceId, Instant> restoring;               // when its host said last that its home is on its way
    std::set<HostId> leaving;                               // at a time that is known
    std::map<HostId, SealTry> endings;                      // hosts that are ending and not gone
    std::set<HostId> unmet;                                 // of a recovered ledger: who has not told what it holds
    std::map<PoolName, std::string> blocked_by;             // the last launch failure, until a host comes
    Instant next_progress;
};

}  // namespace berth::allocator
