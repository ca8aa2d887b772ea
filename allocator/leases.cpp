// SPDX-License-Identifier: Apache-2.0
// Leases: driving each workspace from its state to the next one, and what users may ask of it.
// Driving is level-triggered: whatever was lost, the next due time sends the command again, and
// hosts answer a repeated command with its first result (I3).
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "allocator/turn.hpp"
#include "base/check.hpp"

namespace berth::allocator {

namespace {

LeaseOrder order_for(const State& state, const WorkspaceView& workspace) {
    const bool runs = workspace.state == WorkspaceState::starting || workspace.state == WorkspaceState::active;
    return {.slot = workspace.slot, .epoch = workspace.epoch, .workspace = workspace.workspace, .user = workspace.user,
            .project = workspace.project, .wanted = runs ? Wanted::running : Wanted::stopped,
            .expires_at = workspace.expires_at, .hold_until = workspace.hold_until, .home = home_order_of(state, workspace)};
}

PendingCommand pending_for(CommandKind kind, const WorkspaceView& workspace) {
    return {.kind = kind, .host = {workspace.host, workspace.incarnation}, .workspace = workspace.workspace,
            .epoch = workspace.epoch};
}

void fail_start(Turn& turn, const WorkspaceView& workspace, const std::string& text) {
    turn.record(WorkspaceFailed{.workspace = workspace.workspace, .epoch = workspace.epoch, .host = workspace.host,
                                .slot = workspace.slot, .text = text},
                fmt::format("the start on {} failed: {}", workspace.host.value, text));
}

void drive_erase(Turn& turn, const WorkspaceView& workspace) {
    const auto& hosts = turn.state.view.hosts;
    const auto usable = [&](const HostView& host) {
        return host.liveness == Liveness::live && host.pool == workspace.pool && turn.state.seen.contains(host.host);
    };
    const HostView* chosen = nullptr;
    const auto only = workspace.home_on ? hosts.find(workspace.home_on->host) : hosts.end();   // there it is, and nowhere else
    if (only != hosts.end() && only->second.liveness != Liveness::gone) {
        if (usable(only->second)) chosen = &only->second;
        else return schedule(turn.state, workspace.workspace, turn.now + turn.state.policy.command_retry);
    }
    if (const auto last = hosts.find(workspace.host); !chosen && last != hosts.end() && usable(last->second)) chosen = &last->second;
    for (auto at = hosts.begin(); !chosen && at != hosts.end(); ++at) {
        if (usable(at->second)) chosen = &at->second;
    }
    // An old copy of the ledger does not know who has that home mounted.
    if (!chosen || why_unsettled(turn.state, turn.now)) return schedule(turn.state, workspace.workspace, turn.now + turn.state.policy.command_retry);
    auto pending = pending_for(CommandKind::erase, workspace);
    pending.host = {chosen->host, chosen->incarnation};
    EraseCommand command{.term = turn.state.view.term, .workspace = workspace.workspace};
    if (const auto order = home_order_of(turn.state, workspace)) command.home = order->rule;
    turn.command(pending, std::move(command), turn.state.policy.command_timeout);
    unschedule(turn.state, workspace.workspace);
}

void fail_open_claim(Turn& turn, const WorkspaceId& id, const std::string& text) {
    const auto& workspace = turn.state.view.workspaces.at(id);
    const auto group = turn.state.followers.find({workspace.user, workspace.project});
    if (group == turn.state.followers.end()) return;
    const auto waiting = group->second;
    for (const auto& claim : waiting) end_claim(turn, claim, ClaimState::failed, ErrorKind::conflict, text);
}

}  // namespace

std::vector<WorkspaceId> resolve(const View& view, const WorkspaceRef& ref) {
    std::vector<WorkspaceId> found;
    if (!ref.workspace && !ref.user && !ref.instance) return found;
    const auto matches = [&](const WorkspaceView& workspace) {
        if (workspace.state == WorkspaceState::destroyed && !ref.workspace) return false;
        if (ref.workspace && *ref.workspace != workspace.workspace) return false;
        if (ref.user && *ref.user != workspace.user) return false;
        if (ref.project && *ref.project != workspace.project) return false;
        if (!ref.instance) return true;
        const auto host = view.hosts.find(workspace.host);
        return workspace.leased && host != view.hosts.end() && host->second.instance == *ref.instance;
    };
    if (ref.workspace) {
        const auto at = view.workspaces.find(*ref.workspace);
        if (at != view.workspaces.end() && matches(at->second)) found.push_back(at->first);
        return found;
    }
    if (ref.user) {
        for (auto at = view.index.by_owner.lower_bound({*ref.user, ProjectName{}});
             at != view.index.by_owner.end() && at->first.first == *ref.user; ++at) {
            if (matches(view.workspaces.at(at->second))) found.push_back(at->second);
        }
        return found;
    }
    for (const auto& [id, workspace] : view.workspaces) {
        if (matches(workspace)) found.push_back(id);
    }
    return found;
}

std::string describe(const WorkspaceRef& ref) {
    std::string text;
    if (ref.workspace) text += fmt::format(" id {}", ref.workspace->value);
    if (ref.user) text += fmt::format(" user {}", ref.user->value);
    if (ref.project) text += fmt::format(" project {}", ref.project->value);
    if (ref.instance) text += fmt::format(" instance {}", *ref.instance);
    return text.empty() ? " (the request names none)" : text;
}

HostOrders orders_of(const State& state, const HostView& host) {
    const auto pool = state.view.pools.find(host.pool);
    HostOrders orders{.term = state.view.term, .position = state.view.position, .admission = host.admission,
                      .heartbeat_ms = state.policy.heartbeat,
                      .standbys = pool == state.view.pools.end() ? 0 : pool->second.standbys};
    orders.homes = home_rule_of(state, host.pool);
    orders.leaving = host.leaving;
    for (const auto& slot : host.slots) {
        if (slot.workspace.empty()) continue;
        orders.leases.push_back(order_for(state, state.view.workspaces.at(slot.workspace)));
    }
    return orders;
}

void drive(Turn& turn, const WorkspaceId& id) {
    const auto& workspace = turn.state.view.workspaces.at(id);
    const auto& policy = turn.state.policy;
    // A lease that was taken over from its host has no claim, and runs: silence does not end it.
    const auto usual = (workspace.claim ? workspace.granted_at : turn.now) + policy.start_deadline;
    const auto give_up_at = restoring_until(turn.state, workspace).value_or(usual);
    if (workspace.state == WorkspaceState::starting && turn.now >= give_up_at) {
        fail_start(turn, workspace, fmt::format("not healthy within {}", to_text(give_up_at - workspace.granted_at)));
    }
    if (turn.state.driving.contains(id)) {  // its answer drives it on
        if (workspace.state == WorkspaceState::starting) schedule(turn.state, id, give_up_at);
        else unschedule(turn.state, id);
        return;
    }
    const auto term = turn.state.view.term;
    if (workspace.state == WorkspaceState::starting) {
        turn.command(pending_for(CommandKind::bind, workspace), BindCommand{term, order_for(turn.state, workspace), workspace.incarnation, turn.state.view.position}, policy.bind_timeout);
        schedule(turn.state, id, give_up_at);
    } else if (workspace.leased && (workspace.state == WorkspaceState::stopping || workspace.state == WorkspaceState::destroying)) {
        turn.command(pending_for(CommandKind::stop, workspace),
                     StopCommand{term, workspace.slot, workspace.epoch, workspace.workspace,
                                 workspace.state == WorkspaceState::destroying ? std::optional{true} : std::nullopt}, policy.command_timeout);
        unschedule(turn.state, id);
    } else if (workspace.state == WorkspaceState::destroying) {
        drive_erase(turn, workspace);
    } else {
        unschedule(turn.state, id);
    }
}

void drive_due(Turn& turn) {
    auto& due = turn.state.due;
    while (!due.empty() && due.begin()->first <= turn.now) {
        const auto id = due.begin()->second;
        unschedule(turn.state, id);
        drive(turn, id);
        check(due.empty() || due.begin()->second != id || due.begin()->first > turn.now, "driving moves the due time on");
    }
}

void begin_stop(Turn& turn, const WorkspaceId& id, std::string why, std::vector<std::string> evidence) {
    const auto& workspace = turn.state.view.workspaces.at(id);
    check(workspace.leased, "only a leased workspace is stopped");
    turn.record(WorkspaceStopping{.workspace = id, .epoch = workspace.epoch, .host = workspace.host, .slot = workspace.slot},
                std::move(why), std::move(evidence));
    drive(turn, id);
}

std::uint32_t stop_workspaces(Turn& turn, const HostView& host, const std::string& why) {
    std::uint32_t stopped = 0;
    for (std::uint32_t index = 0; index < host.slots.size(); ++index) {
        const auto id = host.slots[index].workspace;
        if (id.empty()) continue;
        const auto& workspace = turn.state.view.workspaces.at(id);
        if (workspace.state == WorkspaceState::active) {
            begin_stop(turn, id, why);
        } else if (workspace.state == WorkspaceState::starting) {
            fail_start(turn, workspace, why);
            drive(turn, id);
        } else {
            continue;
        }
        ++stopped;
    }
    return stopped;
}

void finish_stop(Turn& turn, const WorkspaceId& id, std::string why) {
    const auto& workspace = turn.state.view.workspaces.at(id);
    turn.record(WorkspaceStopped{.workspace = id, .epoch = workspace.epoch, .host = workspace.host,
                                 .incarnation = workspace.incarnation, .slot = workspace.slot},
                std::move(why));
    if (workspace.state == WorkspaceState::destroying) return drive(turn, id);
    const auto group = turn.state.followers.find({workspace.user, workspace.project});
    if (group == turn.state.followers.end()) return;
    const auto waiting = group->second;
    for (const auto& claim : waiting) {
        const auto& view = turn.state.view.claims.at(claim);
        if (view.tries >= turn.state.policy.tries_max) {
            end_claim(turn, claim, ClaimState::failed, ErrorKind::unavailable,
                      fmt::format("its workspace failed to start {} times, the last time on {}", view.tries, workspace.host.value));
        }
    }
    serve_followers(turn, id);
}

ClaimReply reply_with(const State& state, const PendingCommand& asked, const WorkspaceView& workspace, const LinkReply& link) {
    const auto& claims = state.view.claims;
    const auto claim = asked.claim ? claims.find(*asked.claim) : claims.end();
    ClaimView plain;  // of a request for a link alone
    if (claim == claims.end()) {
        plain.asked = {.user = workspace.user, .project = workspace.project};
        plain.state = ClaimState::granted;
        plain.workspace = asked.workspace;
        plain.host = asked.host.host;
        plain.epoch = asked.epoch;
    }
    auto reply = claim_reply(state, claim == claims.end() ? plain : claim->second);
    reply.url = link.url;
    reply.link = link.link;
    reply.token = link.token;
    return reply;
}

void ask_link(Turn& turn, const WorkspaceView& workspace, std::optional<CallerId> caller, std::optional<ClaimId> claim) {
    if (!caller) return;
    auto pending = pending_for(CommandKind::link, workspace);
    pending.caller = caller;
    pending.claim = std::move(claim);
    if (const auto link = std::exchange(turn.link, std::nullopt)) {
        return turn.reply(caller, reply_with(turn.state, pending, workspace, *link));
    }
    turn.command(std::move(pending), LinkCommand{turn.state.view.term, workspace.slot, workspace.epoch, workspace.workspace},
                 turn.state.policy.command_timeout);
}

void ask(Turn& turn, const Asked<LinkRequest>& asked) {
    const auto found = resolve_or_refuse(turn, asked);
    if (found.empty()) return;
    const auto& workspace = turn.state.view.workspaces.at(found.front());
    if (found.size() > 1) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("{} workspaces match; name the project", found.size())});
    }
    if (workspace.state != WorkspaceState::active) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("workspace {} is {}; claim it to start it",
                                                                           workspace.workspace.value, to_string(workspace.state))});
    }
    ask_link(turn, workspace, asked.caller, std::nullopt);
}

