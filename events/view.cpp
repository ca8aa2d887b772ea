// SPDX-License-Identifier: Apache-2.0
#include "events/view.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "events/codec.hpp"

namespace berth {

namespace {

constexpr std::uint64_t forget_every = 1024;  // positions between two sweeps of what may be forgotten

// One overload per fact; `at_` and `position_` are those of the record.
class Applier {
public:
    Applier(View& view, const FactRecord& record)
        : view_(view), at_(record.at), position_(record.position), reason_(record.reason) {}

    void operator()(const TookOver& fact) {
        check(view_.ledger.empty() || view_.ledger == fact.ledger, "I4: a ledger keeps its id");
        view_.ledger = fact.ledger;
        // Hosts can only come once an allocator serves the recovered ledger: their time counts from here.
        if (view_.recovered && begin_of(view_.term) < view_.recovered->position) view_.recovered->at = at_;
        view_.term = term_of(position_, at_);
    }

    void operator()(const LedgerDoubted& fact) { view_.doubted_by = fact.host; }

    void operator()(const LedgerRecovered& fact) {
        check(view_.ledger == fact.before, "a recovered ledger names the one that it was");
        view_.ledger = fact.ledger;
        view_.recovered = Recovery{position_, at_};
        view_.doubted_by.reset();
    }

    void operator()(const PoolDefined& fact) {
        view_.pools[fact.pool] = fact;
        if (!view_.retired) return;
        view_.retired->erase(fact.pool);
        if (view_.retired->empty()) view_.retired.reset();
    }
    void operator()(const PoolRetired& fact) {
        check(view_.pools.contains(fact.pool), "only a pool that was defined is retired");
        if (!view_.retired) view_.retired.emplace();
        view_.retired->emplace(fact.pool, at_);
    }

    // ---- claims

    void operator()(const ClaimAccepted& fact) {
        check(!view_.claims.contains(fact.claim), "I6: a claim is accepted once");
        view_.claims[fact.claim] = ClaimView{.asked = fact};
        view_.index.by_key[{fact.principal, fact.key}] = fact.claim;
    }

    void operator()(const ClaimGranted& fact) {
        auto& claim = open_claim(fact.claim);
        claim.state = ClaimState::granted;
        claim.workspace = fact.workspace;
        claim.host = fact.host;
        claim.epoch = fact.epoch;
        claim.url = fact.url;
        claim.lease_expires_at = fact.lease_expires_at;
        end(claim);
    }

    void operator()(const ClaimDenied& fact) {
        auto& claim = open_claim(fact.claim);
        claim.state = fact.state;
        claim.kind = fact.kind;
        claim.text = fact.text;
        end(claim);
    }

    // ---- leases and workspaces

    void operator()(const LeaseGranted& fact) {
        auto& host = host_at(fact.host, fact.incarnation);
        check(host.liveness == Liveness::live && host.admission == Admission::open,
              "I14: no grant on a host that is not live and open");
        auto& slot = slot_at(host, fact.slot);
        check(slot.use == SlotUse::free, "I1: a slot has at most one lease");
        check(fact.epoch > slot.epoch, "I3: epochs of a slot only grow");
        auto& workspace = view_.workspaces[fact.workspace];
        check(!workspace.leased && (workspace.workspace.empty() || workspace.state == WorkspaceState::stopped),
              "I1: a workspace has at most one lease");
        begin_lease(slot, workspace, {.workspace = fact.workspace, .user = fact.user, .project = fact.project,
                                      .pool = fact.pool, .host = fact.host, .incarnation = fact.incarnation,
                                      .slot = fact.slot, .epoch = fact.epoch, .claim = fact.claim,
                                      .expires_at = fact.expires_at, .home_place = fact.home_place});
        if (fact.claim) {
            auto& claim = open_claim(*fact.claim);
            claim.state = ClaimState::starting;
            claim.workspace = fact.workspace;
            claim.host = fact.host;
            claim.epoch = fact.epoch;
        }
    }

    void operator()(const WorkspaceStarted& fact) {
        auto& workspace = leased_at(fact.workspace, fact.epoch);
        set_state(workspace, WorkspaceState::active);
        workspace.container = fact.container;
        workspace.url = fact.url;
        if (workspace.home_place == HomePlace::host) workspace.home_on = HostRef{workspace.host, workspace.incarnation};
        view_.hosts[fact.host].failures = 0;
    }

    void operator()(const WorkspaceRestarted& fact) { leased_at(fact.workspace, fact.epoch).container = fact.container; }
    void operator()(const WorkspaceIncident& fact) {
        auto& workspace = leased_at(fact.workspace, fact.epoch);
        workspace.incident = fact.text.empty() ? std::nullopt : std::optional{fact.text};
    }

