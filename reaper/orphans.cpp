// SPDX-License-Identifier: Apache-2.0
// Orphans (I17): instances of ours that neither a host nor a launch of the ledger accounts for. Old
// enough, seen twice, few at a time. Too many at once means that the picture is wrong, not the
// fleet: the breaker opens, and stays open until a complete listing has no orphan left.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/by_name.hpp"
#include "reaper/turn.hpp"

namespace berth::reaper {

namespace {

bool runs(const Instance& instance) {
    return instance.state != InstanceState::terminating && instance.state != InstanceState::terminated;
}

class Ledger {
public:
    explicit Ledger(const View& view) : view_(view), hosts_(view.hosts.size()) {
        for (const auto& [id, host] : view.hosts) hosts_.add(instance_of(host), host);
    }
    bool accounts_for(const Instance& instance, Instant read_at, Duration grace) {
        if (instance.launch && view_.launches.contains(*instance.launch)) return true;
        const auto* host = hosts_.find(instance.instance);
        if (!host || !is_life_of(instance, host->incarnation)) return false;
        return host->liveness != Liveness::gone || host->changed_at + grace > read_at;
    }

private:
    const View& view_;
    ByName<HostView> hosts_;
};

bool is_confirmed(const Policy& policy, const Stray& stray) {
    return stray.reads >= 2 && stray.last_read_at - stray.first_read_at >= policy.orphan_between;
}

void end_stray(Turn& turn, const StrayKey& key, Stray& stray) {
    auto& state = turn.state;
    if (stray.asking.open || stray.asking.not_before > turn.now || !may_ask(state)) return;
    if (!stray.counted) state.ended_strays.push_back(turn.now);
    stray.counted = true;
    const auto id = state.next_ask++;
    stray.asking.open = id;
    state.stray_asks[id] = key;
    auto why = fmt::format("no host and no launch of ledger {} account for it, in {} listings from {} to {}",
                           state.view.ledger, stray.reads, to_rfc3339(stray.first_read_at),
                           to_rfc3339(stray.last_read_at));
    turn.line(LogLevel::warn, "orphan.end", key.second, why);
    turn.out.asks.push_back({id, TerminateOrphanRequest{.instance = key.second, .incarnation = stray.incarnation,
                                                              .evidence = {std::move(why)}}});
}

}  // namespace

void read_listing_for_orphans(Turn& turn, const ProviderSnapshot& snapshot) {
    auto& state = turn.state;
    const auto& policy = state.policy;
    // An old copy of the ledger does not know the newest hosts; after a recovery they need time to register.
    const auto& recovered = state.view.recovered;
    if (state.view.doubted_by || (recovered && recovered->at + policy.orphan_grace > snapshot.read_at)) {
        state.strays.clear();
        return;
    }
    Ledger ledger{state.view};
    std::set<StrayKey> seen;
    std::size_t fleet = 0;
    for (const auto& instance : snapshot.instances) {
        if (!runs(instance)) continue;
        ++fleet;
        if (instance.launched_at + policy.orphan_grace > snapshot.read_at) continue;
        if (ledger.accounts_for(instance, snapshot.read_at, policy.orphan_grace)) continue;
        const StrayKey key{snapshot.provider, instance.instance};
        auto& stray = state.strays[key];
        if (stray.reads == 0 || stray.incarnation != instance.incarnation) {
            stray = Stray{.incarnation = instance.incarnation, .first_read_at = snapshot.read_at};
        }
        stray.last_read_at = snapshot.read_at;
        ++stray.reads;
        seen.insert(key);
    }
    std::erase_if(state.strays, [&](const auto& entry) {
        return entry.first.first == snapshot.provider && !seen.contains(entry.first);
    });

    while (!state.ended_strays.empty() && state.ended_strays.front() + policy.orphan_window <= turn.now) {
        state.ended_strays.pop_front();
    }
    const auto share = static_cast<std::size_t>(policy.orphan_share_max * static_cast<double>(fleet));
    const auto allowed = std::max<std::size_t>(1, share);
    std::size_t fresh = 0;
    for (const auto& key : seen) {
        const auto& stray = state.strays.at(key);
        fresh += is_confirmed(policy, stray) && !stray.counted ? 1 : 0;
    }
    if (state.breaker == Breaker::open && state.strays.empty()) {
        state.breaker = Breaker::closed;
        turn.line(LogLevel::info, "orphans.breaker_closed", snapshot.provider, "every instance is accounted for again");
    }
    if (state.breaker == Breaker::closed && fresh + state.ended_strays.size() > allowed) {
        state.breaker = Breaker::open;
        turn.line(LogLevel::error, "orphans.breaker_open", snapshot.provider,
                  fmt::format("{} orphans, and {} ended within {}, of {} instances: at most {} are touched; compare `berth hosts` "
                              "with the provider, end them there, or raise [reaper] orphan_share_max",
                              fresh, state.ended_strays.size(), to_text(policy.orphan_window), fleet, allowed));
    }
    if (state.breaker == Breaker::open) return;
    for (const auto& key : seen) {
        auto& stray = state.strays.at(key);
        if (is_confirmed(policy, stray)) end_stray(turn, key, stray);
    }
}

void answer_stray(Turn& turn, const StrayKey& key, const Result<Done>& outcome) {
    const auto at = turn.state.strays.find(key);
    if (at == turn.state.strays.end()) return;
    settle(turn, at->second.asking, key.second, outcome);
}

}  // namespace berth::reaper
