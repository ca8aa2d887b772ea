// SPDX-License-Identifier: Apache-2.0
#include "scaler/step.hpp"

#include <algorithm>
#include <type_traits>

#include "scaler/turn.hpp"

namespace berth::scaler {

namespace {

// The spend cap goes on over a restart: what the ledger shows of earlier launches counts, those
// that failed apart. Older ones than an hour are dropped where they are counted.
void count_launched(State& state) {
    std::vector<Instant> times;
    for (const auto& [id, launch] : state.view.launches) times.push_back(launch.started_at);
    for (const auto& [id, host] : state.view.hosts) times.push_back(host.registered_at);
    std::sort(times.begin(), times.end());
    state.launched.assign(times.begin(), times.end());
}

void take_view(Turn& turn, View view) {
    auto& state = turn.state;
    state.view = std::move(view);
    state.view_known = true;
    state.waiting.clear();
    for (auto& [name, watch] : state.pools) {
        watch.granted.clear();
        watch.surplus_since.reset();
    }
    recount_all(state);
    for (const auto& [id, claim] : state.view.claims) refresh_claim(turn, id);
    refresh_flights(turn);
    if (state.launched.empty()) count_launched(state);
    // A scaler that starts anew keeps the cooldown of its predecessor as far as it can be seen.
    for (const auto& [id, launch] : state.view.launches) {
        auto& scaled_at = state.pools[launch.pool].scaled_at;
        scaled_at = std::max(scaled_at.value_or(launch.started_at), launch.started_at);
    }
    for (const auto& [id, host] : state.view.hosts) adopt_victim(turn, host);
}

// The hosts that a fact may have changed are counted again.
template <class T>
void count_again(State& state, const T& fact) {
    if constexpr (requires { fact.host.incarnation; }) {
        recount(state, fact.host.host);
    } else if constexpr (requires { fact.host; }) {
        recount(state, fact.host);
    } else if constexpr (requires { fact.workspace; }) {
        const auto at = state.view.workspaces.find(fact.workspace);
        if (at != state.view.workspaces.end()) recount(state, at->second.host);
    }
    if constexpr (std::is_same_v<T, HostRecovered>) recount_all(state);      // workspaces moved, from hosts that it does not name
}

// Looks again at whatever a fact is about; what the fact says was applied to the view already.
template <class T>
void look_at(Turn& turn, const T& fact) {
    auto& state = turn.state;
    count_again(state, fact);
    if constexpr (std::is_same_v<T, ClaimAccepted> || std::is_same_v<T, ClaimGranted> || std::is_same_v<T, ClaimDenied>) {
        refresh_claim(turn, fact.claim);
    } else if constexpr (std::is_same_v<T, LeaseGranted>) {
        if (fact.claim) refresh_claim(turn, *fact.claim);
    } else if constexpr (std::is_same_v<T, WorkspaceFailed>) {
        const auto at = state.view.workspaces.find(fact.workspace);
        if (at != state.view.workspaces.end() && at->second.claim) refresh_claim(turn, *at->second.claim);
    } else if constexpr (std::is_same_v<T, LaunchStarted>) {
        state.pools[fact.pool].granted.erase(fact.launch);
        refresh_flights(turn);
        drive_flights(turn);  // somebody may be waiting for this host
    } else if constexpr (std::is_same_v<T, LaunchFailed>) {
        note_launch_failed(turn, fact);
        refresh_flights(turn);
    } else if constexpr (std::is_same_v<T, HostRegistered>) {
        if (fact.launch) state.pools[fact.pool].pauses.clear();  // launches work again
        refresh_flights(turn);
    } else if constexpr (std::is_same_v<T, LaunchMet>) {
        state.pools[fact.pool].pauses.clear();
        refresh_flights(turn);
    } else if constexpr (std::is_same_v<T, HostDrained>) {
        if (const auto* host = state.view.host_of(fact.host)) adopt_victim(turn, *host);
    }
}

struct Taking {
    Turn& turn;