    void operator()(const WorkspaceFailed& fact) {
        auto& workspace = leased_at(fact.workspace, fact.epoch);
        stop_slot(workspace);
        set_state(workspace, WorkspaceState::stopping);
        auto& host = host_at(fact.host, workspace.incarnation);
        ++host.failures;
        host.failed_at = at_;
        if (!workspace.claim) return;
        if (const auto at = view_.claims.find(*workspace.claim); at != view_.claims.end() && at->second.open()) {
            at->second.state = ClaimState::waiting;
            ++at->second.tries;
        }
    }

    void operator()(const WorkspaceStopping& fact) {
        auto& workspace = leased_at(fact.workspace, fact.epoch);
        stop_slot(workspace);
        set_state(workspace, WorkspaceState::stopping);
    }

    void operator()(const WorkspaceStopped& fact) {
        auto& host = host_at(fact.host, fact.incarnation);
        auto& slot = slot_at(host, fact.slot);
        check(slot.epoch == fact.epoch && slot.workspace == fact.workspace, "I10: freed at the epoch that held it");
        if (slot.use != SlotUse::quarantined) slot.use = SlotUse::free;
        slot.workspace = {};
        end_lease(leased_at(fact.workspace, fact.epoch));
    }

    void operator()(const HomeArchived& fact) {
        auto& workspace = leased_at(fact.workspace, fact.epoch);
        check(workspace.leased && fact.archive.epoch == fact.epoch, "a home is archived under the lease that has it");
        workspace.archive = fact.archive;
    }
    void operator()(const HomeLost& fact) { workspace_at(fact.workspace).home_on.reset(); }
    void operator()(const HomeChosen& fact) {
        auto& workspace = workspace_at(fact.workspace);
        check(!workspace.leased, "an archive is chosen for the next lease, not under one");
        workspace.archive = fact.archive;
    }

    void operator()(const WorkspaceDestroying& fact) {
        auto& workspace = workspace_at(fact.workspace);
        if (workspace.leased) stop_slot(workspace);
        set_state(workspace, WorkspaceState::destroying);
    }

    void operator()(const WorkspaceDestroyed& fact) {
        auto& workspace = workspace_at(fact.workspace);
        check(workspace.state == WorkspaceState::destroying, "a workspace is destroyed after it was destroying");
        set_state(workspace, WorkspaceState::destroyed);
        view_.index.by_owner.erase({workspace.user, workspace.project});
    }

    void operator()(const LeaseExtended& fact) {
        auto& workspace = leased_at(fact.workspace, fact.epoch);
        check(fact.expires_at >= workspace.expires_at, "an extension never shortens a lease");
        workspace.expires_at = fact.expires_at;
    }
    void operator()(const WorkspaceHeld& fact) { leased_at(fact.workspace, fact.epoch).hold_until = fact.until; }
    void operator()(const IdleNoted& fact) { leased_at(fact.workspace, fact.epoch).idle_stop_at = fact.stop_at; }
    void operator()(const IdleWithdrawn& fact) { leased_at(fact.workspace, fact.epoch).idle_stop_at.reset(); }
    void operator()(const StopObjected& fact) { leased_at(fact.workspace, fact.epoch).idle_stop_at.reset(); }

    // ---- hosts

    void operator()(const HostRegistered& fact) {
        auto& host = view_.hosts[fact.host];
        if (host.incarnation != fact.incarnation) {
            check(host.idle(), "I10: a new incarnation only when the old one holds no lease");
            host.slots.resize(std::max<std::size_t>(host.slots.size(), fact.slots));
            for (auto& slot : host.slots) slot = SlotView{.epoch = slot.epoch};
            if (host.liveness == Liveness::gone) host.ending.reset();
            view_.index.gone.erase(fact.host);
            host.liveness = Liveness::live;
            host.admission = Admission::open;
            host.cordoned_by.reset();
            host.registered_at = host.changed_at = at_;
            host.drained_at = {};
            host.failures = 0;
            host.provider.reset();
            host.impaired.reset();
            host.price.reset();
            host.leaving.reset();
            // Who wanted its end wants that of its next life too, unless the end had come.
            if (host.ending) host.ending->closed = true;
            if (host.ending) host.ending->sealing = false;
        }
        host.host = fact.host;
        host.incarnation = fact.incarnation;
        host.pool = fact.pool;
        host.instance = fact.instance;
        host.public_ip = fact.public_ip;
        host.private_ip = fact.private_ip;
        host.proxy_port = fact.proxy_port;
        host.home_mark = fact.home_mark;
        if (host.slots.size() < fact.slots) host.slots.resize(fact.slots);
        if (auto provider = provider_of(fact)) host.provider = std::move(provider);
        if (!host.provider) host.provider = static_provider;
        if (fact.launch) view_.launches.erase(*fact.launch);
    }

