// SPDX-License-Identifier: Apache-2.0
// Rules of the ledger alone: what no fact may say after the facts before it.
#include <fmt/format.h>

#include "tests/sim/rules.hpp"

namespace berth::sim {

namespace {

std::string at(const FactRecord& record) { return fmt::format(" (position {}, {})", record.position.value, type_of(record.fact)); }

struct OneLease final : Rule {
    OneLease() : Rule("I1") {}
    void before(const Scene& scene, const FactRecord& record) override {
        const auto* fact = std::get_if<LeaseGranted>(&record.fact);
        if (!fact) return;
        require(!scene.model.held.contains({fact->host, fact->slot}), fmt::format("slot {} of {} is leased twice", fact->slot, fact->host.value) + at(record));
        require(!scene.model.current.contains(fact->workspace), fmt::format("workspace {} has two leases", fact->workspace.value) + at(record));
    }
};

struct EpochsGrow final : Rule {
    EpochsGrow() : Rule("I3") {}
    void before(const Scene& scene, const FactRecord& record) override {
        const auto* fact = std::get_if<LeaseGranted>(&record.fact);
        if (!fact) return;
        const auto highest = scene.model.highest.find({fact->host, fact->slot});
        require(highest == scene.model.highest.end() || fact->epoch > highest->second, "an epoch did not grow" + at(record));
    }
};

struct OneWriter final : Rule {
    OneWriter() : Rule("I4") {}
    void before(const Scene& scene, const FactRecord& record) override {
        const bool jumps = std::holds_alternative<LedgerRecovered>(record.fact) && record.position.value > scene.model.position;
        require(jumps || record.position.value == scene.model.position + 1, "positions have a gap" + at(record));
        const bool begins = std::holds_alternative<TookOver>(record.fact);
        require(record.term == (begins ? term_of(record.position, record.at) : scene.model.term), "a fact of a term that is over" + at(record));
    }
};

struct EndsForReason final : Rule {
    EndsForReason() : Rule("I8") {}
    void before(const Scene& scene, const FactRecord& record) override {
        const auto* fact = std::get_if<WorkspaceStopped>(&record.fact);
        if (!fact) return;
        const auto* lease = scene.model.lease(fact->workspace, fact->epoch);
        require(lease && lease->ended != 0, "a lease ended without a recorded end" + at(record));
    }
};

struct DeadlinesHold final : Rule {
    DeadlinesHold() : Rule("I8") {}
    void before(const Scene& scene, const FactRecord& record) override {
        if (const auto* fact = std::get_if<LeaseExtended>(&record.fact)) {
            const auto* lease = scene.model.lease(fact->workspace, fact->epoch);
            require(lease && fact->expires_at >= lease->expires_at, "a deadline moved back" + at(record));
        }
        const auto* fact = std::get_if<WorkspaceStopping>(&record.fact);
        if (!fact || record.reason.why() != "its lease expired") return;
        const auto* lease = scene.model.lease(fact->workspace, fact->epoch);
        require(lease && lease->expires_at <= record.at, "a lease was ended before its deadline" + at(record));
    }
};

struct FreedByItsOwn final : Rule {
    FreedByItsOwn() : Rule("I10") {}
    void before(const Scene& scene, const FactRecord& record) override {
        if (const auto* fact = std::get_if<WorkspaceStopped>(&record.fact)) {
            const auto* lease = scene.model.lease(fact->workspace, fact->epoch);
            require(lease && lease->stopped == 0 && lease->slot == SlotName{fact->host, fact->slot} && lease->incarnation == fact->incarnation,
                    "a slot was freed by another than its lease" + at(record));
        }
        if (const auto* fact = std::get_if<HostRegistered>(&record.fact)) {
            const auto known = scene.model.hosts.find(fact->host);
            if (known == scene.model.hosts.end() || known->second.incarnation == fact->incarnation) return;
            for (const auto& [slot, workspace] : scene.model.held) {
                require(slot.first != fact->host, "a new incarnation while the old one holds a lease" + at(record));
            }
        }
    }
};

struct DrainedIsEmpty final : Rule {
    DrainedIsEmpty() : Rule("I13") {}
    void before(const Scene& scene, const FactRecord& record) override {
        const auto* fact = std::get_if<HostDrained>(&record.fact);
        if (!fact) return;
        for (const auto& [slot, workspace] : scene.model.held) {
            require(slot.first != fact->host.host, fmt::format("{} was drained while {} held a lease there", fact->host.host.value, workspace.value) + at(record));
        }
    }
};

struct GrantsOnOpenHosts final : Rule {
    GrantsOnOpenHosts() : Rule("I14") {}
    void before(const Scene& scene, const FactRecord& record) override {
        const auto* fact = std::get_if<LeaseGranted>(&record.fact);
        if (!fact) return;
        const auto host = scene.model.hosts.find(fact->host);
        const bool takes = host != scene.model.hosts.end() && host->second.live && host->second.open && !host->second.gone &&
                           host->second.incarnation == fact->incarnation;
        require(takes, fmt::format("a grant on {}, which takes none", fact->host.value) + at(record));
        const auto bad = scene.model.quarantined.find({fact->host, fact->slot});
        require(bad == scene.model.quarantined.end() || !bad->second, "a grant of a quarantined slot" + at(record));
    }
};

// "No capacity" is true only if at some moment of the claim no eligible slot was free. Eligible are
// hosts that this allocator has heard, and that do not fail again and again.
struct NoCapacityIsTrue final : Rule {
    NoCapacityIsTrue() : Rule("I11") {}
    void before(const Scene& scene, const FactRecord& record) override {
        if (const auto* fact = std::get_if<ClaimDenied>(&record.fact); fact && fact->kind == ErrorKind::no_capacity) {
            const auto claim = scene.model.claims.find(fact->claim);
            if (claim == scene.model.claims.end()) return;
            const auto& pool = claim->second.asked.pool;
            const auto full = full_at_.find(pool);
            require(is_full(scene, pool, record.at) || (full != full_at_.end() && full->second >= claim->second.accepted),
                    fmt::format("claim {} was told 'no capacity' though a slot was free all the time", fact->claim.value) + at(record));
        }
        look(scene);
    }
    void moment(const Scene& scene) override { look(scene); }

private:
    void look(const Scene& scene) {
        for (const auto& [pool, defined] : scene.model.pools) {
            if (is_full(scene, pool, scene.world.now)) full_at_[pool] = scene.model.position;
        }
    }
    static bool is_full(const Scene& scene, const PoolName& pool, Instant now) {
        constexpr std::uint32_t failures_max = 3;
        const auto& model = scene.model;
        if (model.doubted || (model.recovered != 0 && now <= model.recovered_at + scene.options.allocator.recovery_settle)) return true;
        for (const auto& [id, host] : model.hosts) {
            if (!host.gone && host.met < model.recovered) return true;   // it may run what the ledger takes for stopped
        }
        for (const auto& [id, host] : scene.model.hosts) {
            const bool eligible = host.pool == pool && host.live && host.open && !host.gone && host.failures < failures_max && !host.impaired &&
                                  scene.is_heard({id, host.incarnation}, now);
            if (eligible && scene.model.free_slots(id) > 0) return false;
        }
        return true;
    }
    std::map<PoolName, std::uint64_t> full_at_;
};

struct HasReason final : Rule {
    HasReason() : Rule("I33") {}
    void before(const Scene&, const FactRecord& record) override {
        require(!record.reason.why().empty() && !record.reason.actor().empty() && !record.reason.policy().empty(), "a fact without a reason" + at(record));
    }
};

struct LaunchesWithinCaps final : Rule {
    LaunchesWithinCaps() : Rule("I31") {}
    void before(const Scene& scene, const FactRecord& record) override {
        const auto* fact = std::get_if<LaunchStarted>(&record.fact);
        if (!fact) return;
        std::uint32_t used = 1;
        for (const auto& [id, host] : scene.model.hosts) used += host.pool == fact->pool && !host.gone ? 1 : 0;
        for (const auto& [id, launch] : scene.model.launches) used += launch.pool == fact->pool ? 1 : 0;
        const auto pool = scene.model.pools.find(fact->pool);
        require(pool != scene.model.pools.end() && used <= pool->second.hosts_max, fmt::format("{} hosts and launches, above the pool's maximum", used) + at(record));
    }
};

struct OneOutcome final : Rule {
    OneOutcome() : Rule("I6") {}
    void before(const Scene& scene, const FactRecord& record) override {
        if (const auto* fact = std::get_if<ClaimAccepted>(&record.fact)) {
            require(!scene.model.keys.contains({fact->principal, fact->key}), fmt::format("key {} of {} was accepted twice", fact->key.value, fact->principal.value) + at(record));
        }
        const auto ends = [&](const ClaimId& id) {
            const auto claim = scene.model.claims.find(id);
            require(claim != scene.model.claims.end() && claim->second.ended == 0, fmt::format("claim {} ended twice", id.value) + at(record));
        };
        if (const auto* fact = std::get_if<ClaimGranted>(&record.fact)) ends(fact->claim);
        if (const auto* fact = std::get_if<ClaimDenied>(&record.fact)) ends(fact->claim);
    }
};

}  // namespace

Rules ledger_rules() {
    return rules_of<OneLease, EpochsGrow, OneWriter, EndsForReason, DeadlinesHold, FreedByItsOwn, DrainedIsEmpty,
                    GrantsOnOpenHosts, NoCapacityIsTrue, HasReason, LaunchesWithinCaps, OneOutcome>();
}

}  // namespace berth::sim