void ask(Turn& turn, const Asked<ReleaseRequest>& asked) {
    std::uint32_t count = 0;
    const auto found = resolve_or_refuse(turn, asked);
    if (found.empty()) return;
    for (const auto& id : found) {
        const auto& workspace = turn.state.view.workspaces.at(id);
        if (workspace.state == WorkspaceState::starting || workspace.state == WorkspaceState::active) {
            begin_stop(turn, id, asked.body.why.empty() ? fmt::format("{} released it", turn.actor) : asked.body.why);
            fail_open_claim(turn, id, "the workspace was released while it started");
            ++count;
        }
    }
    turn.reply(asked.caller, turn.done(count));
}

void ask(Turn& turn, const Asked<DestroyRequest>& asked) {
    std::uint32_t count = 0;
    const auto found = resolve_or_refuse(turn, asked);
    if (found.empty()) return;
    for (const auto& id : found) {
        const auto state = turn.state.view.workspaces.at(id).state;
        if (state == WorkspaceState::destroying || state == WorkspaceState::destroyed) continue;
        turn.record(WorkspaceDestroying{id}, asked.body.why.empty() ? fmt::format("{} asked to destroy it", turn.actor) : asked.body.why);
        fail_open_claim(turn, id, "the workspace was destroyed while it started");
        drive(turn, id);
        ++count;
    }
    turn.reply(asked.caller, turn.done(count));
}

