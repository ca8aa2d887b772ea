// SPDX-License-Identifier: Apache-2.0
// Hosts that fell silent, and hosts of which the provider says that they ended. Silence alone makes
// a host unknown; only the provider's word makes it gone (I15), and no word stands against a
// heartbeat: a host that is still heard is never taken for gone because a listing lacks it.
#include <fmt/format.h>

#include <algorithm>

#include "base/by_name.hpp"
#include "base/check.hpp"
#include "reaper/turn.hpp"

namespace berth::reaper {

namespace {

void wake_at(State& state, const HostId& id, HostWatch& watch, Instant at) {
    if (watch.wake_at) {
        if (*watch.wake_at <= at) return;
        state.host_wakes.erase({*watch.wake_at, id});
    }
    watch.wake_at = at;
    state.host_wakes.insert({at, id});
}

void forget(State& state, const HostId& id) {
    const auto at = state.hosts.find(id);
    if (at == state.hosts.end()) return;
    if (at->second.wake_at) state.host_wakes.erase({*at->second.wake_at, id});
    state.hosts.erase(at);
}

Instant silent_from(const State& state, const HostWatch& watch) {
    return std::max(watch.heard_at, state.listening_since) + state.policy.silence_max(state.policy.heartbeat);
}

// Without the allocator's beacon it is this process that is cut off, and silence says nothing.
bool hears(const State& state, Instant now) {
    return state.beacon_at && *state.beacon_at + state.policy.beacon_silence >= now;
}

template <class Body>
void ask_about(Turn& turn, const HostId& id, HostWatch& watch, Body body) {
    if (!may_ask(turn.state)) {
        watch.asking.not_before = turn.now + turn.state.policy.retry;
        return;
    }
    const auto ask = turn.state.next_ask++;
    watch.asking.open = ask;
    turn.state.host_asks[ask] = id;
    turn.out.asks.push_back({ask, std::move(body)});
}

// Why the provider's word makes this host gone; empty when it does not, or not yet.
std::string proof_of_end(const State& state, const HostView& host, const HostWatch& watch, Instant now) {
    if (!watch.missing) return {};
    const auto& missing = *watch.missing;
    const auto run = missing.last_read_at - missing.first_read_at;
    // The scaler ends a drained host and says so itself; only if it does not, this process does.
    if (host.admission == Admission::draining && run < state.policy.gone_between) return {};
    if (missing.ended) {
        return fmt::format("the provider lists {} as terminated, read at {}", instance_of(host),
                           to_rfc3339(missing.last_read_at));
    }
    if (missing.reads < 2 || run < state.policy.gone_between || silent_from(state, watch) > now) return {};
    return fmt::format("{} complete listings from {} to {} lack {}, last heard at {}", missing.reads,
                       to_rfc3339(missing.first_read_at), to_rfc3339(missing.last_read_at), instance_of(host),
                       to_rfc3339(watch.heard_at));
}

void judge(Turn& turn, const HostView& host, HostWatch& watch) {
    if (watch.asking.open || watch.asking.not_before > turn.now) return;
    const HostRef ref{host.host, host.incarnation};
    if (auto proof = proof_of_end(turn.state, host, watch, turn.now); !proof.empty()) {
        turn.line(LogLevel::info, "host.ended", host.host.value, proof);
        return ask_about(turn, host.host, watch, GoneRequest{.host = ref, .evidence = std::move(proof)});
    }
    const bool silent = silent_from(turn.state, watch) <= turn.now;
    if (!silent) watch.asking.tries = 0;
    if (silent && hears(turn.state, turn.now) && host.liveness == Liveness::live &&
        host.admission != Admission::draining) {
        turn.line(LogLevel::warn, "host.silent", host.host.value,
                  fmt::format("last heard at {}", to_rfc3339(watch.heard_at)));
        ask_about(turn, host.host, watch, UnknownRequest{.host = ref, .last_heartbeat_at = watch.heard_at});
    }
}

// While a host is heard nothing else needs a timer: listings look at it by themselves.
void wake_again(Turn& turn, const HostId& id, const HostView& host, HostWatch& watch) {
    if (watch.asking.open) return;
    const auto& policy = turn.state.policy;
    auto at = silent_from(turn.state, watch);
    if (at <= turn.now) at = turn.now + (host.liveness == Liveness::live ? policy.beacon_silence : policy.heartbeat);
    wake_at(turn.state, id, watch, std::max(at, watch.asking.not_before));
}

}  // namespace

void refresh_host(Turn& turn, const HostId& id) {
    auto& state = turn.state;
    const auto at = state.view.hosts.find(id);
    if (at == state.view.hosts.end() || at->second.liveness == Liveness::gone) return forget(state, id);
    auto& watch = state.hosts[id];
    if (watch.incarnation != at->second.incarnation || watch.heard_at == Instant{}) {
        const auto open = watch.asking.open;
        watch = HostWatch{.incarnation = at->second.incarnation, .heard_at = turn.now, .asking = {.open = open},
                          .wake_at = watch.wake_at};
    }
    wake_again(turn, id, at->second, watch);
}

void wake_hosts(Turn& turn) {
    auto& state = turn.state;
    for (std::uint32_t woken = 0; woken < state.policy.wakes_per_tick_max; ++woken) {
        if (state.host_wakes.empty() || state.host_wakes.begin()->first > turn.now) return;
        const auto id = state.host_wakes.begin()->second;
        state.host_wakes.erase(state.host_wakes.begin());
        auto& watch = state.hosts.at(id);
        watch.wake_at.reset();
        const auto& host = state.view.hosts.at(id);
        judge(turn, host, watch);
        wake_again(turn, id, host, watch);
    }
}

void hear_host(Turn& turn, const HostId& id, const HostIncarnation& incarnation) {
    const auto at = turn.state.hosts.find(id);
    if (at == turn.state.hosts.end() || at->second.incarnation != incarnation) return;
    at->second.heard_at = turn.now;
}

void hear_beacon(Turn& turn) {
    auto& state = turn.state;
    // Whoever spoke while nothing could be heard here gets a full period to speak again.
    if (!hears(state, turn.now)) state.listening_since = turn.now;
    state.beacon_at = turn.now;
}

void read_listing_for_hosts(Turn& turn, const ProviderSnapshot& snapshot) {
    auto& state = turn.state;
    ByName<Instance> listed(snapshot.instances.size());
    for (const auto& instance : snapshot.instances) listed.add(instance.instance, instance);
    auto known = state.view.hosts.begin();                 // both are in the order of ids
    for (auto& [id, watch] : state.hosts) {
        while (known != state.view.hosts.end() && known->first < id) ++known;
        check(known != state.view.hosts.end() && known->first == id, "whom the reaper watches stands in the ledger");
        const auto& host = known->second;
        if (provider_of(state.view, host) != snapshot.provider) continue;
        const auto* instance = listed.find(instance_of(host));
        const bool here = instance != nullptr && is_life_of(*instance, host.incarnation);
        watch.listed |= here;
        // Of a machine that nobody launched and that no provider ever had, no listing says anything.
        if (host.is_static() && !watch.listed) continue;
        if (here && instance->state != InstanceState::terminated) {
            watch.missing.reset();
        } else if (here || snapshot.complete) {
            if (!watch.missing) watch.missing = Missing{.first_read_at = snapshot.read_at};
            watch.missing->ended |= here;
            watch.missing->last_read_at = snapshot.read_at;
            ++watch.missing->reads;
            judge(turn, host, watch);
        }
    }
}

void answer_host(Turn& turn, const HostId& id, const Result<Done>& outcome) {
    const auto at = turn.state.hosts.find(id);
    if (at == turn.state.hosts.end()) return;
    settle(turn, at->second.asking, id.value, outcome);
    refresh_host(turn, id);
}

}  // namespace berth::reaper
