// SPDX-License-Identifier: Apache-2.0
// What must be so once all faults have ended and the world had time to heal.
#include <fmt/format.h>

#include <algorithm>

#include "events/view.hpp"
#include "tests/sim/rules.hpp"

namespace berth::sim {

namespace {

constexpr Duration claim_slack{5'000};    // ticks between a deadline and its record

struct ClaimsEnd final : Rule {
    ClaimsEnd() : Rule("I7") {}
    void healed(const Scene& scene) override {
        if (!scene.world.clocks_were_right()) return;   // deadlines are of clocks that were wrong
        for (const auto& [id, claim] : scene.model.claims) {
            require(claim.ended != 0 || claim.asked.deadline + claim_slack > scene.world.now, fmt::format("claim {} of {} is open after its deadline", id.value, claim.asked.user.value));
        }
    }
};

struct ReplaySaysTheSame final : Rule {
    ReplaySaysTheSame() : Rule("I19") {}
    void healed(const Scene& scene) override {
        const auto once = scene.ledger.replay();
        View half;
        for (std::size_t index = 0; index < scene.ledger.size() / 2; ++index) apply(half, scene.ledger.at(index));
        auto restored = decode<View>(encode(half), trusted_limits);   // a snapshot
        require(restored.has_value(), "a snapshot can not be read");
        if (!restored) return;
        restored->reindex();
        for (std::size_t index = scene.ledger.size() / 2; index < scene.ledger.size(); ++index) apply(*restored, scene.ledger.at(index));
        require(state_hash(*restored) == state_hash(once), "a replay from a snapshot gives another state");
    }
};

struct Settles final : Rule {
    Settles() : Rule("I29") {}
    void healed(const Scene& scene) override {
        const auto view = scene.ledger.replay();
        for (const auto& [id, workspace] : view.workspaces) {
            const bool reachable = scene.truth.alive(Truth::machine(workspace.host, workspace.incarnation));
            const bool settled = workspace.state == WorkspaceState::active || workspace.state == WorkspaceState::stopped ||
                                 workspace.state == WorkspaceState::destroyed;
            const auto slot = scene.model.quarantined.find({workspace.host, workspace.slot});
            const bool aside = slot != scene.model.quarantined.end() && slot->second;
            require(settled || aside || scene.world.now - workspace.changed_at < Duration{30'000},
                    fmt::format("workspace {} is still {} since {} on {}{}", id.value, to_string(workspace.state), to_rfc3339(workspace.changed_at), workspace.host.value, reachable ? "" : " (dead)"));
            if (workspace.state != WorkspaceState::active || !reachable) continue;
            if (scene.world.clocks_were_right()) is_over(scene, workspace);
            bool runs = false;
            for (const auto& [name, container] : scene.truth.containers) {
                runs = runs || (scene.truth.mounted(container) && container.workspace == id && container.epoch == workspace.epoch);
            }
            for (const auto& stop : scene.truth.stops) {    // and its host has not said so yet
                runs = runs || (stop.workspace == id && stop.epoch == workspace.epoch && stop.at + a_report > scene.world.now);
            }
            require(runs, fmt::format("workspace {} is active by the ledger, but nothing runs it", id.value));
        }
    }

private:
    // Past its deadline, or quiet for its window and the time that an intent takes.
    void is_over(const Scene& scene, const WorkspaceView& workspace) {
        const auto now = scene.world.now;
        require(workspace.expires_at + late > now, fmt::format("the lease of {} ended at {}", workspace.workspace.value, to_rfc3339(workspace.expires_at)));
        const auto& pool = scene.options.pool;
        if (pool.idle_after_ms.count() == 0) return;
        auto since = std::max({workspace.changed_at, workspace.granted_at, workspace.hold_until.value_or(Instant{})});
        if (const auto used = scene.truth.last_use.find(workspace.workspace); used != scene.truth.last_use.end()) since = std::max(since, used->second);
        require(since + pool.idle_after_ms + late > now, fmt::format("{} is quiet since {} and runs", workspace.workspace.value, to_rfc3339(since)));
    }
    static constexpr Duration late{35'000};
    static constexpr Duration a_report{5'000};
};

struct NothingLeaks final : Rule {
    static constexpr Duration a_listing{10'000};

    NothingLeaks() : Rule("I29") {}
    void healed(const Scene& scene) override {
        for (const auto& [id, container] : scene.truth.containers) {
            if (!scene.truth.mounted(container)) continue;
            const auto current = scene.model.current.find(container.workspace);
            require(current != scene.model.current.end() && current->second == container.epoch,
                    fmt::format("{} runs {} at epoch {} and nobody holds that lease", id.value, container.workspace.value, container.epoch.value));
        }
        for (const auto& host : scene.hosts) {
            if (!host->up()) continue;
            // What an engine left behind on a slot that is in use waits until that use ends, and a listing more.
            std::map<std::uint32_t, std::string> in_use;
            for (const auto& slot : host->state().slots) in_use[slot.record.slot] = slot.record.container.value;
            for (const auto& stop : scene.truth.stops) {
                if (stop.machine == host->machine() && stop.at + a_listing > scene.world.now) in_use[stop.slot] = "stopped just now";
            }
            for (const auto& [id, container] : scene.truth.containers) {
                if (container.machine != host->machine()) continue;
                require(!in_use[container.slot].empty(), fmt::format("{} forgot {}", host->machine(), id.value));
            }
        }
    }
};

// Capacity is on target; no machine, launch or half-done shrink is left over.
struct FleetSettles final : Rule {
    FleetSettles() : Rule("I29") {}
    void healed(const Scene& scene) override {
        if (!scene.world.clocks_were_right()) return;         // ages and deadlines are of clocks that were wrong
        const auto now = scene.world.now;
        const auto view = scene.ledger.replay();
        for (const auto& [id, launch] : view.launches) {
            require(launch.deadline + settling > now, fmt::format("launch {} is in flight since {}", id.value, to_rfc3339(launch.started_at)));
        }
        std::uint32_t ready = 0, hosts = 0;
        for (const auto& [id, host] : view.hosts) {
            if (host.liveness == Liveness::gone) continue;
            ++hosts;
            const bool lives = scene.truth.alive(Truth::machine(id, host.incarnation));
            require(lives || host.changed_at + settling > now, fmt::format("{} is {} and {} since {}, but its machine is dead", id.value,
                                                                           to_string(host.liveness), to_string(host.admission), to_rfc3339(host.changed_at)));
            require(host.admission == Admission::open || host.changed_at + settling > now,
                    fmt::format("{} is {} since {}", id.value, to_string(host.admission), to_rfc3339(host.changed_at)));
            require(!lives || host.liveness == Liveness::live, fmt::format("{} lives, but is {}", id.value, to_string(host.liveness)));
            if (host.liveness != Liveness::live || host.admission != Admission::open) continue;
            if (scene.options.pool.buffer_unit == BufferUnit::slots) ready += host.count(SlotUse::free);
            else ready += host.idle() && host.count(SlotUse::free) > 0 ? 1 : 0;
        }
        const auto& pool = scene.options.pool;
        const bool full = ready >= pool.buffer || hosts + view.launches.size() >= pool.hosts_max || !view.launches.empty();
        require(full, fmt::format("{} {} are ready, the buffer is {}, and only {} of {} hosts exist", ready, to_string(pool.buffer_unit), pool.buffer, hosts, pool.hosts_max));
        for (const auto& [name, instance] : scene.instances) {
            const auto host = view.hosts.find({name});
            const bool kept = host != view.hosts.end() && host->second.incarnation == instance.incarnation && host->second.admission == Admission::open;
            const bool runs = instance.state == InstanceState::running && instance.launched_at + settling < now;
            require(!kept || !runs || instance.protected_from_scale_in, fmt::format("instance {} has no protection from scale-in (I18)", name));
        }
        look_for_strays(scene, view, now);
    }

private:
    static constexpr Duration settling{40'000};

    void look_for_strays(const Scene& scene, const View& view, Instant now) {
        if (scene.world.counted.contains("reached reaper orphans.breaker_open")) return;   // it waits for a person
        for (const auto& [name, instance] : scene.instances) {
            if (instance.state != InstanceState::running && instance.state != InstanceState::pending) continue;
            const auto host = view.hosts.find({name});
            const bool known = host != view.hosts.end() && host->second.incarnation == instance.incarnation;
            const bool flies = instance.launch && view.launches.contains(*instance.launch);
            const bool young = instance.launched_at + scene.options.reaper.orphan_grace + settling > now;
            require(known || flies || young, fmt::format("instance {} is nobody's and runs since {}", name, to_rfc3339(instance.launched_at)));
        }
    }
};

}  // namespace

Rules healing_rules() { return rules_of<ClaimsEnd, ReplaySaysTheSame, Settles, NothingLeaks, FleetSettles>(); }

}  // namespace berth::sim
