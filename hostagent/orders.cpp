// SPDX-License-Identifier: Apache-2.0
// What the allocator says: orders for every slot, and commands as their fast path. Terms fence
// allocators (I4), epochs fence leases (I3); an exact repeat is answered with the first result.
#include <fmt/format.h>

#include <algorithm>

#include "events/ledger.hpp"
#include "hostagent/turn.hpp"

namespace berth::hostagent {

namespace {

Error fenced(std::string text) { return {ErrorKind::fenced, std::move(text)}; }

bool holds_user(SlotPhase phase) {
    return phase == SlotPhase::binding || phase == SlotPhase::bound || phase == SlotPhase::stopping ||
           phase == SlotPhase::broken;
}

/// Where the workspace is, or may still be, on this host.
const Slot* find_holder(const State& state, const WorkspaceId& workspace) {
    for (const auto& slot : state.slots) {
        if (slot.record.workspace == workspace && holds_user(slot.record.phase)) return &slot;
    }
    return nullptr;
}

Error not_saved(const Slot& slot) {
    return {ErrorKind::unavailable, fmt::format("the files of {} on slot {} are not archived yet", slot.record.workspace.value, slot.record.slot)};
}

/// Why a lease of a new epoch can not begin now, or nothing.
std::optional<Error> why_not(const State& state, const Slot& slot, const LeaseOrder& order) {
    if (!is_dns_label(order.workspace.value)) {
        return Error{ErrorKind::invalid, fmt::format("'{}' is no workspace id", order.workspace.value.substr(0, 63))};
    }
    if (state.sealed) {
        return Error{ErrorKind::conflict, fmt::format("host {} is sealed: it takes nothing new", state.setup.host.value)};
    }
    if (slot.record.phase == SlotPhase::broken) return Error{ErrorKind::conflict, slot.record.text};
    if (holds_unsaved(slot.record)) return not_saved(slot);
    if (state.erasing.contains(order.workspace)) {
        return Error{ErrorKind::unavailable, fmt::format("the home of {} is being erased", order.workspace.value)};
    }
    const auto* holder = find_holder(state, order.workspace);
    if (holder != nullptr && holder != &slot) {
        return Error{ErrorKind::unavailable, fmt::format("workspace {} is still on slot {}", order.workspace.value,
                                                         holder->record.slot)};
    }
    return std::nullopt;
}

Slot* find_slot(State& state, std::uint32_t slot) { return slot < state.slots.size() ? &state.slots[slot] : nullptr; }

/// Null and answered when the command may not be looked at.
template <class Command>
Slot* admit(Turn& turn, const Asked<Command>& asked, std::uint32_t number) {
    auto& state = turn.state;
    if (auto error = why_not_term(turn, asked.body.term)) {
        turn.refuse(asked.caller, std::move(*error));
        return nullptr;
    }
    auto* slot = find_slot(state, number);
    if (slot == nullptr) {
        turn.refuse(asked.caller, {ErrorKind::invalid, fmt::format("host {} has no slot {}; it has {}",
                                                                   state.setup.host.value, number, state.slots.size())});
    }
    return slot;
}

void refuse_epoch(Turn& turn, CallerId caller, const Slot& slot, Epoch epoch) {
    ++turn.state.counters.stale_epochs;
    turn.refuse(caller, fenced(fmt::format("slot {} has held epoch {}; epoch {} is over", slot.record.slot,
                                           slot.record.epoch.value, epoch.value)));
}

bool wait_for(Turn& turn, std::vector<CallerId>& callers, CallerId caller) {
    if (callers.size() >= turn.state.policy.callers_per_slot_max) {
        turn.refuse(caller, {ErrorKind::limit, "too many wait for the same slot; its first command is under way"});
        return false;
    }
    callers.push_back(caller);
    return true;
}

/// A lease that ended before this host ever heard that it began: now no late word can begin it (I9).
void fence_slot(Turn& turn, Slot& slot, Epoch epoch, const WorkspaceId& workspace) {
    auto& record = slot.record;
    const auto before = record.workspace;
    if (slot.use == ContainerUse::given) slot.use = ContainerUse::spoiled;
    if (!before.empty() && turn.state.routes.erase(before) > 0) turn.persist(DropRoute{before});
    record.epoch = epoch;
    record.workspace = workspace;
    record.user = {};
    record.project = {};
    record.hold_until.reset();
    record.bound_at.reset();
    take_home(slot, std::nullopt);
    slot.accepted_beat = turn.state.beats + 1;
    stop(turn, slot, "it was ended before it began here");
}

/// A lease of a later epoch is known while this one is not archived: it has to end first.
void stop_unsaved(Turn& turn, Slot& slot) {
    if (slot.record.phase == SlotPhase::binding || slot.record.phase == SlotPhase::bound) stop(turn, slot, "its slot has a later lease");
}

void take_discard(Turn& turn, Slot& slot, std::optional<bool> discard) {
    auto& home = slot.record.home;
    if (!discard.value_or(false) || !home || home->discard == discard) return;
    home->discard = discard;
    turn.persist(slot.record);
}

void confirm(Turn& turn, Slot& slot, const LeaseOrder& order) {
    auto& record = slot.record;
    slot.order = Order::running;
    if (record.home && order.home && (record.home->rule != order.home->rule || record.home->save_after != order.home->save_after)) {
        const bool same_place = record.home->rule.place == order.home->rule.place;   // a lease ends as it began
        if (same_place) record.home->rule = order.home->rule;
        record.home->save_after = order.home->save_after;
        turn.persist(record);
    }
    if (record.expires_at != order.expires_at || record.hold_until != order.hold_until) {
        record.expires_at = order.expires_at;
        record.hold_until = order.hold_until;
        turn.persist(record);
    }
    const auto route = turn.state.routes.find(record.workspace);
    if (route != turn.state.routes.end() &&
        route->second.confirmed_at + turn.state.policy.confirm_every <= turn.now) {
        route->second.confirmed_at = turn.now;
        turn.persist(route->second);
    }
    drive(turn, slot);
}

void obey(Turn& turn, const LeaseOrder& order) {
    auto& counters = turn.state.counters;
    auto* slot = find_slot(turn.state, order.slot);
    if (slot == nullptr) {
        ++counters.strange_orders;
        return;
    }
    const auto& record = slot->record;
    if (order.epoch < record.epoch) {
        ++counters.stale_epochs;
        return;
    }
    if (order.epoch > record.epoch) {
        if (!is_dns_label(order.workspace.value)) {
            ++counters.strange_orders;
        } else if (order.wanted == Wanted::running) {
            if (!why_not(turn.state, *slot, order)) accept(turn, *slot, order);
            else if (holds_unsaved(record)) stop_unsaved(turn, *slot);
        } else if (holds_unsaved(record)) {
            stop_unsaved(turn, *slot);
        } else if (record.phase != SlotPhase::broken) {
            fence_slot(turn, *slot, order.epoch, order.workspace);
        }
        return;
    }
    if (order.workspace != record.workspace) {
        if (record.phase != SlotPhase::empty || order.wanted == Wanted::running) ++counters.strange_orders;
        return;
    }
    const bool runs = record.phase == SlotPhase::binding || record.phase == SlotPhase::bound;
    if (order.home) take_discard(turn, *slot, order.home->discard);
    if (runs && order.wanted == Wanted::stopped) return stop(turn, *slot, "ordered to stop");
    if (runs) confirm(turn, *slot, order);
}

/// The answer to a heartbeat that told of this slot does not list it: nobody leases it.
void omit(Turn& turn, Slot& slot) {
    switch (slot.record.phase) {
        case SlotPhase::binding:
        case SlotPhase::bound: return stop(turn, slot, "no lease stands for it");
        case SlotPhase::stopped: {
            slot.record.phase = SlotPhase::empty;
            slot.record.workspace = {};
            slot.record.user = {};
            slot.record.project = {};
            slot.record.text.clear();
            take_home(slot, std::nullopt);
            return turn.save(slot);
        }
        case SlotPhase::empty:
        case SlotPhase::preparing:
        case SlotPhase::prepared:
        case SlotPhase::stopping:
        case SlotPhase::broken: return;
    }
}

}  // namespace

std::optional<Error> why_not_term(Turn& turn, Term term) {
    auto& state = turn.state;
    if (term == state.term) return std::nullopt;
    if (term < state.term) {
        ++state.counters.stale_terms;
        return fenced(fmt::format("term {} is over; host {} has seen term {}", term.value, state.setup.host.value, state.term.value));
    }
    // A true one begins after all that was ever shown here (F16).
    const auto seen = std::max(state.position_seen, begin_of(state.term));
    if (begin_of(term) <= seen && seen != Position{}) {
        ++state.counters.foreign_terms;
        return fenced(fmt::format("term {} begins at {}, but host {} has seen other facts up to {}: the ledger is an old copy; see docs/restore.md",
                                  term.value, begin_of(term).value, state.setup.host.value, seen.value));
    }
    state.term = term;
    turn.persist(term);
    return std::nullopt;
}

void hear(Turn& turn, const OrdersHeard& heard) {
    auto& state = turn.state;
    const auto& orders = heard.orders;
    if (const auto error = why_not_term(turn, orders.term)) {
        turn.out.notes.push_back({Severity::warning, "orders.stale", 0, {}, error->text});
        return;
    }
    state.position_seen = std::max(state.position_seen, orders.position);
    state.heard_at = turn.now;
    hear_homes(turn, orders);
    state.admission = orders.admission;
    state.standbys = orders.standbys;
    state.heartbeat = std::clamp(orders.heartbeat_ms, state.policy.heartbeat_min, state.policy.heartbeat_max);
    std::set<std::uint32_t> listed;
    for (const auto& order : orders.leases) listed.insert(order.slot);
    for (auto& slot : state.slots) {
        if (!listed.contains(slot.record.slot) && slot.accepted_beat <= heard.beat) omit(turn, slot);
    }
    for (const auto& order : orders.leases) obey(turn, order);
}

void hear(Turn& turn, const Asked<BindCommand>& asked) {
    const auto& [term, order, life, position] = asked.body;
    auto* slot = admit(turn, asked, order.slot);
    if (slot == nullptr) return;
    if (position) turn.state.position_seen = std::max(turn.state.position_seen, *position);
    if (life && *life != turn.state.setup.incarnation) {   // it was sent to a machine that bore this name before (I2)
        return turn.refuse(asked.caller, fenced(fmt::format("host {} lives its incarnation {}, not {}", turn.state.setup.host.value,
                                                            turn.state.setup.incarnation.value, life->value)));
    }
    const auto& record = slot->record;
    if (order.epoch < record.epoch || order.wanted != Wanted::running || order.workspace.empty()) {
        return refuse_epoch(turn, asked.caller, *slot, order.epoch);
    }
    if (order.epoch > record.epoch) {
        if (const auto error = why_not(turn.state, *slot, order)) {
            turn.refuse(asked.caller, *error);
            if (holds_unsaved(record)) stop_unsaved(turn, *slot);
            return;
        }
        accept(turn, *slot, order);
        wait_for(turn, slot->bind_callers, asked.caller);
        return;
    }
    const bool repeat = record.workspace == order.workspace && record.user == order.user &&
                        record.project == order.project;
    if (!repeat) return refuse_epoch(turn, asked.caller, *slot, order.epoch);
    switch (record.phase) {
        case SlotPhase::bound:
            return turn.reply(asked.caller, bound_reply(turn.state.setup, record));
        case SlotPhase::binding:
            slot->order = Order::running;
            if (wait_for(turn, slot->bind_callers, asked.caller)) drive(turn, *slot);
            return;
        case SlotPhase::stopping:
        case SlotPhase::stopped:
        case SlotPhase::broken: return turn.refuse(asked.caller, ended_error(*slot));
        case SlotPhase::empty:
        case SlotPhase::preparing:
        case SlotPhase::prepared: return refuse_epoch(turn, asked.caller, *slot, order.epoch);
    }
}

void hear(Turn& turn, const Asked<StopCommand>& asked) {
    const auto& command = asked.body;
    auto* slot = admit(turn, asked, command.slot);
    if (slot == nullptr) return;
    const auto& record = slot->record;
    if (command.epoch < record.epoch) return refuse_epoch(turn, asked.caller, *slot, command.epoch);
    if (record.phase == SlotPhase::broken) return turn.refuse(asked.caller, {ErrorKind::internal, record.text});
    if (command.epoch > record.epoch) {
        if (!is_dns_label(command.workspace.value)) {
            return turn.refuse(asked.caller, {ErrorKind::invalid, fmt::format("'{}' is no workspace id", command.workspace.value.substr(0, 63))});
        }
        if (holds_unsaved(record)) {
            turn.refuse(asked.caller, not_saved(*slot));
            return stop_unsaved(turn, *slot);
        }
        if (!wait_for(turn, slot->stop_callers, asked.caller)) return;
        return fence_slot(turn, *slot, command.epoch, command.workspace);
    }
    if (!record.workspace.empty() && record.workspace != command.workspace) {
        return refuse_epoch(turn, asked.caller, *slot, command.epoch);
    }
    take_discard(turn, *slot, command.discard);
    switch (record.phase) {
        case SlotPhase::binding:
        case SlotPhase::bound:
            slot->stop_callers.push_back(asked.caller);
            return stop(turn, *slot, "ordered to stop");
        case SlotPhase::stopping:
            if (record.workspace.empty()) break;   // an environment without a user, on its way out
            wait_for(turn, slot->stop_callers, asked.caller);
            return;
        case SlotPhase::empty:
        case SlotPhase::preparing:
        case SlotPhase::prepared:
        case SlotPhase::stopped:
        case SlotPhase::broken: break;
    }
    turn.reply(asked.caller, StopReply{record.slot, record.epoch, record.archive});
}

void hear(Turn& turn, const Asked<LinkCommand>& asked) {
    const auto& command = asked.body;
    auto* slot = admit(turn, asked, command.slot);
    if (slot == nullptr) return;
    const auto& record = slot->record;
    if (command.epoch != record.epoch || command.workspace != record.workspace) {
        return refuse_epoch(turn, asked.caller, *slot, command.epoch);
    }
    if (record.phase != SlotPhase::bound) {
        return turn.refuse(asked.caller, {ErrorKind::unavailable, fmt::format("workspace {} is {} on slot {}; ask again",
                                                                              record.workspace.value,
                                                                              to_string(record.phase), record.slot)});
    }
    turn.reply(asked.caller, LinkWanted{record.workspace, record.epoch, record.user, record.slot});
}

void hear(Turn& turn, const Asked<EraseCommand>& asked) {
    auto& state = turn.state;
    const auto& workspace = asked.body.workspace;
    if (auto error = why_not_term(turn, asked.body.term)) return turn.refuse(asked.caller, std::move(*error));
    if (const auto* holder = find_holder(state, workspace)) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("workspace {} is on slot {}; its home is in use",
                                                                           workspace.value, holder->record.slot)});
    }
    const auto under_way = state.erasing.find(workspace);
    if (under_way != state.erasing.end()) {
        wait_for(turn, under_way->second, asked.caller);
        return;
    }
    if (state.erasing.size() >= state.policy.erases_max) {
        return turn.refuse(asked.caller, {ErrorKind::unavailable, fmt::format("{} homes are being erased; ask again",
                                                                              state.erasing.size())});
    }
    state.erasing[workspace].push_back(asked.caller);
    turn.operate(EraseOrder{workspace, state.setup.homes + "/" + workspace.value, asked.body.home});
}