// Later only, and up to the pool's cap; whether anything changed.
bool extend_lease(Turn& turn, const WorkspaceView& workspace, Instant wanted, std::string why) {
    const auto until = std::min(wanted, turn.now + turn.state.view.pools.at(workspace.pool).ttl_max_ms);
    const bool runs = workspace.state == WorkspaceState::active || workspace.state == WorkspaceState::starting;
    if (!workspace.leased || !runs || until <= workspace.expires_at) return false;
    turn.record(LeaseExtended{workspace.workspace, workspace.epoch, until}, until < wanted ? why + ", up to the pool's cap" : std::move(why));
    return true;
}

void ask(Turn& turn, const Asked<ExtendRequest>& asked) {
    if (asked.body.expires_at <= turn.now) {
        turn.refuse(asked.caller, {ErrorKind::invalid, fmt::format("{} lies in the past; name a later end", to_rfc3339(asked.body.expires_at))});
        return;
    }
    const auto found = resolve_or_refuse(turn, asked);
    if (found.empty()) return;
    std::uint32_t count = 0;
    for (const auto& id : found) {
        const auto& workspace = turn.state.view.workspaces.at(id);
        const auto until = std::min(asked.body.expires_at, turn.now + turn.state.view.pools.at(workspace.pool).ttl_max_ms);
        if (workspace.state == WorkspaceState::stopped && until > turn.now) {
            if (turn.state.storage_low) return turn.refuse(asked.caller, disk_is_full());
            const bool retired = turn.state.view.is_retired(workspace.pool);
            ask_claim(turn, {std::nullopt, asked.role, asked.sender, asked.message,
                             ClaimRequest{.key = {"extend/" + asked.message}, .user = workspace.user, .project = workspace.project,
                                          .pool = retired ? std::nullopt : std::optional{workspace.pool}, .ttl_ms = until - turn.now}});
            ++count;
        } else if (extend_lease(turn, workspace, asked.body.expires_at, "extended as asked")) {
            ++count;
        }
    }
    turn.reply(asked.caller, turn.done(count));
}