    void operator()(const HostRecovered& fact) {
        auto& host = host_at(fact.host.host, fact.host.incarnation);
        host.met_at = position_;
        for (const auto& id : fact.displaced) {
            auto& workspace = workspace_at(id);
            if (workspace.leased) {
                auto& slot = slot_at(host_at(workspace.host, workspace.incarnation), workspace.slot);
                slot.use = SlotUse::quarantined;      // until its host says that nothing is there
                slot.workspace = {};
            }
            end_lease(workspace);
        }
        for (const auto& held : fact.held) {
            auto& slot = slot_at(host, held.slot);
            check(held.epoch > slot.epoch, "I3: epochs of a slot only grow");
            check(slot.workspace.empty() || slot.workspace == held.workspace, "I1: a slot has at most one lease");
            slot = SlotView{.use = SlotUse::quarantined, .epoch = held.epoch};
            if (held.wanted == Wanted::running) adopt(host, slot, held, fact.pool);
        }
    }

    void operator()(const HostCordoned& fact) { admit(fact.host, Admission::cordoned).cordoned_by = reason_.actor(); }
    void operator()(const HostUncordoned& fact) {
        auto& host = admit(fact.host, Admission::open);
        host.cordoned_by.reset();
        host.leaving.reset();
    }
    void operator()(const HostLeaving& fact) {
        auto& host = host_at(fact.host.host, fact.host.incarnation);
        check(host.admission != Admission::open, "nothing new lands on a host that leaves");
        host.leaving = Leaving{fact.by, reason_.why()};
    }
    void operator()(const HostEnding& fact) {
        auto& host = host_at(fact.host.host, fact.host.incarnation);
        check(host.liveness != Liveness::gone, "what is gone is not ended");
        Ending ending{.cause = fact.cause, .by = reason_.actor(), .why = reason_.why(), .force = fact.force,
                      .closed = host.admission == Admission::open, .since = at_};
        if (host.ending) ending.closed = host.ending->closed;
        if (host.ending) ending.sealing = host.ending->sealing;
        host.ending = std::move(ending);
    }
    void operator()(const HostEndWithdrawn& fact) {
        auto& host = host_at(fact.host.host, fact.host.incarnation);
        check(host.ending && !host.ending->sealing && host.admission != Admission::draining, "an end is withdrawn before the seal");
        host.ending.reset();
    }
    void operator()(const HostSealing& fact) {
        auto& host = host_at(fact.host.host, fact.host.incarnation);
        check(host.ending && host.admission == Admission::cordoned && host.idle(), "the seal is asked of a cordoned, empty host");
        host.ending->sealing = true;
    }
    void operator()(const HostDrained& fact) {
        check(host_at(fact.host.host, fact.host.incarnation).idle(), "I13: drained means no non-free slot");
        admit(fact.host, Admission::draining).drained_at = position_;
    }
    // Whoever can start environments again is not passed over for what failed before.
    void operator()(const HostImpaired& fact) {
        auto& host = host_at(fact.host.host, fact.host.incarnation);
        host.impaired = fact.text.empty() ? std::nullopt : std::optional{fact.text};
        if (!host.impaired) host.failures = 0;
    }
    void operator()(const HostUnknown& fact) { set_liveness(fact.host, Liveness::unknown); }
    void operator()(const HostReturned& fact) { set_liveness(fact.host, Liveness::live); }
    void operator()(const HostGone& fact) {
        set_liveness(fact.host, Liveness::gone);
        view_.index.gone.insert(fact.host.host);
    }
    void operator()(const InstanceCondemned& fact) {
        for (const auto& [id, host] : view_.hosts) {
            check(host.instance != fact.instance || (!fact.incarnation.empty() && host.incarnation != fact.incarnation) || host.liveness == Liveness::gone,
                  "I13: no instance of a host is condemned");
        }
        auto& all = view_.condemned ? *view_.condemned : view_.condemned.emplace();
        if (all.size() >= condemned_max) all.erase(all.begin());
        all.push_back(fact);
    }

    void operator()(const SlotQuarantined& fact) {
        slot_at(host_at(fact.host, fact.incarnation), fact.slot).use = SlotUse::quarantined;
    }
    void operator()(const SlotCleared& fact) {
        auto& slot = slot_at(host_at(fact.host, fact.incarnation), fact.slot);
        check(slot.use == SlotUse::quarantined, "only a quarantined slot is cleared");
        slot.use = slot.workspace.empty() ? SlotUse::free : SlotUse::stopping;
    }

