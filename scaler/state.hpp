// SPDX-License-Identifier: Apache-2.0
// What the scaler knows: the view, the newest listing of each provider, what it asked for, and the
// hosts it is giving back. All of it is rebuilt from the view and a listing: launches in flight are
// facts, a half-done shrink is seen from the host's admission.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "events/view.hpp"
#include "scaler/deficit.hpp"
#include "scaler/policy.hpp"
#include "scaler/provider.hpp"

namespace berth::scaler {

using AskId = std::uint64_t;              // a request to the allocator
using CallId = std::uint64_t;             // a call of a provider
using CallerId = std::uint64_t;           // somebody who waits for our reply

/// Something that is tried until it works: what is open now, and when it may be tried again.
struct Attempts {
    bool open = false;
    std::uint32_t tries = 0;
    Instant not_before;
};

struct Pause {                            // after failed launches of one class
    std::uint32_t failures = 0;
    Instant until;
    std::string text;
};

struct PoolWatch {
    std::uint32_t asked = 0;              // hosts in the open request to the allocator
    std::map<LaunchId, Instant> granted;  // their facts are still on the way; counted until then at most
    Attempts asking;
    std::optional<Instant> scaled_at;     // last launch
    std::map<LaunchFailure, Pause> pauses;
    std::optional<Instant> surplus_since;
    std::optional<Instant> shrunk_at;     // last victim
    std::string blocked_by;               // why it does not launch what it lacks; "" = nothing does
};

/// A launch of the ledger, on its way through the provider.
struct Flight {
    bool accepted = false;                // the provider has it
    std::string instance;
    Attempts calling;
    Attempts failing;                       // allocator.launch_failed
    Attempts meeting;                       // allocator.launch_met
};

BERTH_ENUM(VictimPhase, cordoning, draining, checking, ending, confirming, uncordoning)

/// A host that is being given back.
struct Victim {
    HostRef host;
    VictimPhase phase = VictimPhase::cordoning;
    Instant since;                        // of the phase
    Attempts attempts;
    Permit permit;
    std::string why;
};

struct Listing {
    Instant read_at;
    std::vector<Instance> instances;      // by name
    std::vector<std::uint32_t> launched;  // those of a launch, by its id

    const Instance* named(const std::string& name) const;
    const Instance* of_launch(const LaunchId& launch) const;
};
Listing listing_of(ProviderSnapshot snapshot);

/// What a host adds to the level of its pool.
struct Share {
    PoolName pool;
    Level level;
};

/// An instance without a host that somebody wants to be ended.
struct Orphan {
    CallerId caller = 0;
    std::string provider;
    std::string instance;
    HostIncarnation incarnation;
};

struct State {
    Policy policy;
    Rng rng{0};
    View view;
    bool view_known = false;
    Instant heard_at;                     // the allocator: view, fact or beacon

    std::map<PoolName, PoolWatch> pools;
    std::map<PoolName, std::set<ClaimId>> waiting;
    std::map<HostId, Share> shares;                      // of hosts on which only a fact changes anything …
    std::map<PoolName, Level> settled;                   // … and their sum, so that no tick counts them
    std::set<HostId> unsettled;                          // the others, but for those that are gone
    std::map<LaunchId, Flight> flights;
    std::deque<Instant> launched;         // within the last hour
    std::map<HostId, Victim> victims;
    std::map<std::string, Listing> listings;             // newest complete one of each provider
    std::map<std::string, ProviderReport> reports;       // what came with the newest

    std::map<AskId, PoolName> pool_asks;
    std::map<AskId, LaunchId> flight_asks;
    std::map<AskId, LaunchId> meeting_asks;
    std::map<AskId, HostId> victim_asks;
    std::map<AskId, HostId> price_asks;
    std::map<CallId, std::vector<LaunchId>> launch_calls;
    std::map<CallId, HostId> victim_calls;
    std::map<CallId, std::vector<std::string>> protect_calls;   // instances
    std::map<CallId, std::vector<std::string>> start_calls;     // instances
    std::map<AskId, Orphan> orphan_asks;                 // may it be ended?
    std::map<CallId, Orphan> orphan_calls;               // it is being ended
    std::set<std::string> protecting;
    std::map<std::string, Attempts> starting;              // instances that were stopped behind our back
    std::map<HostId, Attempts> pricing;                    // hosts whose price is being written down
    std::set<std::string> ending_orphans;                // instances, from the first question to the last answer
    AskId next_ask = 1;
    CallId next_call = 1;
};

}  // namespace berth::scaler