    void operator()(const Tick&) const {
        if (!turn.state.view_known) return;
        auto levels = count_levels(turn.state, turn.now);
        shrink_pools(turn, levels);
        if (!turn.state.victims.empty()) {
            drive_victims(turn, levels);
            levels = count_levels(turn.state, turn.now);  // a host that is spared need not be launched
        }
        scale_pools(turn, levels);
        drive_flights(turn);
    }
    void operator()(ViewReply& reply) const {
        turn.state.heard_at = turn.now;
        take_view(turn, std::move(reply.view));
    }
    void operator()(const ViewLost&) const { turn.state.view_known = false; }
    void operator()(const FactRecord& record) const {
        turn.state.heard_at = turn.now;
        if (!turn.state.view_known) return;
        apply(turn.state.view, record);
        std::visit([&](const auto& fact) { look_at(turn, fact); }, record.fact);
    }
    void operator()(const LedgerHead&) const { turn.state.heard_at = turn.now; }
    void operator()(ProviderReport& report) const { read_report(turn, std::move(report)); }
    void operator()(ProviderSnapshot& snapshot) const { read_listing(turn, std::move(snapshot)); }
    void operator()(const Answered& answered) const {
        auto& state = turn.state;
        if (const auto pool = state.pool_asks.extract(answered.ask)) {
            answer_pool(turn, pool.mapped(), answered.outcome);
        } else if (const auto flight = state.flight_asks.extract(answered.ask)) {
            answer_flight(turn, flight.mapped(), answered.outcome);
        } else if (const auto meeting = state.meeting_asks.extract(answered.ask)) {
            answer_meeting(turn, meeting.mapped(), answered.outcome);
        } else if (const auto priced = state.price_asks.extract(answered.ask)) {
            answer_price(turn, priced.mapped(), answered.outcome);
        } else if (const auto victim = state.victim_asks.extract(answered.ask)) {
            answer_victim(turn, victim.mapped(), answered.outcome);
        } else if (auto orphan = state.orphan_asks.extract(answered.ask)) {
            answer_orphan(turn, std::move(orphan.mapped()), answered.outcome);
        }
    }
    void operator()(const CallAnswered& answered) const {
        auto& state = turn.state;
        if (const auto launch = state.launch_calls.extract(answered.call)) {
            answer_launch_call(turn, launch.mapped(), answered);
        } else if (const auto victim = state.victim_calls.extract(answered.call)) {
            answer_victim_call(turn, victim.mapped(), answered);
        } else if (const auto protect = state.protect_calls.extract(answered.call)) {
            answer_protect_call(turn, protect.mapped(), answered);
        } else if (const auto start = state.start_calls.extract(answered.call)) {
            answer_start_call(turn, start.mapped(), answered);
        } else if (const auto orphan = state.orphan_calls.extract(answered.call)) {
            answer_orphan_call(turn, orphan.mapped(), answered);
        }
    }
    void operator()(const OrphanAsked& asked) const { end_orphan(turn, asked); }
};

}  // namespace

bool may_try(const Attempts& attempts, Instant now) { return !attempts.open && attempts.not_before <= now; }

void begin_attempt(Attempts& attempts) {
    attempts.open = true;
    ++attempts.tries;
}

void end_attempt(const Policy& policy, Attempts& attempts, Instant now) {
    attempts.open = false;
    const auto doublings = std::min<std::uint32_t>(attempts.tries > 0 ? attempts.tries - 1 : 0, 16);
    attempts.not_before = now + std::min(policy.retry_max, policy.retry * (1L << doublings));
}

bool may_call(const State& state) {
    return state.launch_calls.size() + state.victim_calls.size() + state.protect_calls.size() + state.start_calls.size() +
               state.ending_orphans.size() <
           state.policy.calls_open_max;
}

const PoolDefined* pool_of(const State& state, const PoolName& name) {
    const auto at = state.view.pools.find(name);
    return at == state.view.pools.end() ? nullptr : &at->second;
}

State make_state(Policy policy, Rng rng) { return State{.policy = std::move(policy), .rng = rng}; }

Decisions step(State& state, Input input, Instant now) {
    Turn turn(state, now);
    std::visit(Taking{turn}, input);
    return std::move(turn.out);
}

}  // namespace berth::scaler
