// SPDX-License-Identifier: Apache-2.0
// Giving hosts back: a surplus that lasted, then one named victim, the one that is idle longest.
// Each arrow is a request to the allocator or a call of the provider; whatever fails is tried again
// until the host is sealed, and is given up before that when a lease lands or the pool needs it.
//
//   cordoning ─► draining ──(permit)──► checking ──(still good)──► ending ─► confirming ─► *gone
//       │           │                      │  ▲                      │           │
//       │           │◄──(the term changed)─┘  └──────(failed, or still there)────┘
//       └───────────┴─► uncordoning ─► *spared            (never after the seal: it is for ever)
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "scaler/turn.hpp"

namespace berth::scaler {

namespace {

void enter(Victim& victim, VictimPhase phase, Instant now) {
    victim.phase = phase;
    victim.since = now;
    victim.attempts = {};
}

void ask(Turn& turn, Victim& victim, AskBody body) {
    begin_attempt(victim.attempts);
    turn.state.victim_asks[turn.ask(std::move(body))] = victim.host.host;
}

/// The machine of this host, as its provider listed it last.
const Instance* listed(const State& state, const HostView& host) {
    const auto listing = state.listings.find(provider_of(state.view, host));
    const auto* instance = listing == state.listings.end() ? nullptr : listing->second.named(instance_of(host));
    return instance && is_life_of(*instance, host.incarnation) ? instance : nullptr;
}

/// A host that nobody launched and no provider lists is its owner's, who alone ends it.
bool is_owners(const State& state, const HostView& host) { return host.is_static() && !listed(state, host); }

struct Idle {
    const HostView* host = nullptr;
    Instant since;                        // the end of its last lease, or its registration
};
Idle longest_idle(const State& state, const PoolDefined& pool, const Level& level) {
    std::map<HostId, Idle> spare;
    for (const auto& [id, host] : state.view.hosts) {
        if (host.pool != pool.pool || host.liveness != Liveness::live || host.admission != Admission::open) continue;
        if (!host.idle() || state.victims.contains(id)) continue;
        if (is_owners(state, host)) continue;
        if (!can_spare(pool, level, static_cast<std::uint32_t>(host.slots.size()))) continue;
        spare.emplace_hint(spare.end(), id, Idle{&host, host.registered_at});
    }
    for (const auto& [id, workspace] : state.view.workspaces) {
        if (workspace.leased) continue;
        const auto at = spare.find(workspace.host);
        if (at != spare.end()) at->second.since = std::max(at->second.since, workspace.changed_at);
    }
    Idle chosen;
    for (const auto& [id, idle] : spare) {
        if (!chosen.host || idle.since < chosen.since) chosen = idle;
    }
    return chosen;
}

// A surplus is one that some idle host could be taken from without the pool lacking anything.
bool has_surplus(const PoolDefined& pool, const Level& level) {
    return level.hosts_ready > 0 && can_spare(pool, level, pool.slots_per_host);
}

bool has_victim(const State& state, const PoolName& pool) {
    return std::any_of(state.victims.begin(), state.victims.end(), [&](const auto& entry) {
        const auto* host = state.view.host_of(entry.second.host);
        return host && host->pool == pool;
    });
}

// Is the instance seen to be gone by a listing that was read after the call?
bool is_gone(const State& state, const HostView& host, const Victim& victim) {
    const auto listing = state.listings.find(provider_of(state.view, host));
    if (listing == state.listings.end() || listing->second.read_at < victim.since) return false;
    const auto* instance = listed(state, host);
    return !instance || instance->state == InstanceState::terminated;
}

void end_instance(Turn& turn, const HostView& host, Victim& victim) {
    const auto provider = provider_of(turn.state.view, host);
    if (provider.empty() || is_owners(turn.state, host) || !may_call(turn.state)) return end_attempt(turn.state.policy, victim.attempts, turn.now);
    enter(victim, VictimPhase::ending, turn.now);
    begin_attempt(victim.attempts);
    turn.line(LogLevel::info, "host.end", host.host.value, victim.why);
    const auto id = turn.call(provider, TerminateCall{instance_of(host), host.incarnation});
    turn.state.victim_calls[id] = host.host;
}

void drive(Turn& turn, const HostView& host, Victim& victim, bool needed) {
    const auto& policy = turn.state.policy;
    if (!may_try(victim.attempts, turn.now)) return;
    const bool sealed = host.admission == Admission::draining;
    const bool in_use = !host.idle();
    if (victim.phase == VictimPhase::cordoning && host.admission != Admission::open) {
        enter(victim, VictimPhase::draining, turn.now);
    }
    if (!sealed && (victim.phase == VictimPhase::cordoning || victim.phase == VictimPhase::draining) &&
        (in_use || needed || victim.since + policy.phase_max <= turn.now)) {
        turn.line(LogLevel::info, "host.spared", host.host.value,
                  in_use ? "a lease landed on it" : needed ? "the pool needs it after all" : "it could not be sealed in time");
        enter(victim, VictimPhase::uncordoning, turn.now);
    }
    switch (victim.phase) {
        case VictimPhase::cordoning: return ask(turn, victim, CordonRequest{victim.host, victim.why});
        case VictimPhase::draining: return ask(turn, victim, DrainRequest{victim.host, victim.why});
        case VictimPhase::checking: return ask(turn, victim, PermitCheckRequest{victim.permit});
        case VictimPhase::ending: return enter(victim, VictimPhase::checking, turn.now);  // its call failed
        case VictimPhase::confirming:
            if (is_gone(turn.state, host, victim)) {
                return ask(turn, victim, GoneRequest{victim.host, fmt::format("{} was ended, and the provider lists it as gone", instance_of(host))});
            }
            if (victim.since + policy.phase_max <= turn.now) {
                turn.line(LogLevel::warn, "host.still_there", host.host.value, "it was ended, but the provider still lists it");
                enter(victim, VictimPhase::checking, turn.now);
            }
            return;
        case VictimPhase::uncordoning: return ask(turn, victim, UncordonRequest{victim.host, "it is not given back after all"});
    }
}

// Do the numbers show the present? Else nothing is taken for a surplus, whatever they say.
bool is_current(const State& state, const PoolDefined& pool, Instant now) {
    const auto listing = state.listings.find(pool.provider);
    return listing != state.listings.end() && listing->second.read_at + state.policy.listing_age_max() > now &&
           state.heard_at + state.policy.beacon_silence > now;
}

}  // namespace

void adopt_victim(Turn& turn, const HostView& host) {
    const bool ours = host.admission == Admission::cordoned && host.cordoned_by == actor && !host.ending;
    if (host.liveness == Liveness::gone || (host.admission != Admission::draining && !ours)) return;
    const auto [at, added] = turn.state.victims.try_emplace(host.host);
    if (!added) return;
    at->second = Victim{.host = {host.host, host.incarnation}, .phase = VictimPhase::draining, .since = turn.now,
                        .why = host.ending                              ? host.ending->why
                               : host.admission == Admission::draining ? "it is sealed, so it can only be ended"
                                                                        : "it was being given back before"};
}

void shrink_pools(Turn& turn, const std::map<PoolName, Level>& levels) {
    auto& state = turn.state;
    const auto& policy = state.policy;
    for (const auto& [name, pool] : state.view.pools) {
        if (state.view.is_retired(name)) continue;             // the allocator ends its hosts, surplus or not
        auto& watch = state.pools[name];
        const auto& level = levels.at(name);
        if (!is_current(state, pool, turn.now) || !has_surplus(pool, level)) {
            watch.surplus_since.reset();
            continue;
        }
        if (!watch.surplus_since) watch.surplus_since = turn.now;
        if (*watch.surplus_since + policy.shrink_after > turn.now || has_victim(state, name)) continue;
        if (watch.shrunk_at && *watch.shrunk_at + policy.cooldown > turn.now) continue;
        if (state.victims.size() >= policy.victims_max) continue;
        const auto [host, idle_since] = longest_idle(state, pool, level);
        if (!host) continue;
        watch.shrunk_at = turn.now;
        auto why = fmt::format("surplus of pool {} since {}; this host is idle since {}", name.value,
                               to_rfc3339(*watch.surplus_since), to_rfc3339(idle_since));
        turn.line(LogLevel::info, "host.victim", host->host.value, why);
        state.victims[host->host] = Victim{.host = {host->host, host->incarnation}, .since = turn.now, .why = std::move(why)};
    }
}

void drive_victims(Turn& turn, const std::map<PoolName, Level>& levels) {
    auto& state = turn.state;
    std::erase_if(state.victims, [&](const auto& entry) {
        const auto* host = state.view.host_of(entry.second.host);
        const bool over = !host || host->liveness == Liveness::gone;
        if (over) turn.line(LogLevel::info, "host.given_back", entry.first.value, entry.second.why);
        // Until the seal the end that somebody asked for is the allocator's work, and nothing spares the host.
        return over || (host->ending && host->admission != Admission::draining);
    });
    for (auto& [id, victim] : state.victims) {
        const auto& host = *state.view.host_of(victim.host);
        const auto* pool = pool_of(state, host.pool);
        const bool needed = pool && !state.view.is_retired(host.pool) && need_of(*pool, levels.at(host.pool)).missing > 0;
        drive(turn, host, victim, needed);
    }
}

void answer_victim(Turn& turn, const HostId& id, const Answer& answer) {
    const auto at = turn.state.victims.find(id);
    if (at == turn.state.victims.end()) return;
    auto& victim = at->second;
    end_attempt(turn.state.policy, victim.attempts, turn.now);
    const auto* host = turn.state.view.host_of(victim.host);
    if (!answer) {
        turn.line(LogLevel::warn, "ask.refused", id.value, fmt::format("{}: {}", to_string(victim.phase), answer.error().text));
        const auto kind = answer.error().kind;
        if (victim.phase == VictimPhase::checking) return enter(victim, VictimPhase::draining, turn.now);
        if (victim.phase == VictimPhase::draining && kind == ErrorKind::conflict && host &&
            host->admission != Admission::draining) {
            return enter(victim, VictimPhase::uncordoning, turn.now);
        }
        if (victim.phase == VictimPhase::uncordoning && kind == ErrorKind::conflict) enter(victim, VictimPhase::draining, turn.now);
        return;
    }
    switch (victim.phase) {
        case VictimPhase::cordoning: return enter(victim, VictimPhase::draining, turn.now);
        case VictimPhase::draining:
            victim.permit = std::get<Permit>(*answer);
            return enter(victim, VictimPhase::checking, turn.now);
        case VictimPhase::checking:
            if (host) end_instance(turn, *host, victim);
            return;
        case VictimPhase::uncordoning: turn.state.victims.erase(at); return;
        case VictimPhase::ending:
        case VictimPhase::confirming: return;  // its fact ends it
    }
}

void answer_victim_call(Turn& turn, const HostId& id, const CallAnswered& answered) {
    const auto at = turn.state.victims.find(id);
    if (at == turn.state.victims.end()) return;
    auto& victim = at->second;
    if (!answered.error) return enter(victim, VictimPhase::confirming, turn.now);
    end_attempt(turn.state.policy, victim.attempts, turn.now);
    turn.line(LogLevel::warn, "host.end_failed", id.value,
              fmt::format("{}: {}", to_string(answered.error->failure), answered.error->text));
}

}  // namespace berth::scaler
