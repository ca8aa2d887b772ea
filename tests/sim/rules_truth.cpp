// SPDX-License-Identifier: Apache-2.0
// Rules of what truly is: containers that run, homes that are mounted, machines that live.
#include <fmt/format.h>

#include "tests/sim/rules.hpp"

namespace berth::sim {

namespace {

struct OneContainer final : Rule {
    OneContainer() : Rule("I2") {}
    void moment(const Scene& scene) override {
        std::map<WorkspaceId, ContainerId> homes;
        std::map<std::pair<std::string, std::uint32_t>, ContainerId> slots;
        for (const auto& [id, container] : scene.truth.containers) {
            require(container.binds <= 1, id.value + " was bound twice");
            if (!scene.truth.mounted(container)) continue;
            const auto home = homes.emplace(container.workspace, id);
            require(home.second, fmt::format("the home of {} is mounted in {} and in {}", container.workspace.value, home.first->second.value, id.value));
            const auto slot = slots.emplace(std::pair{container.machine, container.slot}, id);
            require(slot.second, fmt::format("slot {} of {} holds {} and {}", container.slot, container.machine, slot.first->second.value, id.value));
        }
    }
};

struct RunsWhatWasGranted final : Rule {
    RunsWhatWasGranted() : Rule("I5") {}
    void moment(const Scene& scene) override {
        for (const auto& [id, container] : scene.truth.containers) {
            if (!scene.truth.mounted(container)) continue;
            const auto* lease = scene.model.lease(container.workspace, container.epoch);
            require(lease, fmt::format("{} runs {} at epoch {}, which no durable fact granted", id.value, container.workspace.value, container.epoch.value));
            if (!lease) continue;
            const auto machine = Truth::machine(lease->slot.first, lease->incarnation);
            require(machine == container.machine && lease->slot.second == container.slot,
                    fmt::format("{} runs {} on {} slot {}, but the lease is of {} slot {}", id.value, container.workspace.value, container.machine, container.slot, machine, lease->slot.second));
        }
    }
};

struct StartedWasBound final : Rule {
    StartedWasBound() : Rule("I5") {}
    void before(const Scene& scene, const FactRecord& record) override {
        const auto* fact = std::get_if<WorkspaceStarted>(&record.fact);
        if (!fact) return;
        require(scene.truth.bound.contains({fact->container, fact->workspace, fact->epoch}),
                fmt::format("{} is said to have started at epoch {} in '{}', which never got it", fact->workspace.value, fact->epoch.value, fact->container.value));
    }
};

struct FreeMeansWiped final : Rule {
    FreeMeansWiped() : Rule("I10") {}
    void moment(const Scene& scene) override {
        for (const auto& [id, container] : scene.truth.containers) {
            if (!scene.truth.mounted(container)) continue;
            const auto* lease = scene.model.lease(container.workspace, container.epoch);
            require(!lease || lease->stopped == 0,
                    fmt::format("{} runs {} at epoch {}, whose slot was freed at position {}", id.value, container.workspace.value, container.epoch.value, lease ? lease->stopped : 0));
        }
    }
};

struct RoutesLeadHome final : Rule {
    RoutesLeadHome() : Rule("I25") {}
    void moment(const Scene& scene) override {
        for (const auto& host : scene.hosts) {
            if (!host->alive()) continue;
            for (const auto& [workspace, route] : host->kv().routes) {
                const auto* lease = scene.model.lease(workspace, route.epoch);
                require(lease && lease->stopped == 0, fmt::format("the route of {} at epoch {} on {} outlives its lease", workspace.value,
                                                                  route.epoch.value, host->machine()));
                const auto at = scene.truth.containers.find(route.container);
                if (at == scene.truth.containers.end()) continue;
                require(at->second.workspace == workspace && at->second.epoch == route.epoch,
                        fmt::format("the route of {} on {} leads to {}, bound to '{}'", workspace.value, host->machine(), route.container.value, at->second.workspace.value));
            }
        }
    }
};

struct GoneIsGone final : Rule {
    GoneIsGone() : Rule("I15") {}
    void before(const Scene& scene, const FactRecord& record) override {
        const auto* fact = std::get_if<HostGone>(&record.fact);
        if (!fact) return;
        const auto machine = Truth::machine(fact->host.host, fact->host.incarnation);
        require(!scene.truth.alive(machine), fmt::format("{} was called gone while it lives", machine));
    }
};

// Nothing is cleared before its archive is confirmed, unless its machine is gone or nobody wants its files any more.
struct ClearedIsArchived final : Rule {
    ClearedIsArchived() : Rule("homes") {}
    void before(const Scene& scene, const FactRecord& record) override {
        const auto* fact = std::get_if<WorkspaceStopped>(&record.fact);
        if (!fact || scene.options.pool.home_place != HomePlace::archive || scene.model.recovered != 0) return;
        const auto* lease = scene.model.lease(fact->workspace, fact->epoch);
        const auto host = scene.model.hosts.find(fact->host);
        const bool gone = host == scene.model.hosts.end() || host->second.gone || !scene.truth.alive(Truth::machine(fact->host, fact->incarnation));
        const auto written = scene.truth.written.find({fact->workspace, fact->epoch});
        if (!lease || gone || written == scene.truth.written.end() || scene.model.destroyed.contains(fact->workspace)) return;
        const auto archive = scene.model.archives.find(fact->workspace);
        const bool told = archive != scene.model.archives.end() && archive->second.epoch == fact->epoch && archive->second.last;
        require(told, fmt::format("the slot of {} at epoch {} was freed, and no fact says that its home is archived", fact->workspace.value, fact->epoch.value));
        if (!told) return;
        const auto snapshot = scene.truth.repository.find(archive->second.snapshot);
        require(snapshot != scene.truth.repository.end() && snapshot->second.content == written->second,
                fmt::format("{} wrote {} under epoch {}, but its last archive {} has {}", fact->workspace.value, written->second, fact->epoch.value,
                            archive->second.snapshot, snapshot == scene.truth.repository.end() ? 0 : snapshot->second.content));
    }
};

// What a start brings back is the newest archive that was confirmed, and of a first start nothing.
struct NewestComesBack final : Rule {
    NewestComesBack() : Rule("homes") {}
    void moment(const Scene& scene) override {
        for (; judged_ < scene.truth.begun.size(); ++judged_) {
            const auto& [workspace, epoch, content] = scene.truth.begun[judged_];
            if (scene.options.pool.home_place != HomePlace::archive || scene.model.recovered != 0) continue;
            const auto archive = scene.model.archives.find(workspace);
            const auto snapshot = archive == scene.model.archives.end() ? scene.truth.repository.end() : scene.truth.repository.find(archive->second.snapshot);
            const auto wanted = snapshot == scene.truth.repository.end() ? 0 : snapshot->second.content;
            require(content == wanted, fmt::format("{} began its epoch {} with the content {}, but {} was archived last", workspace.value, epoch.value, content, wanted));
        }
    }

private:
    std::size_t judged_ = 0;
};

struct EnginesObey final : Rule {
    EnginesObey() : Rule("I8") {}
    void moment(const Scene& scene) override { require(scene.truth.wrong.empty(), scene.truth.wrong); }
};

}  // namespace

Rules truth_rules() {
    return rules_of<OneContainer, RunsWhatWasGranted, StartedWasBound, FreeMeansWiped, RoutesLeadHome, GoneIsGone, ClearedIsArchived, NewestComesBack, EnginesObey>();
}

}  // namespace berth::sim
