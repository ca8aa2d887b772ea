// SPDX-License-Identifier: Apache-2.0
// Claims: accepted once per (principal, key), waiting in order, ended by their deadline (I6, I7, I11).
#include <fmt/format.h>

#include <algorithm>

#include "allocator/placement.hpp"
#include "allocator/turn.hpp"
#include "base/about.hpp"
#include "base/check.hpp"
#include "base/hash.hpp"

namespace berth::allocator {

namespace {

constexpr std::size_t key_bytes_max = 128;

std::string body_hash(const ClaimRequest& request) {
    return to_hex(hash_of(fmt::format("{}\n{}\n{}\n{}", request.user.value, request.project.value,
                                      request.pool ? request.pool->value : "",
                                      request.ttl_ms ? request.ttl_ms->count() : -1)));
}

Result<void> check_request(const ClaimRequest& request) {
    TRY(check_name("user", request.user.value));
    TRY(check_name("project", request.project.value));
    if (request.key.empty() || request.key.value.size() > key_bytes_max) {
        return fail(ErrorKind::invalid, "a claim needs an idempotency key of 1 to {} bytes", key_bytes_max);
    }
    if (request.ttl_ms && request.ttl_ms->count() == 0) return fail(ErrorKind::invalid, "ttl_ms must be above zero");
    return {};
}

Result<const PoolDefined*> pool_for(const View& view, const std::optional<PoolName>& asked) {
    if (asked) {
        const auto at = view.pools.find(*asked);
        if (at == view.pools.end()) return fail(ErrorKind::not_found, "there is no pool '{}'; see `berth pools`", asked->value);
        if (view.is_retired(*asked)) return fail(ErrorKind::not_found, "pool '{}' is retired: it is configured no more; see `berth pools`", asked->value);
        return &at->second;
    }
    std::vector<const PoolDefined*> open;
    for (const auto& [name, pool] : view.pools) {
        if (view.is_retired(name)) continue;
        if (name.value == "default") return &pool;
        open.push_back(&pool);
    }
    if (open.size() == 1) return open.front();
    return fail(ErrorKind::invalid, "name a pool: there are {} and none is called 'default'", open.size());
}

// The suffix differs also between two histories of one ledger, when an old copy was put back (F16).
WorkspaceId new_workspace_id(const Turn& turn, const ClaimAccepted& asked) {
    const auto position = turn.next_position();
    const auto mixed = hash_of(fmt::format("{}/{}/{}/{}/{}", turn.state.view.ledger, position, asked.user.value, asked.project.value,
                                           turn.now.time_since_epoch().count()));
    return {fmt::format("w{}-{}", position, to_hex(mixed).substr(0, 8))};
}

// What its callers hear of a claim that ended without a workspace.
Error refusal_of(const ClaimId& id, ErrorKind kind, const std::string& text) {
    return {kind, fmt::format("{}; see `berth why {}`", text, id.value)};
}

// The answer for a claim that has ended, or the caller's place among those who wait for it.
void answer_or_join(Turn& turn, const ClaimView& claim, std::optional<CallerId> caller) {
    if (!caller) return;
    if (claim.open()) {
        auto& callers = turn.state.callers[claim.asked.claim];
        if (callers.size() >= turn.state.policy.callers_per_claim_max) {
            return turn.refuse(caller, {ErrorKind::limit, "too many callers wait for this claim already"});
        }
        callers.push_back(*caller);
    } else if (claim.state == ClaimState::granted) {
        const auto at = turn.state.view.workspaces.find(claim.workspace);
        const bool opens = at != turn.state.view.workspaces.end() && at->second.state == WorkspaceState::active &&
                           at->second.epoch == claim.epoch;
        if (opens) return ask_link(turn, at->second, caller, claim.asked.claim);
        turn.reply(caller, claim_reply(turn.state, claim));  // the outcome stands; there is nothing to open
    } else {
        turn.refuse(caller, refusal_of(claim.asked.claim, claim.kind, claim.text));
    }
}

void grant_claim(Turn& turn, const ClaimId& id, const WorkspaceView& workspace, std::string why) {
    const auto& claim = turn.state.view.claims.at(id);
    turn.record(ClaimGranted{.claim = id, .key = claim.asked.key, .workspace = workspace.workspace,
                             .host = workspace.host, .epoch = workspace.epoch, .url = workspace.url,
                             .lease_expires_at = workspace.expires_at},
                std::move(why));
    const auto waiting = turn.state.callers.extract(id);
    if (waiting.empty()) return;
    for (const auto caller : waiting.mapped()) ask_link(turn, workspace, caller, id);
}

void lease(Turn& turn, const ClaimView& claim, const WorkspaceView* before, const Placement& placement) {
    const auto& state = turn.state;
    const auto& host = state.view.hosts.at(placement.host);
    const auto id = claim.asked.claim;
    // Above the slot's highest, so that the host refuses what came before (I3); above the workspace's
    // own last, so that (workspace, epoch) names one lease whichever slots it had.
    const auto highest = std::max(host.slots[placement.slot].epoch, before ? before->epoch : Epoch{});
    LeaseGranted fact{.workspace = before ? before->workspace : new_workspace_id(turn, claim.asked),
                      .user = claim.asked.user, .project = claim.asked.project, .pool = claim.asked.pool, .claim = id,
                      .host = host.host, .incarnation = host.incarnation, .slot = placement.slot,
                      .epoch = Epoch{highest.value + 1},
                      .expires_at = turn.now + claim.asked.ttl_ms};
    if (const auto rule = home_rule_of(state, claim.asked.pool)) fact.home_place = rule->place;
    const auto workspace = fact.workspace;
    turn.record(std::move(fact), fmt::format("claim {} of {} gets slot {} of {}", id.value, claim.asked.user.value,
                                             placement.slot, placement.host.value), placement.evidence);
    drive(turn, workspace);
}

/// The only host where that claim's workspace may start.
std::optional<HostId> pin_of(const State& state, const ClaimView& claim) {
    const auto* workspace = state.view.workspace_of(claim.asked.user, claim.asked.project);
    return workspace ? home_pin(state, *workspace, claim.asked.pool) : std::nullopt;
}

enum class Placed { yes, no_capacity, follows };

Placed try_place(Turn& turn, const ClaimId& id, std::vector<std::string>& why_not) {
    const auto& claim = turn.state.view.claims.at(id);
    const auto* workspace = turn.state.view.workspace_of(claim.asked.user, claim.asked.project);
    if (workspace && workspace->state == WorkspaceState::active) {
        grant_claim(turn, id, *workspace, "this user's workspace for the project runs already");
        return Placed::yes;
    }
    if (workspace && workspace->state != WorkspaceState::stopped) {
        turn.state.followers[{claim.asked.user, claim.asked.project}].insert(id);
        return Placed::follows;
    }
    if (auto why = why_unsettled(turn.state, turn.now)) {
        why_not.push_back(std::move(*why));
        return Placed::no_capacity;
    }
    const auto placement =
        find_slot(turn.state, {claim.asked.pool, workspace ? std::optional{workspace->host} : std::nullopt,
                               workspace ? home_pin(turn.state, *workspace, claim.asked.pool) : std::nullopt}, turn.now, why_not);
    if (!placement) return Placed::no_capacity;
    if (auto queue = turn.state.queue.find(claim.asked.pool); queue != turn.state.queue.end()) {
        queue->second.erase(order_of(id));
    }
    turn.state.followers[{claim.asked.user, claim.asked.project}].insert(id);
    lease(turn, claim, workspace, *placement);
    return Placed::yes;
}

/// Why the only host of that claim does not take it; empty when it has none, or that does.
std::string why_pinned(const State& state, const ClaimView& claim, Instant now) {
    std::vector<std::string> why_not;
    const auto pin = pin_of(state, claim);
    if (!pin || find_slot(state, {claim.asked.pool, std::nullopt, pin}, now, why_not)) return {};
    return why_not.front();
}

/// "2 hosts booting"; nothing when there is none.
std::string hosts_booting(const State& state, const PoolName& pool) {
    const auto booting = std::count_if(state.view.launches.begin(), state.view.launches.end(),
                                       [&](const auto& entry) { return entry.second.pool == pool; });
    return booting == 0 ? std::string{} : fmt::format("{} host{} booting", booting, booting == 1 ? "" : "s");
}

ClaimProgress progress_of(const State& state, const ClaimView& claim, std::uint32_t place, Instant now) {
    ClaimProgress progress{.claim = claim.asked.claim, .key = claim.asked.key, .state = claim.state, .place = place,
                           .phase = "queued", .since = claim.asked.accepted_at};
    if (claim.state == ClaimState::starting) {
        progress.phase = fmt::format("starting on {}", claim.host.value);
        return progress;
    }
    if (const auto booting = hosts_booting(state, claim.asked.pool); !booting.empty()) progress.phase = "queued; " + booting;
    if (const auto at = state.blocked_by.find(claim.asked.pool); at != state.blocked_by.end()) {
        progress.blocked_by = at->second;
    } else if (auto why = why_passed_over(state, claim.asked.pool, now)) {
        progress.blocked_by = std::move(*why);
    }
    if (auto why = why_pinned(state, claim, now); !why.empty()) progress.blocked_by = std::move(why);
    return progress;
}

}  // namespace

Principal principal_of(Role role, const std::string& sender, const std::optional<Principal>& named) {
    return role == Role::gateway && named ? *named : Principal{sender};
}

void ask_claim(Turn& turn, const Asked<ClaimRequest>& asked) {
    auto& state = turn.state;
    const auto& request = asked.body;
    if (const auto checked = check_request(request); !checked) return turn.refuse(asked.caller, checked.error());
    const auto principal = principal_of(asked.role, asked.sender, request.principal);
    turn.actor = principal.value;
    if (const auto* known = state.view.claim_of(principal, request.key)) {
        if (known->asked.body_hash != body_hash(request)) {
            return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format(
                "key '{}' was used for another request; use a new key, or send the same body", request.key.value)});
        }
        return answer_or_join(turn, *known, asked.caller);
    }
    if (state.storage_low) return turn.refuse(asked.caller, disk_is_full());
    if (state.claim_deadlines.size() >= state.policy.claims_open_max) {
        return turn.refuse(asked.caller, {ErrorKind::limit, fmt::format("{} claims wait already", state.policy.claims_open_max)});
    }
    const auto chosen = pool_for(state.view, request.pool);
    if (!chosen) return turn.refuse(asked.caller, chosen.error());
    const auto* const pool = *chosen;                    // facts about claims and leases leave it where it is

    const bool waits = !request.wait_ms || request.wait_ms->count() > 0;
    const auto wait = waits ? std::min(request.wait_ms.value_or(state.policy.claim_wait), state.policy.claim_wait_max)
                            : state.policy.claim_wait;
    const ClaimId id{fmt::format("c-{}", turn.next_position())};
    turn.record(ClaimAccepted{.claim = id, .key = request.key, .principal = principal, .body_hash = body_hash(request),
                              .user = request.user, .project = request.project, .pool = pool->pool,
                              .ttl_ms = std::min(request.ttl_ms.value_or(pool->ttl_ms), pool->ttl_max_ms),
                              .accepted_at = turn.now, .deadline = turn.now + wait},
                fmt::format("{} asked for {} of {}", principal.value, request.project.value, request.user.value));
    if (asked.caller) state.callers[id].push_back(*asked.caller);
    turn.actor = "allocator";

    std::vector<std::string> why_not;
    const auto& queue = state.queue[pool->pool];
    const auto* owned = state.view.workspace_of(request.user, request.project);
    if (request.ttl_ms && owned) extend_lease(turn, *owned, turn.now + *request.ttl_ms, "a claim asked for more time");
    // Who can start on one host alone holds up nobody else.
    const bool nobody_before = std::all_of(queue.begin(), queue.end(), [&](const auto& entry) { return pin_of(state, state.view.claims.at(entry.second)).has_value(); });
    const bool in_line = nobody_before || (owned && owned->leased);
    if (in_line && try_place(turn, id, why_not) != Placed::no_capacity) return;
    if (!waits) {
        if (why_not.empty()) why_not.push_back(fmt::format("{} claims wait before it", queue.size()));
        return end_claim(turn, id, ClaimState::denied, ErrorKind::no_capacity,
                         fmt::format("no slot is free in pool {}: {}", pool->pool.value, why_not.front()));
    }
    state.queue[pool->pool][order_of(id)] = id;
    const auto place = static_cast<std::uint32_t>(state.queue[pool->pool].size());
    turn.out.progress.push_back(progress_of(state, state.view.claims.at(id), place, turn.now));
}

