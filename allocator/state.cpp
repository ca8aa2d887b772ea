// SPDX-License-Identifier: Apache-2.0
// Keeps the derived look-ups in step with the view: after each fact, and once from nothing.
#include "allocator/state.hpp"

#include <charconv>

#include "allocator/placement.hpp"
#include "allocator/turn.hpp"

namespace berth::allocator {

namespace {

constexpr std::size_t facts_expected = 4;      // of one turn, mostly
constexpr const char* retired_text = "the pool is configured no more";

bool needs_driving(const WorkspaceView& workspace) {
    return workspace.state == WorkspaceState::starting || workspace.state == WorkspaceState::stopping ||
           workspace.state == WorkspaceState::destroying;
}

void forget_claim(State& state, const ClaimView& claim) {
    state.claim_deadlines.erase({claim.asked.deadline, claim.asked.claim});
    if (const auto queue = state.queue.find(claim.asked.pool); queue != state.queue.end()) {
        queue->second.erase(order_of(claim.asked.claim));
    }
    const auto owner = std::pair{claim.asked.user, claim.asked.project};
    if (const auto group = state.followers.find(owner); group != state.followers.end()) {
        group->second.erase(claim.asked.claim);
        if (group->second.empty()) state.followers.erase(group);
    }
}

void note_unmet(State& state, const HostId& id) {
    const auto& host = state.view.hosts.at(id);
    if (host.liveness != Liveness::gone && !state.view.has_met(host)) state.unmet.insert(id);
    else state.unmet.erase(id);
}

void note_ending(State& state, const HostId& id) {
    const auto& host = state.view.hosts.at(id);
    if (host.ending && host.liveness != Liveness::gone) state.endings.try_emplace(id);
    else state.endings.erase(id);
}

// Nothing for a host that takes no lease now.
std::optional<Rank> rank_of(const State& state, const HostView& host) {
    if (host.liveness != Liveness::live || host.admission != Admission::open || !state.view.has_met(host)) return std::nullopt;
    const auto free_slots = host.count(SlotUse::free);
    if (free_slots == 0) return std::nullopt;
    return Rank{host.failures, has_standby(state, host) ? 0U : 1U, free_slots, host.host};
}

// What a fact changes among the look-ups; most change nothing.
class Indexer {
public:
    Indexer(State& state, Instant now) : state_(state), now_(now) {}

    void operator()(const ClaimAccepted& fact) { state_.claim_deadlines.emplace(fact.deadline, fact.claim); }
    void operator()(const ClaimGranted& fact) { forget_claim(state_, state_.view.claims.at(fact.claim)); }
    void operator()(const ClaimDenied& fact) { forget_claim(state_, state_.view.claims.at(fact.claim)); }
    void operator()(const LeaseGranted& fact) { moved(fact.workspace, fact.host); }
    void operator()(const WorkspaceStarted& fact) {
        const auto rank = state_.ranks.find(fact.host);
        const bool failed_before = rank != state_.ranks.end() && rank->second.second.failures != 0;
        moved(fact.workspace, failed_before ? fact.host : HostId{});
    }
    void operator()(const WorkspaceFailed& fact) { moved(fact.workspace, fact.host); }
    void operator()(const WorkspaceStopping& fact) { moved(fact.workspace, {}); }   // its slot is not free before and after
    void operator()(const WorkspaceStopped& fact) { moved(fact.workspace, fact.host); }
    void operator()(const WorkspaceDestroying& fact) { moved(fact.workspace, {}); }
    void operator()(const WorkspaceDestroyed& fact) { moved(fact.workspace, {}); }
    void operator()(const HostRegistered& fact) {
        note_unmet(state_, fact.host);
        note_ending(state_, fact.host);
        note_leaving(state_, fact.host);
        refresh_rank(state_, fact.host);
        if (!state_.view.is_retired(fact.pool)) state_.blocked_by.erase(fact.pool);
    }
    void operator()(const PoolDefined& fact) {
        if (const auto at = state_.blocked_by.find(fact.pool); at != state_.blocked_by.end() && at->second == retired_text) state_.blocked_by.erase(at);
    }
    void operator()(const PoolRetired& fact) { state_.blocked_by[fact.pool] = retired_text; }
    void operator()(const HostCordoned& fact) { refresh_rank(state_, fact.host.host); }
    void operator()(const HostUncordoned& fact) {
        note_leaving(state_, fact.host.host);
        refresh_rank(state_, fact.host.host);
    }
    void operator()(const HostLeaving& fact) { note_leaving(state_, fact.host.host); }
    void operator()(const HostEnding& fact) { note_ending(state_, fact.host.host); }
    void operator()(const HostEndWithdrawn& fact) { note_ending(state_, fact.host.host); }
    void operator()(const HostDrained& fact) { refresh_rank(state_, fact.host.host); }
    void operator()(const HostUnknown& fact) { refresh_rank(state_, fact.host.host); }
    void operator()(const HostReturned& fact) { refresh_rank(state_, fact.host.host); }
    void operator()(const HostGone& fact) {
        note_unmet(state_, fact.host.host);
        note_ending(state_, fact.host.host);
        note_leaving(state_, fact.host.host);
        refresh_rank(state_, fact.host.host);
    }
    void operator()(const HostRecovered& fact) {
        note_unmet(state_, fact.host.host);
        refresh_rank(state_, fact.host.host);
        for (const auto& id : fact.displaced) moved(id, state_.view.workspaces.at(id).host);
        for (const auto& held : fact.held) {
            if (held.wanted == Wanted::running) moved(held.workspace, fact.host.host);
        }
    }
    void operator()(const SlotQuarantined& fact) { refresh_rank(state_, fact.host); }
    void operator()(const SlotCleared& fact) { refresh_rank(state_, fact.host); }
    void operator()(const LaunchFailed& fact) { state_.blocked_by[fact.pool] = fact.text; }
    void operator()(const LaunchMet& fact) {
        if (!state_.view.is_retired(fact.pool)) state_.blocked_by.erase(fact.pool);
    }
    template <class Other>
    void operator()(const Other&) {}

private:
    void moved(const WorkspaceId& id, const HostId& host) {
        if (!host.empty()) refresh_rank(state_, host);
        state_.driving.erase(id);
        const auto& workspace = state_.view.workspaces.at(id);
        if (workspace.state != WorkspaceState::starting) state_.restoring.erase(id);
        if (workspace.state != WorkspaceState::active) state_.save_wanted.erase(id);
        if (needs_driving(workspace)) {
            schedule(state_, id, now_);
        } else {
            unschedule(state_, id);
        }
    }

