// SPDX-License-Identifier: Apache-2.0
// Each pool against its target, and the request for what it lacks. A refill of the buffer keeps the
// cooldown; a person who waits does not wait for it, but for back-off, caps and the spend limit.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "scaler/backoff.hpp"
#include "scaler/turn.hpp"

namespace berth::scaler {

namespace {

constexpr Duration hour{3'600'000};

// Open to leases, or about to be again: it was a victim and is being spared.
bool is_open(const State& state, const HostView& host) {
    if (host.admission != Admission::cordoned) return host.admission == Admission::open;
    const auto victim = state.victims.find(host.host);
    return victim != state.victims.end() && victim->second.phase == VictimPhase::uncordoning;
}

bool is_ready(const State& state, const HostView& host, Instant now) {
    if (host.liveness != Liveness::live || !is_open(state, host) || host.impaired) return false;
    return host.failures < state.policy.host_failures_max ||
           host.failed_at + state.policy.host_failures_pause <= now;
}

bool is_fresh_wipe(const State& state, const SlotView& slot, Instant now) {
    const auto at = state.view.workspaces.find(slot.workspace);
    return at != state.view.workspaces.end() && at->second.changed_at + state.policy.wipe_promise > now;
}

// Nothing changes what this host counts for but a fact: no clock, and no decision of ours.
bool is_settled(const State& state, const HostView& host) {
    return host.admission != Admission::cordoned && host.failures < state.policy.host_failures_max &&
           host.count(SlotUse::stopping) == 0;
}

void add(Level& to, const Level& of) {
    std::apply([&](const auto&... field) { ((to.*field.member += of.*field.member), ...); }, Level::fields());
}
void take_away(Level& from, const Level& of) {
    std::apply([&](const auto&... field) { ((from.*field.member -= of.*field.member), ...); }, Level::fields());
}

void count_host(const State& state, const HostView& host, Instant now, Level& level) {
    ++level.hosts;
    if (!is_open(state, host)) ++level.leaving;
    if (!is_ready(state, host, now)) return;
    std::uint32_t free = 0, leased = 0, wiping = 0, stuck = 0;
    for (const auto& slot : host.slots) {
        switch (slot.use) {
            case SlotUse::free: ++free; break;
            case SlotUse::leased: ++leased; break;
            case SlotUse::stopping: ++(is_fresh_wipe(state, slot, now) ? wiping : stuck); break;
            case SlotUse::quarantined: break;
        }
    }
    level.slots_ready += free;
    level.slots_wiping += wiping;
    if (leased + stuck > 0) {
        level.slots_shared += free;
    } else if (wiping > 0) {
        ++level.hosts_wiping;
    } else if (free > 0) {
        ++level.hosts_ready;
    }
}

// Two claims of one person for one project take one slot; one whose workspace has its slot takes none.
std::uint32_t count_waiting(const State& state, const std::set<ClaimId>& claims) {
    std::set<std::pair<UserId, ProjectName>> owners;
    for (const auto& id : claims) {
        const auto& asked = state.view.claims.at(id).asked;
        const auto* workspace = state.view.workspace_of(asked.user, asked.project);
        if (!workspace || !workspace->leased) owners.insert({asked.user, asked.project});
    }
    return static_cast<std::uint32_t>(owners.size());
}

// Why this pool may not launch now; empty when it may.
std::string obstacle(const State& state, const PoolWatch& watch, const Level& level, Instant now) {
    for (const auto& [failure, pause] : watch.pauses) {
        if (pause.until > now) {
            return fmt::format("{}: {}; next try at {}", to_string(failure), pause.text, to_rfc3339(pause.until));
        }
    }
    if (state.launched.size() >= state.policy.launches_per_hour_max) {
        return fmt::format("the spend cap of {} launches per hour is reached", state.policy.launches_per_hour_max);
    }
    if (level.waiting == 0 && watch.scaled_at && *watch.scaled_at + state.policy.cooldown > now) return "cooldown";
    return {};
}

void ask_for_hosts(Turn& turn, const PoolDefined& pool, PoolWatch& watch, const Need& need, const Level& level) {
    const auto& policy = turn.state.policy;
    const auto left = policy.launches_per_hour_max - static_cast<std::uint32_t>(turn.state.launched.size());
    const auto count = std::min({need.launch, policy.launches_per_call_max, left});
    auto why = level.waiting > 0 ? fmt::format("{} claims wait, {} {} are missing", level.waiting, need.missing, to_string(pool.buffer_unit))
               : need.missing > 0 ? fmt::format("{} {} are missing from the buffer of {}", need.missing, to_string(pool.buffer_unit), pool.buffer)
                                  : fmt::format("the pool has {} hosts, at least {} are wanted", level.hosts, pool.hosts_min);
    turn.line(LogLevel::info, "pool.launch", pool.pool.value, fmt::format("{} hosts: {}", count, why));
    watch.asked = count;
    begin_attempt(watch.asking);
    const auto id = turn.ask(LaunchRequest{.pool = pool.pool, .count = count, .why = std::move(why), .evidence = need.evidence});
    turn.state.pool_asks[id] = pool.pool;
}

}  // namespace

void refresh_claim(Turn& turn, const ClaimId& id) {
    const auto at = turn.state.view.claims.find(id);
    if (at == turn.state.view.claims.end()) return;
    auto& waiting = turn.state.waiting[at->second.asked.pool];
    if (at->second.state == ClaimState::waiting) {
        waiting.insert(id);
    } else {
        waiting.erase(id);
    }
}

void recount(State& state, const HostId& id) {
    if (const auto share = state.shares.extract(id)) take_away(state.settled[share.mapped().pool], share.mapped().level);
    state.unsettled.erase(id);
    const auto at = state.view.hosts.find(id);
    if (at == state.view.hosts.end() || at->second.liveness == Liveness::gone) return;
    const auto& host = at->second;
    if (!is_settled(state, host)) {
        state.unsettled.insert(id);
        return;
    }
    Share share{.pool = host.pool};
    count_host(state, host, Instant{}, share.level);
    add(state.settled[host.pool], share.level);
    state.shares.emplace(id, std::move(share));
}

void recount_all(State& state) {
    state.shares.clear();
    state.settled.clear();
    state.unsettled.clear();
    for (const auto& [id, host] : state.view.hosts) recount(state, id);
}

std::map<PoolName, Level> count_levels(const State& state, Instant now) {
    auto levels = state.settled;
    for (const auto& [name, pool] : state.view.pools) levels[name];
    for (const auto& id : state.unsettled) {
        const auto& host = state.view.hosts.at(id);
        count_host(state, host, now, levels[host.pool]);
    }
    for (const auto& [id, launch] : state.view.launches) ++levels[launch.pool].launching;
    for (const auto& [name, claims] : state.waiting) levels[name].waiting = count_waiting(state, claims);
    for (const auto& [name, watch] : state.pools) {
        levels[name].asked = watch.asked + static_cast<std::uint32_t>(watch.granted.size());
    }
    return levels;
}

void scale_pools(Turn& turn, const std::map<PoolName, Level>& levels) {
    auto& state = turn.state;
    while (!state.launched.empty() && state.launched.front() + hour <= turn.now) state.launched.pop_front();
    for (const auto& [name, pool] : state.view.pools) {
        if (state.view.is_retired(name)) continue;
        if (!state.listings.contains(pool.provider)) continue;  // nothing is launched before the first listing
        auto& watch = state.pools[name];
        std::erase_if(watch.granted, [&](const auto& entry) { return entry.second <= turn.now; });
        const auto& level = levels.at(name);
        const auto need = need_of(pool, level);
        std::string blocked;
        if (need.launch > 0) {
            blocked = obstacle(state, watch, level, turn.now);
            if (blocked.empty() && may_try(watch.asking, turn.now)) ask_for_hosts(turn, pool, watch, need, level);
        } else if (need.refused > 0) {
            blocked = fmt::format("{} hosts more are wanted, but hosts_max is {}", need.refused, pool.hosts_max);
        }
        if (blocked != watch.blocked_by && !blocked.empty() && blocked != "cooldown") {
            turn.line(LogLevel::warn, "pool.blocked", name.value, blocked);
        }
        watch.blocked_by = std::move(blocked);
    }
}

void answer_pool(Turn& turn, const PoolName& pool, const Answer& answer) {
    auto& watch = turn.state.pools[pool];
    watch.asked = 0;
    if (answer) {
        watch.asking = {};
        watch.scaled_at = turn.now;
        for (const auto& launch : std::get<LaunchReply>(*answer).launches) {
            turn.state.launched.push_back(turn.now);
            if (!turn.state.view.launches.contains(launch)) watch.granted[launch] = turn.now + turn.state.policy.grant_promise;
        }
    } else {
        end_attempt(turn.state.policy, watch.asking, turn.now);
        turn.line(LogLevel::warn, "pool.launch_refused", pool.value, answer.error().text);
    }
}

void note_launch_failed(Turn& turn, const LaunchFailed& fact) {
    auto& pause = turn.state.pools[fact.pool].pauses[fact.failure];
    ++pause.failures;
    pause.until = turn.now + backoff(turn.state.policy, fact.failure, pause.failures, turn.state.rng);
    pause.text = fact.text;
}

}  // namespace berth::scaler