void ask_outcome(Turn& turn, const Asked<ClaimOutcomeRequest>& asked) {
    const auto principal = principal_of(asked.role, asked.sender, asked.body.principal);
    const auto* claim = turn.state.view.claim_of(principal, asked.body.key);
    if (!claim) {
        return turn.refuse(asked.caller, {ErrorKind::not_found, fmt::format(
            "no claim with key '{}' by {}; it was never accepted or ended over 48 h ago", asked.body.key.value, principal.value)});
    }
    if (claim->open()) return turn.reply(asked.caller, claim_reply(turn.state, *claim));
    answer_or_join(turn, *claim, asked.caller);
}

void place(Turn& turn, const ClaimId& id) {
    const auto& claim = turn.state.view.claims.at(id);
    std::vector<std::string> why_not;
    if (try_place(turn, id, why_not) == Placed::no_capacity) turn.state.queue[claim.asked.pool][order_of(id)] = id;
}

void serve_queues(Turn& turn) {
    for (auto& [pool, queue] : turn.state.queue) {
        for (auto at = queue.begin(); at != queue.end();) {
            const auto [order, id] = *at;
            std::vector<std::string> why_not;
            const bool placed = try_place(turn, id, why_not) != Placed::no_capacity;
            if (!placed && !pin_of(turn.state, turn.state.view.claims.at(id))) break;
            if (placed) queue.erase(order);
            at = queue.upper_bound(order);
        }
    }
}

