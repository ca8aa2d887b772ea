// SPDX-License-Identifier: Apache-2.0
// Leases that are over: past their deadline, past the lifetime of the pool, or quiet for its window.
//
//   watched ──(quiet for the window)──► intended ──► (its fact comes) no longer watched
//      ▲                                 │  ▲  └ nothing came of it: intended again, later each time
//      └───(objection · a sign of use)───┘
#include <fmt/format.h>

#include <algorithm>

#include "reaper/activity.hpp"
#include "reaper/turn.hpp"

namespace berth::reaper {

namespace {

const PoolDefined& pool_of(const State& state, const WorkspaceView& workspace) {
    static const PoolDefined unknown;
    const auto at = state.view.pools.find(workspace.pool);
    return at == state.view.pools.end() ? unknown : at->second;
}

bool is_watched(const WorkspaceView& workspace) {
    return workspace.leased &&
           (workspace.state == WorkspaceState::starting || workspace.state == WorkspaceState::active);
}

void wake_at(State& state, const WorkspaceId& id, WorkspaceWatch& watch, Instant at) {
    if (watch.wake_at) {
        if (*watch.wake_at <= at) return;
        state.workspace_wakes.erase({*watch.wake_at, id});
    }
    watch.wake_at = at;
    state.workspace_wakes.insert({at, id});
}

void forget(State& state, const WorkspaceId& id) {
    const auto at = state.workspaces.find(id);
    if (at == state.workspaces.end()) return;
    if (at->second.wake_at) state.workspace_wakes.erase({*at->second.wake_at, id});
    state.workspaces.erase(at);
}

Instant intent_lost_at(const Policy& policy, const Intended& intent) {
    const auto grace = policy.intent_grace * (1L << std::min<std::uint32_t>(intent.tries, 16));
    return intent.stop_at + std::min(policy.intent_grace_max, grace);
}

// The end of the lease by the clock: its own deadline or the lifetime of the pool.
struct End {
    Instant at;
    const char* cause;
    const char* name;
};
End end_of(const WorkspaceView& workspace, const PoolDefined& pool) {
    const End expiry{workspace.expires_at, "expired", "its lease ended"};
    const End lifetime{workspace.granted_at + pool.lifetime_max_ms, "lifetime", "it reached the pool's lifetime"};
    return expiry.at <= lifetime.at ? expiry : lifetime;
}

bool made_by(const Intended& intent, const PoolDefined& pool) {
    const auto jobs = pool.jobs_rule();
    return intent.window == pool.idle_after_ms && intent.jobs == jobs.jobs && intent.job_max == jobs.max;
}

// The earliest instant at which any rule could say something new.
Instant next_look(const State& state, const WorkspaceView& workspace, const WorkspaceWatch& watch, Instant now) {
    const auto& pool = pool_of(state, workspace);
    auto at = std::max(end_of(workspace, pool).at, watch.asking.not_before);
    if (watch.intent && !made_by(*watch.intent, pool) && (watch.reading || pool.idle_after_ms.count() == 0)) return now;
    if (watch.intent) return std::min(at, intent_lost_at(state.policy, *watch.intent));
    if (pool.idle_after_ms.count() > 0) {
        const auto quiet = quiet_since(state.policy, pool.jobs_rule(), workspace, watch, now);
        if (quiet.since) at = std::min(at, *quiet.since + pool.idle_after_ms);
    }
    return at;
}

void reap(Turn& turn, const WorkspaceView& workspace, WorkspaceWatch& watch, const End& end) {
    auto& state = turn.state;
    if (!may_ask(state)) {
        watch.asking.not_before = turn.now + state.policy.retry;
        state.turned_away.insert(workspace.workspace);
        return;
    }
    const auto id = state.next_ask++;
    watch.asking.open = id;
    state.workspace_asks[id] = workspace.workspace;
    turn.line(LogLevel::info, "workspace.over", workspace.workspace.value, fmt::format("{} at {}", end.name, to_rfc3339(end.at)));
    turn.out.asks.push_back({id, ReapRequest{.workspace = workspace.workspace, .epoch = workspace.epoch,
                                                   .cause = end.cause,
                                                   .evidence = {fmt::format("{} at {}", end.name, to_rfc3339(end.at)),
                                                                fmt::format("granted at {}", to_rfc3339(workspace.granted_at))}}});
}

void note_policy(Intended& intent, const PoolDefined& pool) {
    intent.window = pool.idle_after_ms;
    intent.jobs = pool.jobs_rule().jobs;
    intent.job_max = pool.jobs_rule().max;
}

void withdraw(Turn& turn, const WorkspaceView& workspace, WorkspaceWatch& watch, const std::string& why) {
    turn.line(LogLevel::info, "intent.withdrawn", workspace.workspace.value, why);
    turn.out.intents.push_back(
        {WorkspaceIdle{.workspace = workspace.workspace, .epoch = workspace.epoch, .host = workspace.host, .slot = workspace.slot,
                       .stop_at = watch.intent->stop_at, .withdrawn = true},
         Reason{why, "reaper", turn.state.policy.version, {}}});
    watch.intent.reset();
    watch.withdrawn_at = turn.now;
}

/// An intent that an earlier policy made stands only if the present one would make it too.
void withdraw_if_outlived(Turn& turn, const WorkspaceView& workspace, WorkspaceWatch& watch) {
    const auto& pool = pool_of(turn.state, workspace);
    if (!watch.intent || made_by(*watch.intent, pool)) return;
    const auto quiet = quiet_since(turn.state.policy, pool.jobs_rule(), workspace, watch, turn.now);
    const bool off = pool.idle_after_ms.count() == 0;
    if (!off && !watch.reading) return;                    // nothing is known yet: its host may be about to speak
    if (!off && quiet.since && *quiet.since + pool.idle_after_ms <= turn.now) return note_policy(*watch.intent, pool);
    const auto why = off               ? std::string{"the pool stops nothing for idleness"}
                     : quiet.since ? fmt::format("quiet since {}, and the pool now waits {}", to_rfc3339(*quiet.since), to_text(pool.idle_after_ms))
                                   : "not known to be idle: " + quiet.veto;
    withdraw(turn, workspace, watch, why);
}

void intend(Turn& turn, const WorkspaceView& workspace, WorkspaceWatch& watch, Instant since, const PoolDefined& pool) {
    const auto jobs = pool.jobs_rule();
    const auto tries = watch.intent ? watch.intent->tries + 1 : 0;
    const auto stop_at = turn.now + turn.state.policy.objection;
    watch.intent = Intended{.stop_at = stop_at, .tries = tries};
    note_policy(*watch.intent, pool);
    auto evidence = evidence_of(workspace, watch, jobs);
    if (tries > 0) evidence.push_back(fmt::format("said {} times before, and nothing came of it", tries));
    auto why = fmt::format("every signal is quiet since {}, for {} or more", to_rfc3339(since), to_text(pool.idle_after_ms));
    turn.line(tries > 0 ? LogLevel::warn : LogLevel::info, "workspace.idle", workspace.workspace.value, why);
    turn.out.intents.push_back(
        {WorkspaceIdle{.workspace = workspace.workspace, .epoch = workspace.epoch, .host = workspace.host,
                       .slot = workspace.slot, .quiet_since = since, .last_use = last_use_of(*watch.reading, jobs), .stop_at = stop_at,
                       .jobs = jobs.jobs, .job_max_ms = jobs.max},
         Reason{std::move(why), "reaper", turn.state.policy.version, std::move(evidence)}});
}

void judge(Turn& turn, const WorkspaceView& workspace, WorkspaceWatch& watch) {
    if (watch.asking.open) return;  // its answer looks again
    const auto& pool = pool_of(turn.state, workspace);
    if (const auto end = end_of(workspace, pool); end.at <= turn.now) {
        if (watch.asking.not_before <= turn.now) reap(turn, workspace, watch, end);
        return;
    }
    watch.asking = {};
    withdraw_if_outlived(turn, workspace, watch);
    const bool may_intend = !watch.intent || intent_lost_at(turn.state.policy, *watch.intent) <= turn.now;
    if (pool.idle_after_ms.count() > 0 && may_intend) {
        const auto quiet = quiet_since(turn.state.policy, pool.jobs_rule(), workspace, watch, turn.now);
        if (quiet.since && *quiet.since + pool.idle_after_ms <= turn.now) {
            intend(turn, workspace, watch, *quiet.since, pool);
        } else if (watch.intent) {                         // nothing became of it, and now there is use
            withdraw(turn, workspace, watch, quiet.since ? fmt::format("quiet only since {}", to_rfc3339(*quiet.since)) : quiet.veto);
        }
    }
}

void look(Turn& turn, const WorkspaceId& id, WorkspaceWatch& watch) {
    auto& state = turn.state;
    const auto& workspace = state.view.workspaces.at(id);
    judge(turn, workspace, watch);
    if (!watch.asking.open) wake_at(state, id, watch, std::max(turn.now + Duration{1}, next_look(state, workspace, watch, turn.now)));
}

}  // namespace

void refresh_workspace(Turn& turn, const WorkspaceId& id) {
    auto& state = turn.state;
    const auto at = state.view.workspaces.find(id);
    if (at == state.view.workspaces.end() || !is_watched(at->second)) return forget(state, id);
    const auto& workspace = at->second;
    auto& watch = state.workspaces[id];
    if (watch.epoch != workspace.epoch) {
        const auto open = watch.asking.open;
        watch = WorkspaceWatch{.epoch = workspace.epoch, .asking = {.open = open}, .wake_at = watch.wake_at};
    }
    // After a restart of this process: an intent of before, which may still be under way.
    if (workspace.idle_stop_at && !watch.intent && !watch.objected_at && !watch.withdrawn_at) {
        watch.intent = Intended{.stop_at = *workspace.idle_stop_at};
    }
    if (!watch.asking.open) wake_at(state, id, watch, next_look(state, workspace, watch, turn.now));
}

// Where an answer made room, the next one that is over is asked for at once: many that end together end as fast as they are answered.
void ask_for_next(Turn& turn) {
    auto& state = turn.state;
    while (state.view_known && !state.turned_away.empty() && may_ask(state)) {
        const auto id = *state.turned_away.begin();
        state.turned_away.erase(state.turned_away.begin());
        const auto at = state.workspaces.find(id);
        if (at == state.workspaces.end() || at->second.asking.open) continue;
        at->second.asking.not_before = turn.now;
        look(turn, id, at->second);
    }
}

void wake_workspaces(Turn& turn) {
    auto& state = turn.state;
    for (std::uint32_t woken = 0; woken < state.policy.wakes_per_tick_max; ++woken) {
        if (state.workspace_wakes.empty() || state.workspace_wakes.begin()->first > turn.now) return;
        const auto id = state.workspace_wakes.begin()->second;
        state.workspace_wakes.erase(state.workspace_wakes.begin());
        auto& watch = state.workspaces.at(id);
        watch.wake_at.reset();
        look(turn, id, watch);
    }
}

void read_activity(Turn& turn, const HostActivity& activity) {
    auto& state = turn.state;
    const auto host = state.hosts.find(activity.host);
    if (host == state.hosts.end() || host->second.incarnation != activity.incarnation) return;
    // Late and repeated readings are old news. After a silence any reading is taken: the agent may
    // have started anew with another idea of the time.
    auto& newest = host->second;
    const bool silent = newest.read_received_at + state.policy.silence_max(state.policy.activity) < turn.now;
    if (newest.read_at && activity.read_at <= *newest.read_at && !silent) return;
    newest.read_at = activity.read_at;
    newest.read_received_at = turn.now;
    for (const auto& reading : activity.workspaces) {
        const auto at = state.workspaces.find(reading.workspace);
        if (at == state.workspaces.end() || at->second.epoch != reading.epoch) continue;
        const auto& workspace = state.view.workspaces.at(reading.workspace);
        if (workspace.host != activity.host) continue;
        auto& watch = at->second;
        watch.reading = Reading{.read_at = activity.read_at, .received_at = turn.now, .signals = reading.signals};
        if (!watch.asking.open) wake_at(state, at->first, watch, next_look(state, workspace, watch, turn.now));
    }
}

void note_objection(Turn& turn, const WorkspaceId& id, Epoch epoch, const std::string& by) {
    const auto at = turn.state.workspaces.find(id);
    if (at == turn.state.workspaces.end() || at->second.epoch != epoch || !at->second.intent) return;
    turn.line(LogLevel::info, "intent.withdrawn", id.value, fmt::format("{} objected", by));
    at->second.intent.reset();
    at->second.objected_at = turn.now;
    refresh_workspace(turn, id);
}

void answer_workspace(Turn& turn, const WorkspaceId& id, const Result<Done>& outcome) {
    const auto at = turn.state.workspaces.find(id);
    if (at == turn.state.workspaces.end()) return;
    settle(turn, at->second.asking, id.value, outcome);
    refresh_workspace(turn, id);
}

}  // namespace berth::reaper