void hear(Turn& turn, const Erased& heard) {
    const auto found = turn.state.erasing.extract(heard.workspace);
    if (found.empty()) return;
    turn.out.notes.push_back({heard.outcome ? Severity::info : Severity::warning, "home.erased", 0, heard.workspace,
                              heard.outcome ? "" : turn.cut(heard.outcome.error().text)});
    for (const auto caller : found.mapped()) {
        if (heard.outcome) {
            turn.reply(caller, EraseReply{heard.workspace});
        } else {
            turn.refuse(caller, heard.outcome.error());
        }
    }
}

void hear(Turn& turn, const Asked<SealCommand>& asked) {
    auto& state = turn.state;
    if (auto error = why_not_term(turn, asked.body.term)) return turn.refuse(asked.caller, std::move(*error));
    if (asked.body.incarnation != state.setup.incarnation) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("host {} lives its incarnation {}, not {}",
                                                                           state.setup.host.value,
                                                                           state.setup.incarnation.value,
                                                                           asked.body.incarnation.value)});
    }
    if (!state.sealed) {
        state.sealed = true;
        turn.persist(PutSealed{});
        turn.out.notes.push_back({Severity::info, "host.sealed", 0, {}, ""});
    }
    SealReply reply{.incarnation = state.setup.incarnation};
    for (const auto& slot : state.slots) {
        if (!slot.record.workspace.empty() && holds_user(slot.record.phase)) ++reply.occupied;
    }
    turn.reply(asked.caller, reply);
}

}  // namespace berth::hostagent