void resume_claims(Turn& turn) {
    std::vector<ClaimId> returning;
    for (const auto& [pool, queue] : turn.state.queue) {
        for (const auto& [order, id] : queue) {
            const auto& asked = turn.state.view.claims.at(id).asked;
            const auto* owned = turn.state.view.workspace_of(asked.user, asked.project);
            if (owned && owned->leased) returning.push_back(id);
        }
    }
    for (const auto& id : returning) {
        turn.state.queue[turn.state.view.claims.at(id).asked.pool].erase(order_of(id));
        place(turn, id);
    }
}

void serve_followers(Turn& turn, const WorkspaceId& id) {
    const auto& workspace = turn.state.view.workspaces.at(id);
    const auto group = turn.state.followers.find({workspace.user, workspace.project});
    if (group == turn.state.followers.end()) return;
    const auto waiting = group->second;  // a copy: granting changes the set
    for (const auto& claim : waiting) {
        if (workspace.state == WorkspaceState::active) {
            grant_claim(turn, claim, workspace, "its workspace is ready");
        } else if (workspace.state == WorkspaceState::stopped || workspace.state == WorkspaceState::destroyed) {
            turn.state.followers.erase({workspace.user, workspace.project});
            for (const auto& each : waiting) place(turn, each);
            return;
        }
    }
}

