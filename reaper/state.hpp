// SPDX-License-Identifier: Apache-2.0
// What the reaper knows: the view, what was heard of hosts and workspaces since it began to listen,
// and when to look at each again. All of it is rebuilt from a snapshot and events; nothing is kept.
// A wake may be too early, never too late: new activity only moves the truth, not the timer.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "events/view.hpp"
#include "reaper/policy.hpp"

namespace berth::reaper {

using AskId = std::uint64_t;

/// The request about one thing: at most one is open, and it is not repeated before `not_before`.
struct Asking {
    std::optional<AskId> open;
    std::uint32_t tries = 0;              // without the wanted effect
    Instant not_before;
};

/// The last reading of a workspace's signals, by the host's clock and by ours.
struct Reading {
    Instant read_at;                      // the host's clock
    Instant received_at;                  // ours
    std::vector<Signal> signals;
};

/// An intent that was published, until its fate is known.
struct Intended {
    Instant stop_at;
    std::uint32_t tries = 0;              // published again so often, because nothing became of it
    std::optional<Duration> window = std::nullopt;         // the policy it was made by; absent: of an earlier life of ours
    IdleJobs jobs = IdleJobs::any;
    Duration job_max{0};
};

struct WorkspaceWatch {
    Epoch epoch;
    std::optional<Reading> reading;
    std::optional<Instant> objected_at;
    std::optional<Instant> withdrawn_at;
    std::optional<Intended> intent;
    Asking asking;
    std::optional<Instant> wake_at;
};

/// What the provider's listings say of a host.
struct Missing {
    bool ended = false;                   // listed, in this incarnation, as terminated
    Instant first_read_at;                // of an unbroken run of complete listings without it
    Instant last_read_at;
    std::uint32_t reads = 0;
};

struct HostWatch {
    HostIncarnation incarnation;
    Instant heard_at;
    std::optional<Instant> read_at;       // of its newest activity, by its clock
    Instant read_received_at;
    bool listed = false;                  // by a provider, in this life
    std::optional<Missing> missing;
    Asking asking;
    std::optional<Instant> wake_at;
};

/// An instance that is ours and that neither a host nor a launch accounts for.
struct Stray {
    HostIncarnation incarnation;
    Instant first_read_at;
    Instant last_read_at;
    std::uint32_t reads = 0;
    bool counted = false;                 // against the limit per window
    Asking asking;
};
using StrayKey = std::pair<std::string, std::string>;   // provider, instance

BERTH_ENUM(Breaker, closed, open)

struct State {
    Policy policy;
    View view;
    bool view_known = false;
    std::optional<Instant> beacon_at;     // last ledger.head
    Instant listening_since;              // silence is counted from here at the earliest

    std::map<WorkspaceId, WorkspaceWatch> workspaces;     // leased, starting or active
    std::map<HostId, HostWatch> hosts;                    // not gone
    std::set<std::pair<Instant, WorkspaceId>> workspace_wakes;
    std::set<std::pair<Instant, HostId>> host_wakes;
    std::set<WorkspaceId> turned_away;                    // over, and too many requests were open to ask

    std::map<std::string, Instant> listed_at;             // newest listing of each provider
    std::map<StrayKey, Stray> strays;
    std::deque<Instant> ended_strays;                     // asked for within the window
    Breaker breaker = Breaker::closed;

    std::map<AskId, WorkspaceId> workspace_asks;
    std::map<AskId, HostId> host_asks;
    std::map<AskId, StrayKey> stray_asks;
    AskId next_ask = 1;
};

}  // namespace berth::reaper
