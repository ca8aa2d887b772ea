// SPDX-License-Identifier: Apache-2.0
#include "reaper/step.hpp"

#include <algorithm>
#include <type_traits>

#include "reaper/turn.hpp"

namespace berth::reaper {

namespace {

void watch_view(Turn& turn) {
    auto& state = turn.state;
    state.view_known = true;
    std::erase_if(state.workspaces, [&](const auto& entry) {
        if (state.view.workspaces.contains(entry.first)) return false;
        if (entry.second.wake_at) state.workspace_wakes.erase({*entry.second.wake_at, entry.first});
        return true;
    });
    std::erase_if(state.hosts, [&](const auto& entry) {
        if (state.view.hosts.contains(entry.first)) return false;
        if (entry.second.wake_at) state.host_wakes.erase({*entry.second.wake_at, entry.first});
        return true;
    });
    for (const auto& [id, host] : state.view.hosts) refresh_host(turn, id);
    for (const auto& [id, workspace] : state.view.workspaces) refresh_workspace(turn, id);
}

// Looks again at whatever a fact is about; what the fact says was applied to the view already.
template <class T>
void look_at(Turn& turn, const T& fact) {
    if constexpr (requires { fact.workspace; }) refresh_workspace(turn, fact.workspace);
    if constexpr (requires { fact.host.incarnation; }) {
        refresh_host(turn, fact.host.host);
    } else if constexpr (requires { fact.host; }) {
        refresh_host(turn, fact.host);
    }
    if constexpr (std::is_same_v<T, HostRecovered>) {
        for (const auto& id : fact.displaced) refresh_workspace(turn, id);
        for (const auto& held : fact.held) refresh_workspace(turn, held.workspace);
    }
    if constexpr (std::is_same_v<T, StopObjected>) {
        note_objection(turn, fact.workspace, fact.epoch, "the ledger");
    }
    if constexpr (std::is_same_v<T, PoolDefined>) {
        for (const auto& [id, workspace] : turn.state.view.workspaces) {
            if (workspace.pool == fact.pool) refresh_workspace(turn, id);
        }
    }
}

struct Taking {
    Turn& turn;

    void operator()(const Tick&) const {
        if (!turn.state.view_known) return;
        wake_workspaces(turn);
        wake_hosts(turn);
    }
    void operator()(ViewReply& reply) const {
        turn.state.view = std::move(reply.view);
        watch_view(turn);
        turn.line(LogLevel::info, "view.known", turn.state.view.ledger,
                  fmt::format("at position {}: {} hosts, {} workspaces", turn.state.view.position.value,
                              turn.state.hosts.size(), turn.state.workspaces.size()));
    }
    void operator()(const ViewLost&) const {
        turn.state.view_known = false;
        turn.state.strays.clear();  // two sightings must be of one unbroken picture (I17)
    }
    void operator()(const FactRecord& record) const {
        if (!turn.state.view_known) return;
        apply(turn.state.view, record);
        std::visit([&](const auto& fact) { look_at(turn, fact); }, record.fact);
    }
    void operator()(const LedgerHead&) const { hear_beacon(turn); }
    void operator()(const HostHeard& heard) const { hear_host(turn, heard.host, heard.incarnation); }
    void operator()(const HostActivity& activity) const {
        hear_host(turn, activity.host, activity.incarnation);
        read_activity(turn, activity);
    }
    void operator()(const HostObjected& objection) const {
        const auto at = turn.state.view.workspaces.find(objection.workspace);
        if (at == turn.state.view.workspaces.end() || at->second.host != objection.host) return;
        note_objection(turn, objection.workspace, objection.epoch, objection.host.value);
    }
    void operator()(const ProviderSnapshot& snapshot) const {
        if (!turn.state.view_known) return;
        // By a clock that was wrong. Taken for the newest, it would hide all right ones until then (F22).
        if (snapshot.read_at > turn.now + clock_skew_max) {
            return turn.line(LogLevel::warn, "listing.ahead", snapshot.provider,
                             fmt::format("read at {}, which is to come: a clock is wrong, here or at the scaler", to_rfc3339(snapshot.read_at)));
        }
        auto& newest = turn.state.listed_at[snapshot.provider];
        if (snapshot.read_at <= newest) return;  // repeated or late
        newest = snapshot.read_at;
        read_listing_for_hosts(turn, snapshot);
        if (snapshot.complete) read_listing_for_orphans(turn, snapshot);
    }
    void operator()(const Answered& answered) const {
        auto& state = turn.state;
        if (const auto workspace = state.workspace_asks.extract(answered.ask)) {
            answer_workspace(turn, workspace.mapped(), answered.outcome);
        } else if (const auto host = state.host_asks.extract(answered.ask)) {
            answer_host(turn, host.mapped(), answered.outcome);
        } else if (const auto stray = state.stray_asks.extract(answered.ask)) {
            answer_stray(turn, stray.mapped(), answered.outcome);
        }
        ask_for_next(turn);
    }
};

}  // namespace

bool may_ask(const State& state) {
    return state.workspace_asks.size() + state.host_asks.size() + state.stray_asks.size() < state.policy.asks_open_max;
}

Duration pause_after(const Policy& policy, std::uint32_t tries) {
    return std::min(policy.retry_max, policy.retry * (1L << std::min<std::uint32_t>(tries, 16)));
}

void settle(Turn& turn, Asking& asking, const std::string& subject, const Result<Done>& outcome) {
    const auto& policy = turn.state.policy;
    asking.open.reset();
    if (outcome) {
        asking.not_before = turn.now + std::max(policy.settle, pause_after(policy, asking.tries));
    } else {
        asking.not_before = turn.now + pause_after(policy, asking.tries);
        turn.line(LogLevel::warn, "ask.refused", subject, outcome.error().text);
    }
    ++asking.tries;
}

State make_state(Policy policy, Instant now) { return State{.policy = std::move(policy), .listening_since = now}; }

Decisions step(State& state, Input input, Instant now) {
    Turn turn(state, now);
    std::visit(Taking{turn}, input);
    return std::move(turn.out);
}

}  // namespace berth::reaper
