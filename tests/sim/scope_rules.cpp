// SPDX-License-Identifier: Apache-2.0
// What must hold in every state of the small world, and what must be done when it is left in peace.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tests/sim/scope_world.hpp"

namespace berth::sim {

namespace {

/// The lease of the ledger that this container serves, if it serves one.
const WorkspaceView* lease_of(const View& view, const HostId& host, const ScopeHost::Container& container) {
    const auto at = view.workspaces.find(container.workspace);
    if (at == view.workspaces.end()) return nullptr;
    const auto& workspace = at->second;
    const bool holds = workspace.epoch == container.epoch && workspace.leased && workspace.host == host && workspace.slot == container.slot;
    return holds ? &workspace : nullptr;
}

std::string where(const HostId& host, const ContainerId& name, const ScopeHost::Container& container) {
    return fmt::format("{} on {} slot {}", name.value, host.value, container.slot);
}

/// A free slot that a waiting claim could have.
bool has_room(const View& view) {
    for (const auto& [id, host] : view.hosts) {
        if (host.liveness == Liveness::live && host.admission == Admission::open && host.count(SlotUse::free) > 0) return true;
    }
    return false;
}

}  // namespace

std::string broken_alone(const ScopeAllocator& allocator) {
    const auto& view = allocator.state.view;
    std::set<std::pair<HostId, std::uint32_t>> held;
    for (const auto& [id, workspace] : view.workspaces) {
        if (workspace.leased && !held.insert({workspace.host, workspace.slot}).second) return "I1: a slot has two leases";
    }
    for (const auto& [id, host] : view.hosts) {
        if (host.admission == Admission::draining && !host.idle()) return "I13: " + id.value + " is drained and holds a lease";
    }
    return {};
}

std::string broken_between(const ScopeAllocator& allocator, const ScopeHost& host) {
    const auto& view = allocator.state.view;
    const auto& id = host.state.setup.host;
    if (!host.alive) return {};
    for (const auto& [name, container] : host.containers) {
        if (container.workspace.empty()) continue;
        if (container.binds > 1) return "I2: " + where(id, name, container) + " was bound twice";
        const auto at = view.workspaces.find(container.workspace);
        if (at == view.workspaces.end() || at->second.epoch < container.epoch) return "I5: no durable fact granted " + where(id, name, container);
        if (lease_of(view, id, container) == nullptr) {
            return fmt::format("I10: {} runs {} at epoch {}, whose slot was freed", where(id, name, container), container.workspace.value, container.epoch.value);
        }
    }
    for (const auto& [workspace, route] : host.kv.routes) {
        const auto at = host.containers.find(route.container);
        if (at == host.containers.end()) continue;        // leads nowhere
        if (at->second.workspace != workspace) return fmt::format("I25: the route of {} leads to {}", workspace.value, where(id, at->first, at->second));
    }
    const auto known = view.hosts.find(id);
    if (known != view.hosts.end() && known->second.admission == Admission::draining && !host.kv.sealed) return "I13: " + id.value + " is drained and not sealed";
    return {};
}

std::string broken_between(const ScopeHost& one, const ScopeHost& other) {
    std::set<WorkspaceId> mounted;
    for (const auto* host : {&one, &other}) {
        for (const auto& [name, container] : host->containers) {
            if (container.workspace.empty()) continue;
            if (!mounted.insert(container.workspace).second) return fmt::format("I2: {} is mounted in two containers", container.workspace.value);
        }
    }
    return {};
}

std::string ScopeWorld::unsettled(ScopeState state) {
    constexpr int rounds = 4;
    constexpr int packets_max = 1'000;
    for (int round = 0; round < rounds; ++round) {
        state = take(state, {ScopeChoice::Kind::wait});
        for (int packet = 0; state.net.size() > 0; ++packet) {
            if (packet == packets_max) return "I29: packets without end";
            state = take(state, {ScopeChoice::Kind::deliver, 0});
        }
    }
    std::vector<const ScopeHost*> hosts;
    for (std::uint32_t number = 1; number <= limits_.hosts; ++number) hosts.push_back(&host(state, number));
    return undone(allocators_.at(state.allocator), hosts, state.now());
}

std::string undone(const ScopeAllocator& allocator, const std::vector<const ScopeHost*>& hosts, Instant now) {
    const auto& view = allocator.state.view;
    for (const auto& [id, claim] : view.claims) {
        const auto* own = view.workspace_of(claim.asked.user, claim.asked.project);
        const bool runs = own != nullptr && own->state == WorkspaceState::active;
        if (claim.open() && (claim.state == ClaimState::starting || runs || has_room(view))) return fmt::format("I7: claim {} is {} for ever", id.value, to_string(claim.state));
    }
    for (const auto& [id, workspace] : view.workspaces) {
        if (workspace.state == WorkspaceState::stopped) continue;
        if (workspace.state != WorkspaceState::active) return fmt::format("I29: {} is {} for ever", id.value, to_string(workspace.state));
        if (workspace.expires_at <= now) return fmt::format("I8: the lease of {} is over, and it runs", id.value);
        const auto& on = **std::find_if(hosts.begin(), hosts.end(), [&](const auto* each) { return each->state.setup.host == workspace.host; });
        const auto serves = [&](const auto& entry) { return entry.second.workspace == id; };
        if (std::none_of(on.containers.begin(), on.containers.end(), serves)) return fmt::format("I29: {} is active and nothing runs", id.value);
        if (!on.kv.routes.contains(id)) return fmt::format("I29: {} runs and has no route", id.value);
    }
    for (const auto* here : hosts) {
        if (!here->alive) continue;
        const auto& id = here->state.setup.host;
        for (const auto& slot : view.hosts.at(id).slots) {
            if (slot.use != SlotUse::free && slot.use != SlotUse::leased) return fmt::format("I29: a slot of {} is {} for ever", id.value, to_string(slot.use));
        }
        for (const auto& slot : here->state.slots) {
            const bool rests = slot.record.phase == SlotPhase::empty || slot.record.phase == SlotPhase::bound;
            if (!rests) return fmt::format("I29: slot {} of {} is {} for ever", slot.record.slot, id.value, to_string(slot.record.phase));
        }
        for (const auto& [name, container] : here->containers) {
            // A slot's folder is shared by all that stand on it: what came late waits until the slot is free.
            const auto& slot = here->state.slots.at(container.slot).record;
            if (container.workspace.empty() && !slot.container.empty() && slot.container != name) continue;
            if (lease_of(view, id, container) == nullptr) return "I29: nobody ends " + where(id, name, container);
        }
    }
    return {};
}

std::string ScopeWorld::result(const ScopeState& state) const {
    std::string text;
    const auto& view = allocators_.at(state.allocator).state.view;
    std::set<std::string> lines;          // the ids of workspaces bear positions; whose they are does not
    for (const auto& [id, claim] : view.claims) lines.insert(fmt::format("{} {}", claim.asked.key.value, to_string(claim.state)));
    for (const auto& [id, workspace] : view.workspaces) {
        lines.insert(fmt::format("{} {} {} {} epoch {}{}", workspace.user.value, to_string(workspace.state), workspace.host.value,
                                 workspace.leased ? fmt::format("slot {}", workspace.slot) : "", workspace.epoch.value,
                                 workspace.leased && workspace.expires_at <= state.now() ? " over" : ""));
    }
    for (const auto& [id, host] : view.hosts) lines.insert(fmt::format("{} {} {}", id.value, to_string(host.liveness), to_string(host.admission)));
    for (std::uint32_t number = 1; number <= limits_.hosts; ++number) {
        for (const auto& [name, container] : host(state, number).containers) {
            const auto at = view.workspaces.find(container.workspace);
            lines.insert(fmt::format("h-{} slot {} runs {} epoch {}", number, container.slot, at == view.workspaces.end() ? "nothing" : at->second.user.value,
                                     container.epoch.value));
        }
    }
    for (const auto& line : lines) text += line + "; ";
    return text;
}

}  // namespace berth::sim
