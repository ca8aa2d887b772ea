// SPDX-License-Identifier: Apache-2.0
#include "hostagent/step.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "hostagent/turn.hpp"

namespace berth::hostagent {

namespace {

/// I12: nobody to say that a lease is over may last this long and no longer.
void end_when_forsaken(Turn& turn, Slot& slot) {
    const auto& state = turn.state;
    const auto limit = state.policy.outage_limit;
    if (limit == Duration{0} || turn.now < state.heard_at + limit) return;
    const auto& record = slot.record;
    if (record.phase != SlotPhase::bound || turn.now < record.expires_at) return;
    stop(turn, slot, fmt::format("it expired at {}, and no allocator spoke since {}", to_rfc3339(record.expires_at),
                                 to_rfc3339(state.heard_at)));
}

void hear(Turn& turn, const Tick&) {
    for (auto& slot : turn.state.slots) {
        end_when_forsaken(turn, slot);
        drive(turn, slot);
        look_when_due(turn, slot);
    }
    list_when_due(turn);
    check_homes_when_due(turn);
}

}  // namespace

State make_state(Policy policy, Setup setup) {
    State state{.policy = std::move(policy), .setup = std::move(setup)};
    state.ports = make_port_pool(state.policy.port_first, state.policy.port_count, state.setup.host.value);
    state.heartbeat = state.policy.heartbeat;
    state.standby_pause = state.policy.standby_retry;
    for (std::uint32_t index = 0; index < state.setup.slots; ++index) {
        state.slots.push_back({.record = {.slot = index}});
    }
    return state;
}

Decisions step(State& state, const Input& input, Instant now) {
    Turn turn{state, now, {}};
    std::visit([&](const auto& heard) { hear(turn, heard); }, input);
    keep_standbys(turn);
    if (!turn.out.persists.empty() && state.position_kept < state.position_seen) {
        state.position_kept = state.position_seen;
        turn.persist(state.position_seen);
    }
    return std::move(turn.out);
}

HostHeartbeat take_beat(State& state) {
    ++state.beats;
    HostHeartbeat beat{.host = state.setup.host, .incarnation = state.setup.incarnation, .term_seen = state.term};
    beat.position_seen = state.position_seen;
    beat.slots.reserve(state.slots.size());
    for (const auto& slot : state.slots) {
        const auto& record = slot.record;
        beat.slots.push_back({.slot = record.slot, .phase = record.phase, .epoch = record.epoch,
                              .workspace = record.workspace, .container = record.container, .text = record.text,
                              .incident = slot.incident.empty() ? std::nullopt : std::optional{slot.incident},
                              .home = home_progress(slot), .archive = record.archive});
        if (!record.container.empty()) ++beat.load.containers;
    }
    if (is_in_trouble(state)) beat.trouble = state.failure_text;
    else if (!state.home_trouble.empty()) beat.trouble = "homes can not be kept: " + state.home_trouble;
    if (!state.home_trouble.empty()) beat.home_trouble = state.home_trouble;
    beat.notice = state.notice;
    return beat;
}

RegisterRequest take_registration(State& state) {
    ++state.beats;
    const auto& setup = state.setup;
    RegisterRequest offer{.host = setup.host, .incarnation = setup.incarnation, .proxy_port = setup.proxy_port, .slots = setup.slots,
                          .version = state.policy.version, .term_seen = state.term, .position_seen = state.position_seen};
    auto& held = offer.held.emplace();
    for (const auto& slot : state.slots) {
        const auto& record = slot.record;
        if (record.epoch == Epoch{}) continue;
        const bool runs = record.phase == SlotPhase::binding || record.phase == SlotPhase::bound;
        const bool there = runs || record.phase == SlotPhase::stopping || record.phase == SlotPhase::broken;
        auto& told = held.emplace_back(LeaseOrder{.slot = record.slot, .epoch = record.epoch, .wanted = runs ? Wanted::running : Wanted::stopped});
        if (!there || record.user.empty()) continue;      // emptied, or ended before it began: the epoch is all
        told.workspace = record.workspace;
        told.user = record.user;
        told.project = record.project;
        told.expires_at = record.expires_at;
        told.hold_until = record.hold_until;
        told.home = record.home;
        if (told.home && record.archive) told.home->archive = record.archive;
    }
    return offer;
}

std::string url_of(const Setup& setup, const WorkspaceId& workspace, std::uint32_t slot) {
    if (setup.plain_port_first != 0) {
        const bool v6 = setup.plain_address.find(':') != std::string::npos;
        return fmt::format("{}://{}{}{}:{}/", setup.scheme, v6 ? "[" : "", setup.plain_address, v6 ? "]" : "", setup.plain_port_first + slot);
    }
    const auto& domain = setup.public_domain.empty() ? setup.apps_domain : setup.public_domain;
    const auto port = setup.public_port == 0 ? setup.proxy_port : setup.public_port;
    const bool usual = port == (setup.scheme == "https" ? 443U : 80U);
    return fmt::format("{}://{}.{}{}/", setup.scheme, workspace.value, domain, usual ? "" : fmt::format(":{}", port));
}

std::optional<std::string> socket_of(const Setup& setup, const SlotRecord& record) {
    if (setup.sockets.empty() || record.port != 0 || record.container.empty()) return std::nullopt;
    return fmt::format("{}/{}/run/editor.sock", setup.sockets, record.container.value);
}

void add_hold(std::vector<Signal>& signals, const SlotRecord& record, Instant now) {
    if (record.hold_until) signals.push_back({"hold", std::min(*record.hold_until, now)});
}

}  // namespace berth::hostagent