void ask(Turn& turn, const Asked<HoldRequest>& asked) {
    const auto found = resolve_or_refuse(turn, asked);
    if (found.empty()) return;
    std::uint32_t count = 0;
    for (const auto& id : found) {
        const auto& workspace = turn.state.view.workspaces.at(id);
        const auto until = std::min(asked.body.until, turn.now + turn.state.view.pools.at(workspace.pool).hold_max_ms);
        if (workspace.state != WorkspaceState::active || until <= turn.now) continue;
        turn.record(WorkspaceHeld{id, workspace.epoch, until},
                    asked.body.why.empty() ? fmt::format("{} asked to keep it", turn.actor) : asked.body.why);
        ++count;
    }
    turn.reply(asked.caller, turn.done(count));
}

void ask(Turn& turn, const Asked<ReapRequest>& asked) {
    const auto at = turn.state.view.workspaces.find(asked.body.workspace);
    if (at == turn.state.view.workspaces.end()) {
        return turn.refuse(asked.caller, {ErrorKind::not_found, fmt::format("no workspace {}", asked.body.workspace.value)});
    }
    const auto& workspace = at->second;
    const bool runs = workspace.state == WorkspaceState::active || workspace.state == WorkspaceState::starting;
    if (!runs || workspace.epoch != asked.body.epoch) return turn.reply(asked.caller, turn.done(0));
    const auto& pool = turn.state.view.pools.at(workspace.pool);
    const bool over = (asked.body.cause == "expired" && workspace.expires_at <= turn.now) ||
                      (asked.body.cause == "lifetime" && workspace.granted_at + pool.lifetime_max_ms <= turn.now);
    if (!over) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("workspace {} is not over: '{}' does not hold by the ledger (it expires at {})",
                                                                           workspace.workspace.value, asked.body.cause, to_rfc3339(workspace.expires_at))});
    }
    if (turn.state.view.is_unsure_of(turn.state.view.hosts.at(workspace.host))) {
        return turn.refuse(asked.caller, {ErrorKind::conflict, fmt::format("workspace {} may have been extended: the ledger is an old copy; see docs/restore.md",
                                                                           workspace.workspace.value)});
    }
    begin_stop(turn, workspace.workspace, asked.body.cause == "expired" ? "its lease expired" : "it reached the pool's maximum lifetime",
               asked.body.evidence);
    fail_open_claim(turn, workspace.workspace, "the lease ended while the workspace started");
    turn.reply(asked.caller, turn.done(1));
}

