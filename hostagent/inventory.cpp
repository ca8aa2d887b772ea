// SPDX-License-Identifier: Apache-2.0
// What is really there: the memory and the engine's list, compared at start and again each period.
// The agent's own death must never disturb a user: what is bound and runs is left as it is.
#include <fmt/format.h>

#include <map>

#include "base/check.hpp"
#include "hostagent/turn.hpp"

namespace berth::hostagent {

namespace {

using FoundById = std::map<ContainerId, FoundContainer>;

FoundById by_id(const std::vector<FoundContainer>& found) {
    FoundById result;
    for (const auto& container : found) result.emplace(container.container, container);
    return result;
}

/// Takes away what no record names. A slot's folder is shared by all that ever stood on it, so
/// nothing is removed from a slot on which something else stands.
void remove_orphans(Turn& turn, const std::vector<FoundContainer>& found, std::uint64_t mark) {
    auto& state = turn.state;
    for (const auto& container : found) {
        const RemoveOrder order{container.slot, container.container, state.policy.remove_deadline, state.policy.stop_grace};
        if (container.slot >= state.slots.size()) {
            if (!state.orphans.insert(container.container).second) continue;
            ++state.counters.orphans;
            turn.operate(order);
            continue;
        }
        auto& slot = state.slots[container.slot];
        if (slot.record.container == container.container || slot.changed > mark || slot.work != Work::none) continue;
        ++state.counters.orphans;
        if (!slot.record.container.empty()) {
            turn.note(Severity::warning, "slot.two_containers", slot, container.container.value);
            continue;
        }
        turn.note(Severity::warning, "slot.orphan", slot, container.container.value);
        slot.work = Work::removing;
        slot.changed = ++state.changes;
        turn.operate(order);
    }
}

bool runs(const FoundById& found, const SlotRecord& record) {
    const auto at = found.find(record.container);
    return at != found.end() && at->second.health != Health::exited;   // one that is paused has not ended
}

std::string how_it_ended(const FoundById& found, const SlotRecord& record) {
    const auto at = found.find(record.container);
    if (at == found.end()) return fmt::format("{} is not there", record.container.value);
    return fmt::format("{} has exited{}{}", record.container.value, at->second.told.empty() ? "" : ": ", at->second.told);
}

void note_incident(Turn& turn, Slot& slot, const FoundById& found) {
    const auto at = found.find(slot.record.container);
    if (slot.record.phase != SlotPhase::bound || at == found.end()) return;
    const auto told = turn.cut(at->second.told);
    if (told == slot.incident) return;
    turn.note(Severity::warning, told.empty() ? "slot.incident_over" : "slot.incident", slot, told.empty() ? slot.incident : told);
    slot.incident = told;
    turn.out.beat = true;
    show_notice(turn, slot);
}

void recover_slot(Turn& turn, Slot& slot, const FoundById& found) {
    const auto& record = slot.record;
    slot.use = record.container.empty() ? ContainerUse::none : ContainerUse::spoiled;
    switch (record.phase) {
        case SlotPhase::bound:
            if (runs(found, record)) {
                slot.use = ContainerUse::given;
                home_was_bound(turn, slot);
                return;
            }
            return container_ended(turn, slot, how_it_ended(found, record));
        case SlotPhase::prepared:
            if (runs(found, record)) {
                slot.use = ContainerUse::ready;
                return;
            }
            return stop(turn, slot, how_it_ended(found, record));
        case SlotPhase::preparing: return stop(turn, slot, "the agent ended while it was prepared");
        case SlotPhase::binding:   // given half, perhaps: never again (I2)
            slot.restarts = 1;
            return drive(turn, slot);
        case SlotPhase::broken:
        case SlotPhase::stopping: return drive(turn, slot);
        case SlotPhase::empty:
        case SlotPhase::stopped:
            check(record.container.empty(), "a slot that is empty or stopped names no container");
            return;
    }
}

void recover_routes(Turn& turn) {
    auto& state = turn.state;
    std::map<WorkspaceId, RouteRecord> right;
    for (const auto& slot : state.slots) {
        const auto& record = slot.record;
        if (record.phase != SlotPhase::bound) continue;
        const auto known = state.routes.find(record.workspace);
        auto route = route_of(state.setup, record, record.bound_at.value_or(turn.now));
        if (known != state.routes.end() && known->second.epoch == record.epoch) {
            route.confirmed_at = known->second.confirmed_at;
        }
        if (known == state.routes.end() || known->second != route) turn.persist(route);
        right.emplace(record.workspace, route);
    }
    for (const auto& [workspace, route] : state.routes) {
        if (!right.contains(workspace)) turn.persist(DropRoute{workspace});
    }
    state.routes = std::move(right);
}

}  // namespace

void hear(Turn& turn, const Recovered& heard) {
    auto& state = turn.state;
    state.heard_at = turn.now;
    state.term = heard.term;
    state.sealed = heard.sealed;
    state.position_seen = state.position_kept = heard.position;
    for (const auto& route : heard.routes) state.routes.emplace(route.workspace, route);
    for (const auto& record : heard.records) {
        while (state.slots.size() <= record.slot) {
            state.slots.push_back({.record = {.slot = static_cast<std::uint32_t>(state.slots.size())}});
        }
        state.slots[record.slot].record = record;
    }
    const auto found = by_id(heard.found);
    remove_orphans(turn, heard.found, state.changes);
    for (auto& slot : state.slots) recover_slot(turn, slot, found);
    recover_routes(turn);
    state.list_at = turn.now + state.policy.inventory_every;
}

void list_when_due(Turn& turn) {
    auto& state = turn.state;
    if (state.listing || turn.now < state.list_at) return;
    state.listing = true;
    state.list_at = turn.now + state.policy.inventory_every;
    turn.operate(ListOrder{state.changes});
}

void hear(Turn& turn, const Listed& heard) {
    auto& state = turn.state;
    state.listing = false;
    if (!heard.found) {
        turn.out.notes.push_back({Severity::warning, "engine.silent", 0, {}, turn.cut(heard.found.error().text)});
        return;
    }
    const auto found = by_id(*heard.found);
    for (auto& slot : state.slots) {
        if (slot.work != Work::none || slot.changed > heard.mark) continue;
        const bool should_run = slot.record.phase == SlotPhase::bound || slot.record.phase == SlotPhase::prepared;
        if (should_run && !runs(found, slot.record)) container_ended(turn, slot, how_it_ended(found, slot.record));
        else note_incident(turn, slot, found);
    }
    remove_orphans(turn, *heard.found, heard.mark);
}

}  // namespace berth::hostagent
