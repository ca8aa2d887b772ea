// SPDX-License-Identifier: Apache-2.0
// A ledger that is an old copy (F16). Hosts know more than it does: first that it is one, and, once an
// operator has said `recover`, what they hold. Until a host was met again nothing lands on it and
// nobody may end it.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "allocator/turn.hpp"

namespace berth::allocator {

namespace {

constexpr std::uint64_t epoch_max = 1ULL << 62;   // beyond it, epochs could no longer grow

/// A workspace is on the slot, running or not wholly gone yet; an emptied slot tells only its epoch.
bool holds(const LeaseOrder& held) { return held.wanted == Wanted::running || !held.workspace.empty(); }

Result<void> check_holding(const View& view, const HostView* host, const LeaseOrder& held) {
    TRY(check_name("user", held.user.value));
    TRY(check_name("project", held.project.value));
    if (!is_dns_label(held.workspace.value)) return fail(ErrorKind::invalid, "slot {} runs a workspace whose id is no label", held.slot);
    if (host && host->admission == Admission::draining) {
        return fail(ErrorKind::conflict, "slot {} was leased after host {} was sealed", held.slot, host->host.value);
    }
    const auto at = view.workspaces.find(held.workspace);
    if (at == view.workspaces.end()) return {};
    const auto& known = at->second;
    if (known.user != held.user || known.project != held.project) {
        return fail(ErrorKind::conflict, "workspace {} on slot {} is {}'s {} by the ledger, and {}", held.workspace.value, held.slot,
                    known.user.value, known.project.value, to_string(known.state));
    }
    return {};
}

/// What the ledger knows of a workspace is later than what this host knows: it was destroyed or leased
/// anew since the recovery, another host has a later epoch of it, or one that was met told that it is there.
bool is_later(const View& view, const WorkspaceView& known, const LeaseOrder& held) {
    if (known.state == WorkspaceState::destroying || known.state == WorkspaceState::destroyed) return true;
    if (!known.leased) return false;
    const auto* host = view.host_of({known.host, known.incarnation});
    if (host && view.has_met(*host)) return true;
    return (known.claim && known.granted_at > view.recovered->at) || (known.workspace == held.workspace && known.epoch > held.epoch);
}

/// The lease is known; that it was extended or held may not be.
void prolong(Turn& turn, const LeaseOrder& held) {
    const auto at = turn.state.view.workspaces.find(held.workspace);
    if (at == turn.state.view.workspaces.end()) return;
    const auto& known = at->second;
    if (!known.leased || known.epoch != held.epoch) return;
    if (held.expires_at > known.expires_at) turn.record(LeaseExtended{known.workspace, held.epoch, held.expires_at}, "its host knows a later end");
    if (held.hold_until > known.hold_until) turn.record(WorkspaceHeld{known.workspace, held.epoch, *held.hold_until}, "its host knows a hold");
}

/// No host's word makes a lease or a hold longer than a user could have (pool.hpp).
LeaseOrder capped(const Turn& turn, LeaseOrder held, const PoolDefined& pool) {
    held.expires_at = std::min(held.expires_at, turn.now + pool.ttl_max_ms);
    if (held.hold_until) held.hold_until = std::min(*held.hold_until, turn.now + pool.hold_max_ms);
    return held;
}

}  // namespace

std::optional<Error> why_doubted(Turn& turn, const HostId& host, Term term_seen, std::optional<Position> position_seen) {
    const auto& view = turn.state.view;
    const auto seen = std::max(position_seen.value_or(Position{}), begin_of(term_seen));
    const bool ahead = term_seen > view.term || (term_seen < view.term && seen >= begin_of(view.term));
    if (!ahead) return std::nullopt;
    const auto text = fmt::format("host {} has seen term {} and position {}; this ledger was at {} when its term {} began",
                                  host.value, term_seen.value, seen.value, begin_of(view.term).value, view.term.value);
    if (!view.doubted_by) turn.record(LedgerDoubted{host, seen}, text);
    return Error{ErrorKind::fenced, text + ". It is an old copy, or another allocator took over: see docs/restore.md"};
}

std::optional<std::string> why_unsettled(const State& state, Instant now) {
    const auto& view = state.view;
    if (view.doubted_by) return fmt::format("the ledger is an old copy, by what host {} has seen; see docs/restore.md", view.doubted_by->value);
    if (!state.unmet.empty()) return fmt::format("the ledger was recovered, and host {} has not told yet what it holds", state.unmet.begin()->value);
    if (view.recovered && now < view.recovered->at + state.policy.recovery_settle) return "the ledger was recovered just now, and hosts may still register";
    return std::nullopt;
}

Result<void> check_meeting(const View& view, const RegisterRequest& offer) {
    const auto at = view.hosts.find(offer.host);
    const auto* host = at == view.hosts.end() ? nullptr : &at->second;
    if (!view.recovered || (host && view.has_met(*host))) return {};
    if (!offer.held) {
        return fail(ErrorKind::conflict, "the ledger was recovered, and host {} is of a version that can not say what it holds: update its agent",
                    offer.host.value);
    }
    const auto slots = std::max<std::size_t>(offer.slots, host ? host->slots.size() : 0);
    std::set<std::uint32_t> told;
    std::set<WorkspaceId> workspaces;
    std::set<std::pair<UserId, ProjectName>> owners;
    for (const auto& held : *offer.held) {
        if (held.slot >= slots && !holds(held)) continue;         // the host has fewer slots than it had
        if (held.slot >= slots) return fail(ErrorKind::invalid, "slot {} is held, of {} slots", held.slot, slots);
        if (held.epoch.value > epoch_max) return fail(ErrorKind::invalid, "slot {} can not have seen epoch {}", held.slot, held.epoch.value);
        if (!told.insert(held.slot).second) return fail(ErrorKind::invalid, "slot {} is named twice", held.slot);
        if (!holds(held)) continue;
        TRY(check_holding(view, host, held));
        const bool twice = !workspaces.insert(held.workspace).second || !owners.emplace(held.user, held.project).second;
        if (twice) return fail(ErrorKind::invalid, "workspace {}, {} of {}, is named twice", held.workspace.value, held.project.value, held.user.value);
    }
    return {};
}

void meet(Turn& turn, const HostView& host, const RegisterRequest& offer) {
    auto& view = turn.state.view;
    if (view.has_met(host)) return;
    HostRecovered fact{.host = {host.host, host.incarnation}, .pool = offer.pool};
    std::set<WorkspaceId> displaced;
    std::vector<std::string> evidence;
    for (const auto& told : offer.held.value_or(std::vector<LeaseOrder>{})) {
        if (told.slot >= host.slots.size() || told.epoch < host.slots[told.slot].epoch) continue;
        const auto& here = host.slots[told.slot];
        auto held = capped(turn, told, view.pools.at(offer.pool));
        if (held.epoch == here.epoch) {
            if (held.wanted == Wanted::running) prolong(turn, held);
            else if (!holds(held) && !here.workspace.empty()) displaced.insert(here.workspace);   // it was stopped in the lost part
            continue;                                              // … or is being stopped, of which heartbeats tell
        }
        held.wanted = holds(held) ? Wanted::running : Wanted::stopped;    // a stop that has not ended is heard of later
        if (!here.workspace.empty()) displaced.insert(here.workspace);   // a later epoch was here: its own was stopped and wiped
        if (held.wanted == Wanted::running) {
            const auto at = view.workspaces.find(held.workspace);
            const auto* owned = view.workspace_of(held.user, held.project);
            const bool too_late = (at != view.workspaces.end() && is_later(view, at->second, held)) || (owned && is_later(view, *owned, held));
            if (too_late) held.wanted = Wanted::stopped;
            if (!too_late && at != view.workspaces.end() && at->second.leased) displaced.insert(held.workspace);
            if (!too_late && owned && owned->workspace != held.workspace) displaced.insert(owned->workspace);
            if (too_late) evidence.push_back(fmt::format("the ledger knows something later of {}", held.workspace.value));
        }
        evidence.push_back(fmt::format("slot {} at epoch {}: {}", held.slot, held.epoch.value,
                                       held.wanted == Wanted::running ? held.workspace.value : "nothing"));
        fact.held.push_back(std::move(held));
    }
    fact.displaced.assign(displaced.begin(), displaced.end());
    turn.record(std::move(fact), "what it holds from before the ledger was recovered", std::move(evidence));
    for (const auto& id : displaced) serve_followers(turn, id);
}

}  // namespace berth::allocator