void hear_idle(Turn& turn, const IdleIntended& intended) {
    const auto& intent = intended.intent;
    const auto at = turn.state.view.workspaces.find(intent.workspace);
    if (at == turn.state.view.workspaces.end()) return;
    const auto& workspace = at->second;
    if (workspace.state != WorkspaceState::active || workspace.epoch != intent.epoch || workspace.host != intent.host) return;
    if (intent.withdrawn.value_or(false)) {
        if (workspace.idle_stop_at != intent.stop_at) return;
        turn.record(IdleWithdrawn{intent.workspace, intent.epoch}, intended.reason.why(), intended.reason.evidence());
        return;
    }
    if (workspace.idle_stop_at == intent.stop_at) return;
    turn.record(IdleNoted{intent.workspace, intent.epoch, intent.stop_at}, intended.reason.why(), intended.reason.evidence());
}

void ask(Turn& turn, const Asked<HostObjected>& asked) {
    const auto& objection = asked.body;
    const auto at = turn.state.view.workspaces.find(objection.workspace);
    if (at == turn.state.view.workspaces.end() || asked.sender != objection.host.value) return;
    const auto& workspace = at->second;
    if (workspace.host != objection.host || workspace.epoch != objection.epoch || !workspace.idle_stop_at) return;
    std::vector<std::string> evidence;
    for (const auto& signal : objection.signals) {
        evidence.push_back(fmt::format("{}: {}", signal.name, signal.last_at ? to_rfc3339(*signal.last_at) : "unknown"));
    }
    turn.record(StopObjected{objection.workspace, objection.epoch}, "the host saw use, or could not rule it out, at the deadline",
                std::move(evidence));
}

void hear_answer(Turn& turn, const CommandAnswered& answered) {
    const auto found = turn.state.commands.extract(answered.command);
    if (found.empty()) return;  // answered before
    const auto& pending = found.mapped();
    const auto& answer = answered.answer;
    if (pending.kind == CommandKind::seal) return hear_seal(turn, pending, answer);
    const auto at = turn.state.view.workspaces.find(pending.workspace);
    if (pending.kind == CommandKind::link) {
        if (!answer) {
            // Its agent may only be starting again: not there yet is for the caller as too late.
            const auto kind = answer.error().kind == ErrorKind::unavailable ? ErrorKind::timeout : answer.error().kind;
            return turn.refuse(pending.caller, {kind, fmt::format(
                "the workspace runs on {}, but it gave no link: {}. Ask again with the same key", pending.host.host.value, answer.error().text)});
        }
        const auto* link = std::get_if<LinkReply>(&*answer);
        if (!link || at == turn.state.view.workspaces.end()) return;
        return turn.reply(pending.caller, reply_with(turn.state, pending, at->second, *link));
    }
    if (const auto driving = turn.state.driving.find(pending.workspace);
        driving != turn.state.driving.end() && driving->second == answered.command) {
        turn.state.driving.erase(driving);
    }
    if (at == turn.state.view.workspaces.end() || at->second.epoch != pending.epoch) return;
    const auto& workspace = at->second;
    const auto again = [&] {
        if (!turn.state.driving.contains(pending.workspace)) {
            schedule(turn.state, pending.workspace, turn.now + turn.state.policy.command_retry);
        }
    };
    if (pending.kind == CommandKind::bind && workspace.state == WorkspaceState::starting) {
        if (answer) {
            const auto* bound = std::get_if<BindReply>(&*answer);
            check(bound != nullptr, "a bind is answered by a BindReply");
            turn.record(WorkspaceStarted{workspace.workspace, workspace.epoch, workspace.host, workspace.slot, bound->container, bound->url},
                        fmt::format("{} reported it healthy and bound", workspace.host.value));
            turn.link = bound->link;
            serve_followers(turn, pending.workspace);
            turn.link.reset();
            return;
        }
        const auto kind = answer.error().kind;
        if (kind == ErrorKind::timeout || kind == ErrorKind::unavailable) return again();  // until start_deadline
        fail_start(turn, workspace, answer.error().text);
        return drive(turn, pending.workspace);
    }
    if (pending.kind == CommandKind::stop && workspace.leased) {
        if (!answer) return again();
        if (const auto* stopped = std::get_if<StopReply>(&*answer)) note_archive(turn, pending.workspace, pending.epoch, stopped->archive);
        if (!may_be_cleared(workspace)) return again();
        return finish_stop(turn, pending.workspace, fmt::format("{} reported it stopped and wiped", workspace.host.value));
    }
    if (pending.kind == CommandKind::erase && workspace.state == WorkspaceState::destroying && !workspace.leased) {
        if (!answer) return again();
        turn.record(WorkspaceDestroyed{pending.workspace}, fmt::format("{} erased its home", pending.host.host.value));
        return serve_followers(turn, pending.workspace);
    }
}

}  // namespace berth::allocator