    State& state_;
    Instant now_;
};

}  // namespace

void Turn::record(Fact fact, std::string why, std::vector<std::string> evidence) {
    FactRecord record{Position{next_position()}, state.view.term, now, std::move(fact),
                      Reason{std::move(why), actor, state.policy.version, std::move(evidence)}, cause};
    if (std::holds_alternative<TookOver>(record.fact)) record.term = term_of(record.position, now);
    apply(state.view, record);
    std::visit(Indexer{state, now}, record.fact);
    if (out.facts.empty()) out.facts.reserve(facts_expected);
    out.facts.push_back(std::move(record));
}

void Turn::reply(std::optional<CallerId> caller, ReplyBody body) {
    if (caller) out.replies.push_back({*caller, std::move(body)});
}

void Turn::refuse(std::optional<CallerId> caller, Error error) {
    if (caller) out.replies.push_back({*caller, fail(std::move(error))});
}

void Turn::command(PendingCommand pending, CommandBody body, Duration timeout) {
    const auto id = state.next_command++;
    out.commands.push_back({id, pending.host.host, timeout, fmt::format("#{}", state.view.position.value), std::move(body)});
    if (pending.kind != CommandKind::link && pending.kind != CommandKind::seal) state.driving[pending.workspace] = id;
    state.commands.emplace(id, std::move(pending));
}

void refresh_rank(State& state, const HostId& id) {
    const auto host = state.view.hosts.find(id);
    const auto rank = host == state.view.hosts.end() ? std::nullopt : rank_of(state, host->second);
    const auto old = state.ranks.find(id);
    if (old != state.ranks.end()) {
        if (rank && old->second == std::pair{host->second.pool, *rank}) return;
        state.candidates[old->second.first].erase(old->second.second);
        if (!rank) state.ranks.erase(old);
    }
    if (!rank) return;
    state.candidates[host->second.pool].insert(*rank);
    state.ranks.insert_or_assign(id, std::pair{host->second.pool, *rank});
}

void schedule(State& state, const WorkspaceId& id, Instant at) {
    const auto [known, is_new] = state.due_at.try_emplace(id, at);
    if (is_new) {
        state.due.emplace(at, id);
        return;
    }
    auto one = state.due.extract({std::exchange(known->second, at), id});
    one.value().first = at;
    state.due.insert(std::move(one));
}

void unschedule(State& state, const WorkspaceId& id) {
    if (const auto old = state.due_at.find(id); old != state.due_at.end()) {
        state.due.erase({old->second, id});
        state.due_at.erase(old);
    }
}

std::uint64_t order_of(const ClaimId& id) {
    std::uint64_t order = 0;
    std::from_chars(id.value.data() + 2, id.value.data() + id.value.size(), order);
    return order;
}

State make_state(Policy policy, View view) {
    State state{.policy = std::move(policy), .view = std::move(view)};
    if (state.view.retired) {
        for (const auto& [name, since] : *state.view.retired) state.blocked_by[name] = retired_text;
    }
    for (const auto& [id, host] : state.view.hosts) {
        note_unmet(state, id);
        note_ending(state, id);
        note_leaving(state, id);
        refresh_rank(state, id);
    }
    for (const auto& [id, workspace] : state.view.workspaces) {
        if (needs_driving(workspace)) schedule(state, id, Instant{});
    }
    for (const auto& [id, claim] : state.view.claims) {
        if (!claim.open()) continue;
        state.claim_deadlines.emplace(claim.asked.deadline, id);
        if (claim.state == ClaimState::waiting) {
            state.queue[claim.asked.pool][order_of(id)] = id;
        } else {
            state.followers[{claim.asked.user, claim.asked.project}].insert(id);
        }
    }
    return state;
}

}  // namespace berth::allocator
