// SPDX-License-Identifier: Apache-2.0
// A launch from its fact to the provider. The launch id is the client token, so that calling again
// (after a lost answer, or by the next scaler) brings the same instance and never a second one.
//
//   fact ──► calling ──► accepted ──► (it registers) *over
//               │            └────► silent past deadline and grace ─► *failed (configuration)
//               └──► *failed (quota · capacity · permission · configuration · throttle · lost)
#include <fmt/format.h>

#include <algorithm>

#include "scaler/turn.hpp"

namespace berth::scaler {

namespace {

bool may_be_tried_again(LaunchFailure failure) {
    return failure == LaunchFailure::throttle || failure == LaunchFailure::lost;
}

void fail_launch(Turn& turn, const LaunchId& launch, Flight& flight, LaunchFailure failure, std::string text) {
    if (!may_try(flight.failing, turn.now)) return;
    turn.line(LogLevel::warn, "launch.failed", launch.value, fmt::format("{}: {}", to_string(failure), text));
    opened(flight.failing);
    const auto id = turn.ask(LaunchFailedRequest{.launch = launch, .failure = failure, .text = std::move(text)});
    turn.state.flight_asks[id] = launch;
}

void call_provider(Turn& turn, const LaunchStarted& launch, const PoolDefined& pool, Flight& flight) {
    if (!may_try(flight.calling, turn.now) || !may_call(turn.state)) return;
    turn.line(LogLevel::info, "launch.call", launch.launch.value, fmt::format("one host for pool {} from {}", pool.pool.value, pool.provider));
    opened(flight.calling);
    turn.state.launch_calls[turn.call(pool.provider, LaunchCall{launch.launch, pool})] = launch.launch;
}

void drive(Turn& turn, const LaunchStarted& launch, Flight& flight) {
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
    if (!over && !flight.accepted) call_provider(turn, launch, *pool, flight);
}

}  // namespace

void refresh_flights(Turn& turn) {
    auto& state = turn.state;
    std::erase_if(state.flights, [&](const auto& entry) { return !state.view.launches.contains(entry.first); });
    for (const auto& [id, launch] : state.view.launches) state.flights.try_emplace(id);
}

void drive_flights(Turn& turn) {
    for (auto& [id, flight] : turn.state.flights) drive(turn, turn.state.view.launches.at(id), flight);
}

void answer_launch_call(Turn& turn, const LaunchId& launch, const CallAnswered& answered) {
    const auto at = turn.state.flights.find(launch);
    if (at == turn.state.flights.end()) return;
    auto& flight = at->second;
    closed(turn.state.policy, flight.calling, turn.now);
    if (!answered.error) {
        flight.accepted = true;
        flight.instance = answered.instance ? answered.instance->instance : "";
        return turn.line(LogLevel::info, "launch.accepted", launch.value, fmt::format("as instance {}", flight.instance));
    }
    const auto& [failure, text] = *answered.error;
    if (may_be_tried_again(failure) && flight.calling.tries < turn.state.policy.call_tries_max) {
        return turn.line(LogLevel::warn, "launch.retry", launch.value, fmt::format("{}: {}", to_string(failure), text));
    }
    fail_launch(turn, launch, flight, failure, text);
}

void answer_flight(Turn& turn, const LaunchId& launch, const Answer& answer) {
    const auto at = turn.state.flights.find(launch);
    if (at == turn.state.flights.end()) return;
    closed(turn.state.policy, at->second.failing, turn.now);
    if (!answer) turn.line(LogLevel::warn, "ask.refused", launch.value, answer.error().text);
}

}  // namespace berth::scaler