    void operator()(const LaunchStarted& fact) { view_.launches[fact.launch] = fact; }
    void operator()(const LaunchFailed& fact) { view_.launches.erase(fact.launch); }
    void operator()(const LaunchMet& fact) {
        host_at(fact.host.host, fact.host.incarnation).provider = fact.provider;
        view_.launches.erase(fact.launch);
    }
    void operator()(const HostPriced& fact) { host_at(fact.host.host, fact.host.incarnation).price = fact.price; }

private:
    /// Older facts do not say it: then a launch was the pool's provider's, and the rest is unchanged.
    std::optional<std::string> provider_of(const HostRegistered& fact) const {
        if (fact.provider) return fact.provider;
        const auto pool = view_.pools.find(fact.pool);
        if (!fact.launch || pool == view_.pools.end()) return std::nullopt;
        return pool->second.provider;
    }
    ClaimView& open_claim(const ClaimId& id) {
        const auto at = view_.claims.find(id);
        check(at != view_.claims.end() && at->second.open(), "I7: only an open claim goes on");
        return at->second;
    }
    void end(ClaimView& claim) {
        claim.ended_at = at_;
        view_.index.ended.emplace(at_, claim.asked.claim);
    }
    HostView& host_at(const HostId& id, const HostIncarnation& incarnation) {
        const auto at = view_.hosts.find(id);
        check(at != view_.hosts.end() && at->second.incarnation == incarnation,
              "a fact about a host names its present incarnation");
        return at->second;
    }
    SlotView& slot_at(HostView& host, std::uint32_t slot) {
        check(slot < host.slots.size(), "a slot lies within its host");
        return host.slots[slot];
    }
    WorkspaceView& workspace_at(const WorkspaceId& id) {
        const auto at = view_.workspaces.find(id);
        check(at != view_.workspaces.end(), "a fact about a workspace names one that exists");
        return at->second;
    }
    WorkspaceView& leased_at(const WorkspaceId& id, Epoch epoch) {
        auto& workspace = workspace_at(id);
        check(workspace.epoch == epoch, "a fact about a lease names its present epoch");
        return workspace;
    }
    void end_lease(WorkspaceView& workspace) {
        if (workspace.state != WorkspaceState::destroying) set_state(workspace, WorkspaceState::stopped);
        workspace.leased = false;
        workspace.claim.reset();
        workspace.container = {};
        workspace.idle_stop_at.reset();
        workspace.hold_until.reset();
        workspace.incident.reset();
    }
    /// `workspace` is nobody's yet, or returns; `lease` has what the fact says of it.
    void begin_lease(SlotView& slot, WorkspaceView& workspace, WorkspaceView lease) {
        slot = SlotView{.use = SlotUse::leased, .epoch = lease.epoch, .workspace = lease.workspace};
        lease.state = WorkspaceState::starting;
        lease.leased = true;
        lease.created_at = workspace.workspace.empty() ? at_ : workspace.created_at;
        lease.granted_at = lease.changed_at = at_;
        if (!lease.archive) lease.archive = workspace.archive;
        lease.home_on = workspace.home_on;
        workspace = std::move(lease);
        view_.index.by_owner[{workspace.user, workspace.project}] = workspace.workspace;
    }
    /// A lease that the lost part granted; its host is asked once more to bind it, which changes nothing there.
    void adopt(const HostView& host, SlotView& slot, const LeaseOrder& held, const PoolName& pool) {
        const auto* owned = view_.workspace_of(held.user, held.project);
        if (owned && owned->workspace != held.workspace) set_state(workspace_at(owned->workspace), WorkspaceState::destroyed);
        begin_lease(slot, view_.workspaces[held.workspace],
                    {.workspace = held.workspace, .user = held.user, .project = held.project, .pool = pool,
                     .host = host.host, .incarnation = host.incarnation, .slot = held.slot, .epoch = held.epoch,
                     .expires_at = held.expires_at, .hold_until = held.hold_until,
                     .home_place = held.home ? std::optional{held.home->rule.place} : std::nullopt,
                     .archive = held.home ? held.home->archive : std::nullopt});
    }
    void set_state(WorkspaceView& workspace, WorkspaceState state) {
        workspace.state = state;
        workspace.changed_at = at_;
        if (state == WorkspaceState::destroyed) view_.index.destroyed.emplace(at_, workspace.workspace);
    }
    void stop_slot(const WorkspaceView& workspace) {
        auto& slot = slot_at(host_at(workspace.host, workspace.incarnation), workspace.slot);
        if (slot.use == SlotUse::leased) slot.use = SlotUse::stopping;
    }
    HostView& admit(const HostRef& ref, Admission admission) {
        auto& host = host_at(ref.host, ref.incarnation);
        check(host.admission != Admission::draining || admission == Admission::draining, "a seal is for ever");
        host.admission = admission;
        host.changed_at = at_;
        return host;
    }
    void set_liveness(const HostRef& ref, Liveness liveness) {
        auto& host = host_at(ref.host, ref.incarnation);
        check(host.liveness != Liveness::gone, "a host that is gone does not return in that incarnation");
        host.liveness = liveness;
        host.changed_at = at_;
    }

