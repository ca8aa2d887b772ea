// SPDX-License-Identifier: Apache-2.0
// One turn of the scaler, and what the rule
// families (pools, launches, shrink, orphans) offer to each other. Private to the core.
#pragma once

#include <string>
#include <utility>

#include "base/turn.hpp"
#include "events/instances.hpp"
#include "scaler/deficit.hpp"
#include "scaler/step.hpp"

namespace berth::scaler {

inline constexpr std::string_view actor = "scaler";   // as the allocator writes it into a fact

struct Turn : TurnOf<State, Decisions> {
    using TurnOf::TurnOf;

    AskId ask(AskBody body) {
        const auto id = state.next_ask++;
        out.asks.push_back({id, std::move(body)});
        return id;
    }
    template <class Body>
    CallId call(std::string provider, Body body) {
        const auto id = state.next_call++;
        out.calls.push_back({id, std::move(provider), std::move(body)});
        return id;
    }
};

using Answer = Result<std::variant<Done, LaunchReply, Permit>>;

bool may_try(const Attempts& attempts, Instant now);
void begin_attempt(Attempts& attempts);
/// After an answer: the next try not before a pause that doubles.
void end_attempt(const Policy& policy, Attempts& attempts, Instant now);
bool may_call(const State& state);
const PoolDefined* pool_of(const State& state, const PoolName& name);

// ---- pools.cpp: what there is, what is missing
void refresh_claim(Turn& turn, const ClaimId& id);
/// Counts this host again: its facts have changed it.
void recount(State& state, const HostId& id);
void recount_all(State& state);
std::map<PoolName, Level> count_levels(const State& state, Instant now);
void scale_pools(Turn& turn, const std::map<PoolName, Level>& levels);
void answer_pool(Turn& turn, const PoolName& pool, const Answer& answer);
void note_launch_failed(Turn& turn, const LaunchFailed& fact);

// ---- launches.cpp: from the fact to the provider
void refresh_flights(Turn& turn);
void drive_flights(Turn& turn);
void answer_launch_call(Turn& turn, const std::vector<LaunchId>& launches, const CallAnswered& answered);
void answer_meeting(Turn& turn, const LaunchId& launch, const Answer& answer);
void answer_flight(Turn& turn, const LaunchId& launch, const Answer& answer);

// ---- shrink.cpp: one named victim at a time
void adopt_victim(Turn& turn, const HostView& host);
void shrink_pools(Turn& turn, const std::map<PoolName, Level>& levels);
void drive_victims(Turn& turn, const std::map<PoolName, Level>& levels);
void answer_victim(Turn& turn, const HostId& host, const Answer& answer);
void answer_victim_call(Turn& turn, const HostId& host, const CallAnswered& answered);

// ---- instances.cpp: what a listing shows
void read_report(Turn& turn, ProviderReport report);
void read_listing(Turn& turn, ProviderSnapshot snapshot);
void answer_protect_call(Turn& turn, const std::vector<std::string>& instances, const CallAnswered& answered);
void answer_start_call(Turn& turn, const std::vector<std::string>& instances, const CallAnswered& answered);
void answer_price(Turn& turn, const HostId& host, const Answer& answer);
void end_orphan(Turn& turn, const OrphanAsked& asked);
void answer_orphan(Turn& turn, Orphan orphan, const Answer& answer);
void answer_orphan_call(Turn& turn, const Orphan& orphan, const CallAnswered& answered);

}  // namespace berth::scaler
