// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/model.hpp"

namespace berth::sim {

namespace {

class Fold {
public:
    Fold(Model& model, const FactRecord& record) : model_(model), at_(record.position.value), time_(record.at), why_(record.reason.why()) {}

    void operator()(const TookOver&) { model_.term = term_of(Position{at_}, time_); }
    void operator()(const LedgerDoubted&) { model_.doubted = true; }
    void operator()(const LedgerRecovered&) {
        model_.recovered = at_;
        model_.recovered_at = time_;
        model_.doubted = false;
    }
    void operator()(const PoolDefined& fact) { model_.pools[fact.pool] = fact; }
    void operator()(const ClaimAccepted& fact) {
        model_.claims[fact.claim] = ModelClaim{.asked = fact, .accepted = at_};
        model_.keys[{fact.principal, fact.key}] = fact.claim;
    }
    void operator()(const ClaimGranted& fact) {
        model_.claims[fact.claim].granted = fact;
        model_.claims[fact.claim].ended = at_;
    }
    void operator()(const ClaimDenied& fact) {
        model_.claims[fact.claim].denied = fact;
        model_.claims[fact.claim].ended = at_;
    }
    void operator()(const LeaseGranted& fact) {
        const SlotName slot{fact.host, fact.slot};
        model_.highest[slot] = fact.epoch;
        model_.held[slot] = fact.workspace;
        model_.current[fact.workspace] = fact.epoch;
        model_.newest[fact.workspace] = fact.epoch;
        model_.leases[{fact.workspace, fact.epoch}] = ModelLease{.slot = slot, .incarnation = fact.incarnation, .granted = at_,
                                                                           .user = fact.user, .project = fact.project, .granted_at = time_,
                                                                           .expires_at = fact.expires_at};
    }
    void operator()(const LeaseExtended& fact) { model_.leases[{fact.workspace, fact.epoch}].expires_at = fact.expires_at; }
    void operator()(const WorkspaceHeld& fact) {
        auto& lease = model_.leases[{fact.workspace, fact.epoch}];
        lease.hold_until = fact.until;
        lease.held_at = time_;
    }
    void operator()(const WorkspaceStarted& fact) {
        model_.leases[{fact.workspace, fact.epoch}].started = at_;
        model_.hosts[fact.host].failures = 0;
    }
    void operator()(const HostImpaired& fact) {
        model_.hosts[fact.host.host].impaired = !fact.text.empty();
        if (fact.text.empty()) model_.hosts[fact.host.host].failures = 0;
    }
    void operator()(const WorkspaceFailed& fact) {
        end(fact.workspace, fact.epoch);
        ++model_.hosts[fact.host].failures;
    }
    void operator()(const WorkspaceStopping& fact) { end(fact.workspace, fact.epoch); }
    void operator()(const WorkspaceStopped& fact) {
        model_.leases[{fact.workspace, fact.epoch}].stopped = at_;
        model_.held.erase({fact.host, fact.slot});
        model_.current.erase(fact.workspace);
    }
    void operator()(const WorkspaceDestroying& fact) {
        model_.destroyed[fact.workspace] = false;
        if (const auto at = model_.current.find(fact.workspace); at != model_.current.end()) end(fact.workspace, at->second);
    }
    void operator()(const HomeArchived& fact) { model_.archives[fact.workspace] = fact.archive; }
    void operator()(const WorkspaceDestroyed& fact) { model_.destroyed[fact.workspace] = true; }
    void operator()(const HostRegistered& fact) {
        auto& host = model_.hosts[fact.host];
        if (host.incarnation != fact.incarnation) {
            host = ModelHost{.incarnation = fact.incarnation, .live = true, .open = true};
            std::erase_if(model_.quarantined, [&](const auto& entry) { return entry.first.first == fact.host; });
        }
        host.pool = fact.pool;
        host.slots = std::max(host.slots, fact.slots);
        if (fact.launch) model_.launches.erase(*fact.launch);
    }
    void operator()(const HostCordoned& fact) { model_.hosts[fact.host.host].open = false; }
    void operator()(const HostUncordoned& fact) { model_.hosts[fact.host.host].open = true; }
    void operator()(const HostEnding&) {}          // the facts that follow from it say what changes
    void operator()(const HostEndWithdrawn&) {}
    void operator()(const HostSealing&) {}
    void operator()(const PoolRetired&) {}
    void operator()(const HostDrained& fact) {
        model_.hosts[fact.host.host].open = false;
        model_.hosts[fact.host.host].drained = true;
    }
    void operator()(const HostUnknown& fact) { model_.hosts[fact.host.host].live = false; }
    void operator()(const HostReturned& fact) { model_.hosts[fact.host.host].live = true; }
    void operator()(const HostGone& fact) {
        model_.hosts[fact.host.host].live = false;
        model_.hosts[fact.host.host].gone = true;
    }
    void operator()(const HostRecovered& fact) {
        model_.hosts[fact.host.host].met = at_;
        for (const auto& id : fact.displaced) {
            const auto at = model_.current.find(id);
            if (at == model_.current.end()) continue;
            end(id, at->second);
            const auto& lease = model_.leases[{id, at->second}];   // it may run until its host has heard; the slot waits for that
            model_.held.erase(lease.slot);
            model_.quarantined[lease.slot] = true;
            model_.current.erase(at);
        }
        for (const auto& held : fact.held) {
            const SlotName slot{fact.host.host, held.slot};
            model_.highest[slot] = held.epoch;
            model_.quarantined[slot] = held.wanted == Wanted::stopped;
            if (held.wanted == Wanted::stopped) {      // it ended in the lost part, or was given up
                if (model_.leases.contains({held.workspace, held.epoch})) end(held.workspace, held.epoch);
                continue;
            }
            model_.held[slot] = held.workspace;
            model_.current[held.workspace] = model_.newest[held.workspace] = held.epoch;
            model_.leases[{held.workspace, held.epoch}] = ModelLease{.slot = slot, .incarnation = fact.host.incarnation, .granted = at_,
                                                                     .user = held.user, .project = held.project, .granted_at = time_,
                                                                     .expires_at = held.expires_at};
        }
    }
    void operator()(const SlotQuarantined& fact) { model_.quarantined[{fact.host, fact.slot}] = true; }
    void operator()(const SlotCleared& fact) { model_.quarantined[{fact.host, fact.slot}] = false; }
    void operator()(const LaunchStarted& fact) { model_.launches[fact.launch] = fact; }
    void operator()(const LaunchFailed& fact) { model_.launches.erase(fact.launch); }
    void operator()(const LaunchMet& fact) { model_.launches.erase(fact.launch); }
    template <class Other>
    void operator()(const Other&) {}

private:
    void end(const WorkspaceId& workspace, Epoch epoch) {
        auto& lease = model_.leases[{workspace, epoch}];
        if (lease.ended != 0) return;
        lease.ended = at_;
        lease.why = why_;
    }

