// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scope.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/hash.hpp"
#include "tests/sim/scope_world.hpp"

namespace berth::sim {

// ---- what must hold in every state

std::string ScopeWorld::broken() const {
    const auto& view = allocator_.view;
    std::map<WorkspaceId, std::string> mounted;
    for (const auto& [id, host] : hosts_) {
        for (const auto& [name, container] : host.containers) {
            if (container.workspace.empty()) continue;
            const auto where = fmt::format("{} on {} slot {}", name.value, id.value, container.slot);
            if (container.binds > 1) return "I2: " + where + " was bound twice";
            const auto [other, fresh] = mounted.emplace(container.workspace, where);
            if (!fresh) return fmt::format("I2: {} is mounted in {} and in {}", container.workspace.value, other->second, where);
            const auto at = view.workspaces.find(container.workspace);
            if (at == view.workspaces.end() || at->second.epoch < container.epoch) return "I5: no durable fact granted " + where;
            const auto& workspace = at->second;
            const bool holds = workspace.epoch == container.epoch && workspace.leased && workspace.host == id && workspace.slot == container.slot;
            if (!holds) return fmt::format("I10: {} runs {} at epoch {}, whose slot was freed", where, container.workspace.value, container.epoch.value);
        }
    }
    std::set<std::pair<HostId, std::uint32_t>> held;
    for (const auto& [id, workspace] : view.workspaces) {
        if (workspace.leased && !held.insert({workspace.host, workspace.slot}).second) return "I1: a slot has two leases";
    }
    for (const auto& [id, host] : view.hosts) {
        if (host.admission == Admission::draining && !host.idle()) return "I13: " + id.value + " is drained and holds a lease";
    }
    return {};
}

std::uint64_t ScopeWorld::fingerprint() const {
    std::string text = encode(allocator_.view);
    const auto add = [&](const auto&... parts) { ((text += fmt::format("{}|", parts)), ...); };
    for (const auto& [id, pending] : allocator_.commands) add(id, to_string(pending.kind), pending.workspace.value, pending.epoch.value);
    for (const auto& [workspace, command] : allocator_.driving) add(workspace.value, command);
    for (const auto& [at, workspace] : allocator_.due) add(at.time_since_epoch().count(), workspace.value);
    for (const auto& [id, seen] : allocator_.seen) add(id.value, hash_of(encode(seen.beat)));
    for (const auto& [id, host] : hosts_) {
        add(id.value, host.life, host.alive, host.state.term.value, host.state.sealed, host.state.beats);
        for (const auto& slot : host.state.slots) {
            const auto& record = slot.record;
            add(to_string(record.phase), record.epoch.value, record.workspace.value, record.container.value, to_string(slot.work), to_string(slot.use),
                to_string(slot.order), slot.accepted_beat, slot.bind_callers.size(), slot.stop_callers.size(), slot.restarts);
        }
        for (const auto& [number, record] : host.kv.slots) add(number, to_string(record.phase), record.epoch.value, record.workspace.value);
        for (const auto& [name, container] : host.containers) add(name.value, container.workspace.value, container.epoch.value);
        for (const auto& [caller, command] : host.callers) add(caller, command);
    }
    std::vector<std::string> names;
    for (const auto& flying : net_) names.push_back(flying.name + (flying.may_be_lost ? "" : "!"));
    std::sort(names.begin(), names.end());
    for (const auto& name : names) add(name);
    add(limits_.drops, limits_.duplicates, limits_.crashes, limits_.ends, limits_.drains, waits_, now_.time_since_epoch().count(), released_);
    return hash_of(text);
}

// ---- all of it

ScopeOutcome explore(const ScopeLimits& limits) {
    ScopeOutcome outcome;
    struct Open {
        ScopeWorld world;
        std::vector<ScopeWorld::Choice> choices;
        std::size_t next = 0;
        std::string name;
    };
    std::unordered_set<std::uint64_t> seen;
    std::vector<Open> path;
    const auto enter = [&](ScopeWorld world, std::string name) {
        if (!seen.insert(world.fingerprint()).second) return;
        auto choices = world.choices();
        if (choices.empty()) ++outcome.ends;
        const auto rule = world.broken();
        path.push_back({std::move(world), std::move(choices), 0, std::move(name)});
        if (rule.empty()) return;
        outcome.broken = rule;
        for (const auto& step : path) outcome.broken += "\n    " + step.name;
    };
    enter(ScopeWorld{limits}, "the beginning");
    while (!path.empty() && outcome.broken.empty() && seen.size() < limits.states_max) {
        auto& here = path.back();
        if (here.next == here.choices.size()) {
            path.pop_back();
            continue;
        }
        const auto& choice = here.choices[here.next++];
        auto world = here.world;
        world.take(choice);
        ++outcome.steps;
        enter(std::move(world), choice.name);
    }
    outcome.states = seen.size();
    outcome.complete = path.empty() && outcome.broken.empty();
    return outcome;
}

}  // namespace berth::sim
