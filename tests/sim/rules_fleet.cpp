// SPDX-License-Identifier: Apache-2.0
// Rules of machines that are launched and ended, and of environments that are taken away.
#include <fmt/format.h>

#include "tests/sim/rules.hpp"

namespace berth::sim {

namespace {

// Each end is judged when the provider carries it out: drained by the ledger and empty, or nobody's.
struct EndedByPermit final : Rule {
    EndedByPermit() : Rule("I13") {}
    void moment(const Scene& scene) override {
        for (; judged_ < scene.truth.ends.size(); ++judged_) judge(scene, scene.truth.ends[judged_]);
    }

private:
    void judge(const Scene& scene, const EndCall& end) {
        for (const auto& [id, container] : scene.truth.containers) {
            require(container.machine != end.machine || !scene.truth.mounted(container),
                    fmt::format("{} is ended while {} runs {} there", end.machine, id.value, container.workspace.value));
        }
        const auto known = scene.model.hosts.find(end.host);
        if (known == scene.model.hosts.end() || known->second.incarnation != end.incarnation) return;   // an orphan
        require(known->second.drained || known->second.gone, fmt::format("{} is ended though it was not drained", end.machine));
        for (const auto& [slot, workspace] : scene.model.held) {
            require(slot.first != end.host || known->second.gone, fmt::format("{} is ended while {} is leased there", end.machine, workspace.value));
        }
    }
    std::size_t judged_ = 0;
};

struct OrphansAreOldAndFew final : Rule {
    OrphansAreOldAndFew() : Rule("I17") {}
    void moment(const Scene& scene) override {
        for (; judged_ < scene.truth.ends.size(); ++judged_) {
            const auto& end = scene.truth.ends[judged_];
            const auto known = scene.model.hosts.find(end.host);
            const bool accounted = known != scene.model.hosts.end() && known->second.incarnation == end.incarnation;
            if (accounted || !scene.world.clocks_were_right()) continue;
            require(!end.launch || !scene.model.launches.contains(*end.launch), fmt::format("{} is ended as an orphan while its launch {} is in flight", end.machine, end.launch ? end.launch->value : ""));
            const auto age = end.at - end.launched_at;
            require(age >= scene.options.reaper.orphan_grace, fmt::format("{} is ended as an orphan at the age of {}", end.machine, to_text(age)));
        }
    }

private:
    std::size_t judged_ = 0;
};

// Everything that a host takes away was ended by the ledger, by quiet, or by itself (I8, I12, I32).
struct StopsForCause final : Rule {
    StopsForCause() : Rule("I12") {}
    void moment(const Scene& scene) override {
        for (; judged_ < scene.truth.stops.size(); ++judged_) judge(scene, scene.truth.stops[judged_]);
    }

private:
    void judge(const Scene& scene, const StopMade& stop) {
        const auto* lease = scene.model.lease(stop.workspace, stop.epoch);
        if (!stop.ran || !lease || lease->ended != 0 || lease->ended_once) return;
        if (!stop.why.starts_with("idle:")) {
            const bool own = stop.why.find("environment ended") != std::string::npos || stop.why.starts_with("the start failed");
            require(own, fmt::format("{} stopped {} at epoch {} though its lease stands: {}", stop.machine, stop.workspace.value, stop.epoch.value, stop.why));
            return;
        }
        require(!stop.unreadable, fmt::format("I32: {} stopped {} for idleness, but its signals could not be read", stop.machine, stop.workspace.value));
        // With a perfect net the host knows of a hold soon after it was recorded.
        const auto& counted = scene.world.counted;
        const bool told = !counted.contains("cut") && !counted.contains("pause") && !counted.contains("drop") && !counted.contains("replay_late") &&
                          lease->held_at + Duration{15'000} < stop.at;
        require(!told || lease->hold_until <= stop.at || !scene.world.clocks_were_right(),
                fmt::format("I32: {} stopped {} for idleness though it is held until {}", stop.machine, stop.workspace.value, to_rfc3339(lease->hold_until)));
        const auto used = scene.truth.last_use.find(stop.workspace);
        if (used == scene.truth.last_use.end() || !scene.world.clocks_were_right()) return;
        require(used->second + scene.options.pool.idle_after_ms <= stop.at,
                fmt::format("I32: {} stopped {} for idleness {} after its last use", stop.machine, stop.workspace.value, to_text(stop.at - used->second)));
    }
    std::size_t judged_ = 0;
};

struct LinksOfLeasesThatStand final : Rule {
    LinksOfLeasesThatStand() : Rule("I9") {}
    void moment(const Scene& scene) override {
        for (; judged_ < scene.truth.links.size(); ++judged_) {
            const auto& link = scene.truth.links[judged_];
            const auto* lease = scene.model.lease(link.workspace, link.epoch);
            require(lease && lease->stopped == 0, fmt::format("a link for {} at epoch {}, which is over", link.workspace.value, link.epoch.value));
        }
    }

private:
    std::size_t judged_ = 0;
};

struct LaunchIsAFactFirst final : Rule {
    LaunchIsAFactFirst() : Rule("I31") {}
    void before(const Scene&, const FactRecord& record) override {
        if (const auto* fact = std::get_if<LaunchStarted>(&record.fact)) stated_.insert(fact->launch);
    }
    void moment(const Scene& scene) override {
        if (scene.truth.launched.size() == seen_) return;
        seen_ = scene.truth.launched.size();
        for (const auto& launch : scene.truth.launched) {
            require(stated_.contains(launch), fmt::format("instance for launch {}, which is no fact", launch.value));
        }
    }

private:
    std::set<LaunchId> stated_;
    std::size_t seen_ = 0;
};

}  // namespace

Rules fleet_rules() { return rules_of<EndedByPermit, OrphansAreOldAndFew, StopsForCause, LinksOfLeasesThatStand, LaunchIsAFactFirst>(); }

}  // namespace berth::sim
