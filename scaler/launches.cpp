// SPDX-License-Identifier: Apache-2.0
// A launch from its fact to the provider. The launch id is the client token, so that calling again
// (after a lost answer, or by the next scaler) brings the same instance and never a second one.
//
//   fact ──► calling ──► accepted ──► (it registers, or its machine's host is met) *over
//               │            └────► silent past deadline and grace ─► *failed (configuration)
//               └──► *failed (quota · capacity · permission · configuration · throttle · lost)
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "scaler/turn.hpp"

namespace berth::scaler {

namespace {

bool may_be_tried_again(LaunchFailure failure) {
    return failure == LaunchFailure::throttle || failure == LaunchFailure::lost;
}

void fail_launch(Turn& turn, const LaunchId& launch, Flight& flight, LaunchFailure failure, std::string text) {
    if (!may_try(flight.failing, turn.now)) return;
    turn.line(LogLevel::warn, "launch.failed", launch.value, fmt::format("{}: {}", to_string(failure), text));
    begin_attempt(flight.failing);
    const auto id = turn.ask(LaunchFailedRequest{.launch = launch, .failure = failure, .text = std::move(text)});
    turn.state.flight_asks[id] = launch;
}

// What the provider's own records say of a launch that it had taken: the newest trouble since then.
const LaunchTrouble* trouble_of(const State& state, const std::string& provider, const LaunchStarted& launch) {
    const auto report = state.reports.find(provider);
    if (report == state.reports.end()) return nullptr;
    const auto& troubles = report->second.troubles;
    const auto at = std::find_if(troubles.rbegin(), troubles.rend(),
                                 [&](const auto& trouble) { return trouble.pool == launch.pool && trouble.at >= launch.started_at; });
    return at == troubles.rend() ? nullptr : &*at;
}

// The machines of a group may not know their launch, so that their hosts register without it.
bool meet(Turn& turn, const LaunchStarted& launch, const Instance& found, const PoolDefined& pool, Flight& flight) {
    if (!may_try(flight.meeting, turn.now)) return flight.meeting.open;
    for (const auto& [id, host] : turn.state.view.hosts) {
        if (host.liveness == Liveness::gone || instance_of(host) != found.instance || !is_life_of(found, host.incarnation)) continue;
        begin_attempt(flight.meeting);
        turn.line(LogLevel::info, "launch.met", launch.launch.value, fmt::format("by host {} on instance {}", id.value, found.instance));
        turn.state.meeting_asks[turn.ask(LaunchMetRequest{launch.launch, {id, host.incarnation}, pool.provider})] = launch.launch;
        return true;
    }
    return false;
}

using Wanted = std::map<PoolName, std::vector<LaunchStarted>>;

void drive(Turn& turn, const LaunchStarted& launch, Flight& flight, Wanted& wanted) {
    auto& state = turn.state;
    const auto* pool = pool_of(state, launch.pool);
    if (flight.failing.open || flight.calling.open) return;
    if (!pool) return fail_launch(turn, launch.launch, flight, LaunchFailure::configuration, "its pool is not defined any more");
    const auto listing = state.listings.find(pool->provider);
    if (listing == state.listings.end()) return;  // first see what is there (the restart of a scaler)

    const auto& listed = listing->second;
    const auto* found = listed.of_launch(launch.launch);
    if (found) {
        flight.accepted = true;
        flight.instance = found->instance;
    }
    if (found && (found->state == InstanceState::terminated || found->state == InstanceState::terminating)) {
        return fail_launch(turn, launch.launch, flight, LaunchFailure::lost,
                           fmt::format("instance {} ended before it registered", found->instance));
    }
    if (found && meet(turn, launch, *found, *pool, flight)) return;
    if (const auto* trouble = found || !flight.accepted ? nullptr : trouble_of(state, pool->provider, launch)) {
        return fail_launch(turn, launch.launch, flight, trouble->failure, trouble->text);
    }
    const bool over = launch.deadline <= turn.now;
    if (over && !found && listed.read_at >= launch.deadline) {
        return fail_launch(turn, launch.launch, flight, LaunchFailure::lost,
                           fmt::format("the provider lists no instance of it after its deadline {}", to_rfc3339(launch.deadline)));
    }
    if (over && found && launch.deadline + state.policy.registration_grace <= turn.now) {
        return fail_launch(turn, launch.launch, flight, LaunchFailure::configuration,
                           fmt::format("instance {} runs, but its agent has not registered; read the agent's log there", found->instance));
    }
    if (!flight.accepted && state.view.is_retired(launch.pool)) {
        return fail_launch(turn, launch.launch, flight, LaunchFailure::configuration, "its pool is retired: it is configured no more");
    }
    if (!over && !flight.accepted && may_try(flight.calling, turn.now)) wanted[launch.pool].push_back(launch);
}

// Those of one pool go in one call, as many as were granted in one.
void call_provider(Turn& turn, const PoolDefined& pool, const std::vector<LaunchStarted>& launches) {
    const auto most = std::max<std::size_t>(turn.state.policy.launches_per_call_max, 1);
    for (std::size_t at = 0; at < launches.size() && may_call(turn.state); at += most) {
        const std::vector<LaunchStarted> part(launches.begin() + static_cast<std::ptrdiff_t>(at),
                                              launches.begin() + static_cast<std::ptrdiff_t>(std::min(launches.size(), at + most)));
        std::vector<LaunchId> ids;
        for (const auto& [launch, of_pool, started_at, deadline] : part) {
            ids.push_back(launch);
            turn.line(LogLevel::info, "launch.call", launch.value, fmt::format("one host for pool {} from {}", pool.pool.value, pool.provider));
            begin_attempt(turn.state.flights.at(launch).calling);
        }
        turn.state.launch_calls[turn.call(pool.provider, LaunchCall{part, pool})] = std::move(ids);
    }
}

void take_outcome(Turn& turn, const LaunchOutcome& outcome) {
    const auto at = turn.state.flights.find(outcome.launch);
    if (at == turn.state.flights.end()) return;
    auto& flight = at->second;
    end_attempt(turn.state.policy, flight.calling, turn.now);
    if (!outcome.error) {
        flight.accepted = true;
        flight.instance = outcome.instance ? outcome.instance->instance : "";
        return turn.line(LogLevel::info, "launch.accepted", outcome.launch.value,
                         flight.instance.empty() ? "a listing will name its instance" : fmt::format("as instance {}", flight.instance));
    }
    const auto& [failure, text] = *outcome.error;
    if (may_be_tried_again(failure) && flight.calling.tries < turn.state.policy.call_tries_max) {
        return turn.line(LogLevel::warn, "launch.retry", outcome.launch.value, fmt::format("{}: {}", to_string(failure), text));
    }
    fail_launch(turn, outcome.launch, flight, failure, text);
}

}  // namespace

void refresh_flights(Turn& turn) {
    auto& state = turn.state;
    std::erase_if(state.flights, [&](const auto& entry) { return !state.view.launches.contains(entry.first); });
    for (const auto& [id, launch] : state.view.launches) state.flights.try_emplace(id);
}

void drive_flights(Turn& turn) {
    Wanted wanted;
    for (auto& [id, flight] : turn.state.flights) drive(turn, turn.state.view.launches.at(id), flight, wanted);
    for (const auto& [pool, launches] : wanted) call_provider(turn, *pool_of(turn.state, pool), launches);
}

void answer_launch_call(Turn& turn, const std::vector<LaunchId>& launches, const CallAnswered& answered) {
    for (const auto& launch : launches) {
        const auto at = std::find_if(answered.launched.begin(), answered.launched.end(), [&](const auto& outcome) { return outcome.launch == launch; });
        if (at != answered.launched.end()) {
            take_outcome(turn, *at);
        } else {
            take_outcome(turn, {launch, {}, answered.error.value_or(ProviderError{LaunchFailure::lost, "the provider's answer does not name it"})});
        }
    }
}

void answer_meeting(Turn& turn, const LaunchId& launch, const Answer& answer) {
    const auto at = turn.state.flights.find(launch);
    if (at == turn.state.flights.end()) return;
    end_attempt(turn.state.policy, at->second.meeting, turn.now);
    if (!answer) turn.line(LogLevel::warn, "ask.refused", launch.value, answer.error().text);
}

void answer_flight(Turn& turn, const LaunchId& launch, const Answer& answer) {
    const auto at = turn.state.flights.find(launch);
    if (at == turn.state.flights.end()) return;
    end_attempt(turn.state.policy, at->second.failing, turn.now);
    if (!answer) turn.line(LogLevel::warn, "ask.refused", launch.value, answer.error().text);
}

}  // namespace berth::scaler