    Model& model_;
    std::uint64_t at_;
    Instant time_;
    const std::string& why_;
};

}  // namespace

void Model::apply(const FactRecord& record) {
    std::visit(Fold{*this, record}, record.fact);
    position = record.position.value;
}

void Model::remember_lost(const Model& before) {
    for (const auto& [name, lease] : before.leases) {
        const auto [at, lost] = leases.emplace(name, lease);
        at->second.lost = lost;
        at->second.ended_once = at->second.ended_once || lease.ended_once || lease.ended != 0;
    }
    for (const auto& [id, host] : before.hosts) {
        const auto known = hosts.find(id);
        if (known != hosts.end() && known->second.incarnation == host.incarnation) known->second.drained |= host.drained;
    }
}

const ModelLease* Model::lease(const WorkspaceId& workspace, Epoch epoch) const {
    const auto at = leases.find({workspace, epoch});
    return at == leases.end() ? nullptr : &at->second;
}

std::uint32_t Model::free_slots(const HostId& id) const {
    std::uint32_t free = 0;
    for (std::uint32_t slot = 0; slot < hosts.at(id).slots; ++slot) {
        const auto bad = quarantined.find({id, slot});
        const bool aside = bad != quarantined.end() && bad->second;
        if (!aside && !held.contains({id, slot})) ++free;
    }
    return free;
}

}  // namespace berth::sim