void end_claim(Turn& turn, const ClaimId& id, ClaimState state, ErrorKind kind, std::string text) {
    const auto& claim = turn.state.view.claims.at(id);
    turn.record(ClaimDenied{.claim = id, .key = claim.asked.key, .state = state, .kind = kind, .text = text}, text);
    const auto waiting = turn.state.callers.extract(id);
    if (waiting.empty()) return;
    for (const auto caller : waiting.mapped()) turn.refuse(caller, refusal_of(id, kind, text));
}

void expire_claims(Turn& turn) {
    auto& deadlines = turn.state.claim_deadlines;
    while (!deadlines.empty() && deadlines.begin()->first <= turn.now) {
        const auto id = deadlines.begin()->second;
        const auto& claim = turn.state.view.claims.at(id);
        const auto waited = about(turn.now - claim.asked.accepted_at);
        const auto* own = turn.state.view.workspace_of(claim.asked.user, claim.asked.project);
        if (own && own->state != WorkspaceState::stopped) {   // it waits for its own workspace, not for room (I11)
            end_claim(turn, id, ClaimState::expired, ErrorKind::timeout,
                      fmt::format("its workspace {} is still {} on {} after {}", own->workspace.value, to_string(own->state),
                                  own->host.value, waited) + (why_not_stopped(turn.state, *own).empty() ? "" : ": " + why_not_stopped(turn.state, *own)));
            continue;
        }
        auto text = fmt::format("no slot became free in pool {} within {}", claim.asked.pool.value, waited);
        const auto blocked = turn.state.blocked_by.find(claim.asked.pool);
        if (blocked != turn.state.blocked_by.end()) text += ": " + blocked->second;
        if (const auto why = why_passed_over(turn.state, claim.asked.pool, turn.now)) text += "; passed over is " + *why;
        if (const auto why = why_unsettled(turn.state, turn.now)) text += ": " + *why;
        if (const auto why = why_pinned(turn.state, claim, turn.now); !why.empty()) text = fmt::format("after {}: {}", waited, why);
        const auto booting = hosts_booting(turn.state, claim.asked.pool);
        if (!booting.empty()) text += fmt::format("; {}: `berth doctor` says what keeps it from coming", booting);
        end_claim(turn, id, ClaimState::expired, ErrorKind::no_capacity, std::move(text));
    }
}