    View& view_;
    Instant at_;
    Position position_;
    const Reason& reason_;
};

void forget_old(View& view, Instant now) {
    const auto is_old = [now](const auto& aged) { return !aged.empty() && aged.begin()->first + claim_memory <= now; };
    for (auto& ended = view.index.ended; is_old(ended); ended.erase(ended.begin())) {
        const auto claim = view.claims.extract(ended.begin()->second);
        if (!claim.empty()) view.index.by_key.erase({claim.mapped().asked.principal, claim.mapped().asked.key});
    }
    for (auto& destroyed = view.index.destroyed; is_old(destroyed); destroyed.erase(destroyed.begin())) {
        const auto at = view.workspaces.find(destroyed.begin()->second);
        const bool same = at != view.workspaces.end() && at->second.state == WorkspaceState::destroyed && at->second.changed_at == destroyed.begin()->first;
        if (same) view.workspaces.erase(at);
    }
    std::erase_if(view.index.gone, [&](const HostId& id) {
        const auto at = view.hosts.find(id);
        const bool old = at != view.hosts.end() && at->second.idle() && at->second.changed_at + claim_memory <= now;
        if (old) view.hosts.erase(at);
        return old;
    });
}

}  // namespace

std::uint32_t HostView::count(SlotUse use) const {
    std::uint32_t found = 0;
    for (const auto& slot : slots) found += slot.use == use ? 1 : 0;
    return found;
}

bool HostView::idle() const {
    return std::all_of(slots.begin(), slots.end(), [](const SlotView& slot) { return slot.workspace.empty(); });
}

bool View::has_met(const HostView& host) const {
    return !recovered || (host.met_at && *host.met_at > recovered->position);
}

bool View::is_condemned(const std::string& instance, const HostIncarnation& incarnation) const {
    const auto is_it = [&](const auto& one) { return one.instance == instance && (one.incarnation.empty() || one.incarnation == incarnation); };
    return condemned && std::any_of(condemned->begin(), condemned->end(), is_it);
}

const WorkspaceView* View::workspace_of(const UserId& user, const ProjectName& project) const {
    const auto at = index.by_owner.find({user, project});
    return at == index.by_owner.end() ? nullptr : &workspaces.at(at->second);
}

const ClaimView* View::claim_of(const Principal& principal, const IdempotencyKey& key) const {
    const auto at = index.by_key.find({principal, key});
    return at == index.by_key.end() ? nullptr : &claims.at(at->second);
}

const HostView* View::host_of(const HostRef& ref) const {
    const auto at = hosts.find(ref.host);
    return at == hosts.end() || at->second.incarnation != ref.incarnation ? nullptr : &at->second;
}

void View::reindex() {
    index = {};
    for (const auto& [id, workspace] : workspaces) {
        if (workspace.state != WorkspaceState::destroyed) {
            index.by_owner[{workspace.user, workspace.project}] = id;
        } else {
            index.destroyed.emplace(workspace.changed_at, id);
        }
    }
    for (const auto& [id, claim] : claims) {
        index.by_key[{claim.asked.principal, claim.asked.key}] = id;
        if (!claim.open()) index.ended.emplace(claim.ended_at, id);
    }
    for (const auto& [id, host] : hosts) {
        if (host.liveness == Liveness::gone) index.gone.insert(id);
    }
}

void apply(View& view, const FactRecord& record) {
    const bool jumps = std::holds_alternative<LedgerRecovered>(record.fact) && record.position > view.position;
    check(jumps || record.position.value == view.position.value + 1, "facts are applied in order, without a gap");
    std::visit(Applier{view, record}, record.fact);
    view.position = record.position;
    if (record.position.value % forget_every == 0) forget_old(view, record.at);
}

std::uint64_t state_hash(const View& view) { return hash_of(encode(view)); }

}  // namespace berth
