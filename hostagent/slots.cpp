// SPDX-License-Identifier: Apache-2.0
// A slot's life. drive() is the one place where engine calls are decided: it looks at the record and
// at the container and does the next thing, whatever was lost, repeated or refused before.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "hostagent/turn.hpp"

namespace berth::hostagent {

namespace {

void refuse_all(Turn& turn, std::vector<CallerId>& callers, const Error& error) {
    for (const auto caller : callers) turn.refuse(caller, error);
    callers.clear();
}

void forget_container(Slot& slot) {
    slot.use = ContainerUse::none;
    slot.record.container = {};
    slot.record.port = 0;
}

void become_empty(Turn& turn, Slot& slot) {
    auto& record = slot.record;
    record.phase = SlotPhase::empty;
    record.workspace = {};
    record.user = {};
    record.project = {};
    record.hold_until.reset();
    record.bound_at.reset();
    take_home(slot, std::nullopt);
    slot.order = Order::unknown;
    slot.incident.clear();
    turn.save(slot);
}

void drop_route(Turn& turn, const WorkspaceId& workspace) {
    if (turn.state.routes.erase(workspace) > 0) turn.persist(DropRoute{workspace});
}

std::set<std::uint32_t> ports_in_use(const State& state) {
    std::set<std::uint32_t> ports{state.setup.proxy_port};
    for (const auto& slot : state.slots) ports.insert(slot.record.port);
    return ports;
}

void start_failed(Turn& turn, Slot& slot, const std::string& text) {
    ++turn.state.counters.failed_starts;
    const auto& policy = turn.state.policy;
    const auto how = turn.cut(fmt::format("the start failed: {}", text));
    if (slot.restarts > 0 && slot.restarts < policy.restart_tries_max) {
        slot.wait_until = turn.now + policy.restart_pause * slot.restarts;
        ++slot.restarts;
        turn.note(Severity::warning, "slot.restart_failed", slot, how);
        return turn.save(slot);
    }
    slot.record.text = how;
    turn.note(Severity::warning, "slot.start_failed", slot, slot.record.text);
    stop(turn, slot, slot.record.text);
}

void begin_prepare(Turn& turn, Slot& slot) {
    auto& state = turn.state;
    const bool on_socket = !state.setup.sockets.empty();
    const auto port = on_socket ? std::optional<std::uint32_t>{0} : take_port(state.ports, ports_in_use(state));
    if (!port) return;   // looked for again at the next tick
    slot.record.container = {fmt::format("{}-{}-{}-{}", state.setup.host.value, slot.record.slot, state.setup.boot,
                                         ++state.containers_named)};
    slot.record.port = *port;
    slot.use = ContainerUse::starting;
    slot.work = Work::preparing;
    turn.save(slot);
    turn.operate(PrepareOrder{.slot = slot.record.slot, .container = slot.record.container, .port = *port,
                              .deadline = state.policy.prepare_deadline, .grace = state.policy.stop_grace});
}

void begin_bind(Turn& turn, Slot& slot) {
    check(slot.use == ContainerUse::ready, "I2: an environment is given at most once");
    auto& record = slot.record;
    slot.use = ContainerUse::given;
    slot.work = Work::binding;
    if (is_archived(record) && record.home_stand != HomeStand::used) {
        record.home_stand = HomeStand::used;       // before anything can write
        turn.save(slot);
    }
    turn.operate(EngineBind{.slot = record.slot, .container = record.container, .workspace = record.workspace,
                            .epoch = record.epoch, .user = record.user, .project = record.project,
                            .home = turn.state.setup.homes + "/" + record.workspace.value,
                            .deadline = turn.state.policy.bind_deadline});
}

void begin_remove(Turn& turn, Slot& slot) {
    slot.work = Work::removing;
    const auto& policy = turn.state.policy;
    const bool has_user = !slot.record.workspace.empty() && slot.remove_failures == 0;
    turn.operate(RemoveOrder{slot.record.slot, slot.record.container, policy.remove_deadline, has_user ? policy.stop_grace : Duration{0}});
}

void finish_stop(Turn& turn, Slot& slot) {
    check(slot.use == ContainerUse::none, "I10: what is said to be stopped is removed and wiped");
    if (slot.record.workspace.empty()) {
        refuse_all(turn, slot.bind_callers, ended_error(slot));
        return become_empty(turn, slot);
    }
    slot.record.phase = SlotPhase::stopped;
    slot.idle.reset();
    turn.save(slot);
    turn.note(Severity::info, "slot.stopped", slot, slot.record.text);
    for (const auto caller : slot.stop_callers) turn.reply(caller, StopReply{slot.record.slot, slot.record.epoch, slot.record.archive});
    slot.stop_callers.clear();
    refuse_all(turn, slot.bind_callers, ended_error(slot));
}

void remove_failed(Turn& turn, Slot& slot, const Error& error) {
    const auto& policy = turn.state.policy;
    const bool was_broken = slot.record.phase == SlotPhase::broken;
    ++slot.remove_failures;
    slot.wait_until = turn.now + policy.remove_retry * slot.remove_failures;
    if (was_broken || slot.remove_failures >= policy.remove_tries_max) {
        slot.wait_until = turn.now + policy.broken_retry;
        slot.use = ContainerUse::spoiled;
    }
    if (was_broken || slot.remove_failures < policy.remove_tries_max) return;
    slot.record.phase = SlotPhase::broken;
    slot.record.text = turn.cut(fmt::format("{} could not be removed after {} tries: {}", slot.record.container.value,
                                            slot.remove_failures, error.text));
    turn.save(slot);
    turn.note(Severity::warning, "slot.broken", slot, slot.record.text);
    refuse_all(turn, slot.stop_callers, {ErrorKind::internal, slot.record.text});
    refuse_all(turn, slot.bind_callers, {ErrorKind::internal, slot.record.text});
}

bool is_standby(const Slot& slot) {
    return slot.record.phase == SlotPhase::preparing || slot.record.phase == SlotPhase::prepared;
}

/// How many standbys there should be; nothing when they stay as they are.
std::optional<std::uint32_t> standbys_wanted(const State& state) {
    if (state.sealed || state.admission == Admission::draining) return 0;
    if (!state.standbys || state.admission != Admission::open) return std::nullopt;
    const auto wanted = std::min(*state.standbys, state.policy.standbys_max);
    return is_in_trouble(state) ? std::max(wanted, 1U) : wanted;    // somebody has to find out when it works again
}

// Of what the engine says, that which tells whether this host can start environments.
void count_start(Turn& turn, const Result<void>& outcome) {
    auto& state = turn.state;
    const bool was_in_trouble = is_in_trouble(state);
    state.failures_in_a_row = outcome ? 0 : state.failures_in_a_row + 1;
    state.failure_text = outcome ? "" : turn.cut(outcome.error().text);
    if (was_in_trouble != is_in_trouble(state)) turn.out.beat = true;
}

}  // namespace

bool is_in_trouble(const State& state) {
    if (state.failures_in_a_row < state.policy.trouble_after) return false;
    return std::none_of(state.slots.begin(), state.slots.end(), [](const Slot& slot) { return slot.record.phase == SlotPhase::prepared; });
}

void show_notice(Turn& turn, const Slot& slot) {
    const auto& record = slot.record;
    const bool is_new = slot.incident.empty() && slot.restarts > 0 && !record.text.empty();
    turn.out.notices.push_back({record.container, slot.idle ? std::optional{slot.idle->intent} : std::nullopt,
                                is_new ? "It was started again: " + record.text : slot.incident, turn.state.leaving});
}

Error ended_error(const Slot& slot) {
    return {ErrorKind::conflict, fmt::format("slot {} ended its epoch {}: {}", slot.record.slot, slot.record.epoch.value,
                                             slot.record.text.empty() ? "it was stopped" : slot.record.text)};
}

BindDone bound_reply(const Setup& setup, const SlotRecord& record) {
    return {{record.container, url_of(setup, record.workspace, record.slot), std::nullopt}, {record.workspace, record.epoch, record.user, record.slot}};
}

RouteRecord route_of(const Setup& setup, const SlotRecord& record, Instant confirmed_at) {
    return {.workspace = record.workspace, .user = record.user, .slot = record.slot, .epoch = record.epoch,
            .container = record.container, .port = record.port, .confirmed_at = confirmed_at,
            .socket = socket_of(setup, record)};
}

void accept(Turn& turn, Slot& slot, const LeaseOrder& order) {
    auto& record = slot.record;
    check(order.epoch > record.epoch, "I3: the epoch of a slot only grows");
    const Error newer{ErrorKind::fenced, fmt::format("slot {} went on to epoch {}", record.slot, order.epoch.value)};
    refuse_all(turn, slot.bind_callers, newer);
    refuse_all(turn, slot.stop_callers, newer);
    if (!record.workspace.empty()) drop_route(turn, record.workspace);
    if (slot.use == ContainerUse::given) slot.use = ContainerUse::spoiled;
    record.phase = SlotPhase::binding;
    record.epoch = order.epoch;
    record.workspace = order.workspace;
    record.user = order.user;
    record.project = order.project;
    record.expires_at = order.expires_at;
    record.hold_until = order.hold_until;
    record.bound_at.reset();
    record.text.clear();
    take_home(slot, order.home);
    slot.order = Order::running;
    slot.accepted_beat = turn.state.beats + 1;
    slot.restarts = 0;
    slot.incident.clear();
    slot.port_tries = 0;
    slot.wait_until = turn.now;
    slot.idle.reset();
    turn.save(slot);
    turn.note(Severity::info, "slot.accepted", slot, fmt::format("epoch {}", record.epoch.value));
    drive(turn, slot);
}

void stop(Turn& turn, Slot& slot, std::string why) {
    drop_route(turn, slot.record.workspace);
    slot.record.phase = SlotPhase::stopping;
    slot.record.text = turn.cut(why);
    slot.wait_until = turn.now;
    slot.idle.reset();
    turn.save(slot);
    turn.note(Severity::info, "slot.stopping", slot, slot.record.text);
    drive(turn, slot);
}

void container_ended(Turn& turn, Slot& slot, std::string how) {
    ++turn.state.counters.ended_environments;
    const auto& policy = turn.state.policy;
    slot.use = ContainerUse::spoiled;
    if (slot.record.workspace.empty()) {
        turn.note(Severity::warning, "slot.standby_ended", slot, how);
        return stop(turn, slot, how);
    }
    if (slot.record.bound_at && *slot.record.bound_at + policy.restart_forgiven_after <= turn.now) slot.restarts = 0;
    if (++slot.restarts > policy.restart_tries_max) {
        return stop(turn, slot, fmt::format("its environment ended {} times: {}", slot.restarts, how));
    }
    drop_route(turn, slot.record.workspace);
    slot.record.phase = SlotPhase::binding;
    slot.record.bound_at.reset();
    slot.incident.clear();
    slot.record.text = turn.cut(how);
    slot.idle.reset();
    turn.save(slot);
    turn.note(Severity::warning, "slot.environment_ended", slot, how);
    drive(turn, slot);
}

void drive(Turn& turn, Slot& slot) {
    drive_home(turn, slot);
    if (slot.work != Work::none || turn.now < slot.wait_until) return;
    const auto phase = slot.record.phase;
    const bool to_be_removed = slot.use == ContainerUse::spoiled ||
                               (phase == SlotPhase::stopping && slot.use != ContainerUse::none);
    if (to_be_removed) return begin_remove(turn, slot);
    switch (phase) {
        case SlotPhase::stopping:
            if (is_home_away(slot)) finish_stop(turn, slot);
            return;
        case SlotPhase::preparing:
            if (slot.use == ContainerUse::none) begin_prepare(turn, slot);
            return;
        case SlotPhase::binding:
            if (slot.use == ContainerUse::ready && is_home_here(slot)) return begin_bind(turn, slot);
            if (slot.use == ContainerUse::none && slot.order == Order::running) begin_prepare(turn, slot);
            return;
        case SlotPhase::empty:
        case SlotPhase::prepared:
        case SlotPhase::bound:
        case SlotPhase::stopped:
        case SlotPhase::broken: return;
    }
}

void hear(Turn& turn, const Prepared& heard) {
    auto& state = turn.state;
    auto& slot = state.slots.at(heard.slot);
    if (slot.work != Work::preparing || slot.record.container != heard.container) return;
    slot.work = Work::none;
    slot.changed = ++state.changes;
    count_start(turn, heard.outcome);
    const bool standby = slot.record.phase == SlotPhase::preparing;
    if (heard.outcome) {
        slot.use = ContainerUse::ready;
        if (standby) {
            slot.record.phase = SlotPhase::prepared;
            slot.record.text.clear();
            state.standby_pause = state.policy.standby_retry;
            turn.save(slot);
            turn.note(Severity::info, "slot.prepared", slot, slot.record.container.value);
        }
        return drive(turn, slot);
    }
    forget_container(slot);
    if (standby) {
        slot.record.text = turn.cut(fmt::format("a standby failed: {}", heard.outcome.error().text));
        turn.note(Severity::warning, "slot.standby_failed", slot, slot.record.text);
        state.standby_at = turn.now + state.standby_pause;
        const auto longest = is_in_trouble(state) ? state.policy.trouble_retry_max : state.policy.standby_retry_max;
        state.standby_pause = std::min(state.standby_pause * 2, longest);
        return become_empty(turn, slot);
    }
    if (slot.record.phase == SlotPhase::binding) return start_failed(turn, slot, heard.outcome.error().text);
    turn.save(slot);
    drive(turn, slot);
}

void hear(Turn& turn, const PortTaken& heard) {
    auto& slot = turn.state.slots.at(heard.slot);
    if (slot.work != Work::preparing || slot.record.container != heard.container) return;
    if (++slot.port_tries > turn.state.policy.port_tries_max) {
        slot.port_tries = 0;
        const auto text = fmt::format("{} ports in a row are taken by other programs; see hostagent.port_first",
                                      turn.state.policy.port_tries_max);
        return hear(turn, Prepared{heard.slot, heard.container, fail(ErrorKind::limit, "{}", text)});
    }
    slot.work = Work::none;
    forget_container(slot);
    drive(turn, slot);
}

void hear(Turn& turn, const Bound& heard) {
    auto& slot = turn.state.slots.at(heard.slot);
    if (slot.work != Work::binding || slot.record.container != heard.container) return;
    slot.work = Work::none;
    slot.changed = ++turn.state.changes;
    auto& record = slot.record;
    const bool wanted = record.phase == SlotPhase::binding && slot.use == ContainerUse::given;
    if (!heard.outcome) {
        slot.use = ContainerUse::spoiled;
        if (wanted) start_failed(turn, slot, heard.outcome.error().text);
    } else if (wanted) {
        record.phase = SlotPhase::bound;
        record.bound_at = turn.now;
        home_was_bound(turn, slot);
        if (slot.restarts == 0) record.text.clear();
        turn.save(slot);
        const auto route = route_of(turn.state.setup, record, turn.now);
        turn.state.routes.insert_or_assign(record.workspace, route);
        turn.persist(route);
        turn.note(Severity::info, "slot.bound", slot, record.container.value);
        for (const auto caller : slot.bind_callers) {
            turn.reply(caller, bound_reply(turn.state.setup, record));
        }
        slot.bind_callers.clear();
        if (slot.restarts > 0 || turn.state.leaving) show_notice(turn, slot);
    }
    drive(turn, slot);
}

void hear(Turn& turn, const Removed& heard) {
    if (turn.state.orphans.erase(heard.container) > 0 && heard.slot >= turn.state.slots.size()) return;
    auto& slot = turn.state.slots.at(heard.slot);
    if (slot.work != Work::removing) return;
    slot.work = Work::none;
    slot.changed = ++turn.state.changes;
    if (slot.record.container != heard.container) return drive(turn, slot);   // an orphan; listed again if it stayed
    if (!heard.outcome) return remove_failed(turn, slot, heard.outcome.error());
    forget_container(slot);
    slot.remove_failures = 0;
    if (slot.record.phase == SlotPhase::broken) slot.record.phase = SlotPhase::stopping;
    if (slot.record.phase != SlotPhase::stopping) turn.save(slot);
    drive(turn, slot);
}

void keep_standbys(Turn& turn) {
    auto& state = turn.state;
    const auto wanted = standbys_wanted(state);
    if (!wanted) return;
    std::uint32_t have = 0;
    std::uint32_t starting = 0;
    for (const auto& slot : state.slots) {
        have += is_standby(slot) ? 1 : 0;
        starting += slot.record.phase == SlotPhase::preparing ? 1 : 0;
    }
    for (auto& slot : state.slots) {
        if (have >= *wanted || starting >= state.policy.standbys_at_once || turn.now < state.standby_at) break;
        const bool free = slot.record.phase == SlotPhase::empty && slot.work == Work::none &&
                          slot.use == ContainerUse::none && slot.record.slot < state.setup.slots;
        if (!free) continue;
        slot.record.phase = SlotPhase::preparing;
        slot.record.text.clear();
        slot.port_tries = 0;
        slot.wait_until = turn.now;
        drive(turn, slot);
        ++have;
        ++starting;
    }
    for (auto slot = state.slots.rbegin(); slot != state.slots.rend() && have > *wanted; ++slot) {
        if (slot->record.phase != SlotPhase::prepared) continue;
        stop(turn, *slot, "more standbys than wanted");
        --have;
    }
}

}  // namespace berth::hostagent