void tell_progress(Turn& turn) {
    auto& state = turn.state;
    if (turn.now < state.next_progress) return;
    state.next_progress = turn.now + state.policy.progress_every;
    std::uint32_t told = 0;
    for (const auto& [pool, queue] : state.queue) {
        std::uint32_t place = 0;
        for (const auto& [order, id] : queue) {
            if (++told > state.policy.progress_claims_max) return;
            turn.out.progress.push_back(progress_of(state, state.view.claims.at(id), ++place, turn.now));
        }
    }
}

Error disk_is_full() {
    return {ErrorKind::unavailable, "the ledger's disk is full: nothing new is taken until there is room on it. Releases still work"};
}

namespace {

// A key's outcome stands for ever, but what it granted does not: who asks again is told so.
std::optional<ClaimOver> over_of(const ClaimView& claim, const WorkspaceView* workspace) {
    if (claim.state != ClaimState::granted || !workspace) return std::nullopt;
    const auto state = workspace->state;
    const bool runs = state == WorkspaceState::active || state == WorkspaceState::starting;
    if (state == WorkspaceState::active && workspace->epoch == claim.epoch) return std::nullopt;
    ClaimOver over{.state = std::string{to_string(state)}, .since = workspace->changed_at};
    const auto& id = workspace->workspace.value;
    const auto granted = fmt::format("this key's claim was granted at {}", to_rfc3339(claim.ended_at));
    if (runs) {
        over.text = fmt::format("{}; that lease ended, and {} is {} under a later one: `berth open {}` opens it", granted, id, over.state, id);
    } else if (state == WorkspaceState::stopped || state == WorkspaceState::stopping) {
        over.text = fmt::format("{} and {} is {} since {}: `berth start {}` starts it again", granted, id, over.state,
                                to_rfc3339(over.since), id);
    } else {
        over.text = fmt::format("{}; {} and its files are {} since {}: a claim with a new key makes a new one", granted, id, over.state,
                                to_rfc3339(over.since));
    }
    return over;
}

}  // namespace

ClaimReply claim_reply(const State& state, const ClaimView& claim) {
    ClaimReply reply{.claim = claim.asked.claim, .key = claim.asked.key, .state = claim.state,
                     .workspace = claim.workspace, .user = claim.asked.user, .project = claim.asked.project,
                     .host = claim.host, .url = claim.url, .epoch = claim.epoch, .lease_expires_at = claim.lease_expires_at};
    if (const auto host = state.view.hosts.find(claim.host); host != state.view.hosts.end()) {
        reply.instance = host->second.instance;
        reply.ip = host->second.public_ip;
        reply.port = host->second.proxy_port;
    }
    const auto workspace = state.view.workspaces.find(claim.workspace);
    const bool known = workspace != state.view.workspaces.end();
    if (known && workspace->second.epoch == claim.epoch) reply.lease_expires_at = workspace->second.expires_at;
    reply.over = over_of(claim, known ? &workspace->second : nullptr);
    return reply;
}

}  // namespace berth::allocator
