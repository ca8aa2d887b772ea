// SPDX-License-Identifier: Apache-2.0
// The reaper's core under a virtual clock. What it decides becomes lines of "<second> <event>
// <subject>", compared whole. Requests are answered by the test's own word; time moves in ticks.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "reaper/step.hpp"

namespace berth::reaper {

inline constexpr Instant start_of_time{Duration{1'800'000'000'000}};

class Scenario {
public:
    explicit Scenario(Policy policy = {}) : state(make_state(std::move(policy), start_of_time)) {
        tell(TookOver{.ledger = "L", .version = "0"});
        tell(PoolDefined{.pool = {"default"}, .idle_after_ms = Duration{60'000}});
        take(ViewReply{.view = ledger});
        take(LedgerHead{.ledger = "L"});
    }

    State state;
    View ledger;                       // what the allocator would hold
    std::vector<std::string> story;
    std::vector<Ask> asks;             // unanswered
    std::vector<Intent> intents;
    std::vector<Line> lines;
    Instant now = start_of_time;
    bool beacon = true;
    Duration hosts_ahead{0};           // how wrong the clocks of all hosts are
    std::function<void()> every_second = [] {};

    std::int64_t second() const { return (now - start_of_time).count() / 1000; }
    Instant at(std::int64_t seconds) const { return start_of_time + Duration{seconds * 1000}; }

    /// A fact: first in the ledger, then on the bus.
    void tell(Fact fact) {
        const FactRecord record{Position{ledger.position.value + 1}, Term{1}, now, std::move(fact),
                                Reason{"a test says so", "test", "p0"}, ""};
        apply(ledger, record);
        if (state.view_known) take(record);
    }

    void take(Input input) { note(step(state, std::move(input), now)); }

    void until(std::int64_t seconds) {
        while (second() < seconds) {
            now += Duration{500};
            if (now.time_since_epoch().count() % 1000 == 0) {
                if (beacon) take(LedgerHead{.ledger = ledger.ledger, .position = ledger.position});
                every_second();
            }
            take(Tick{});
        }
    }

    void answer(Result<Done> outcome = Done{.count = 1}) {
        ASSERT_FALSE(asks.empty());
        const auto id = asks.front().id;
        asks.erase(asks.begin());
        take(Answered{id, std::move(outcome)});
    }

    // ---- a world of hosts h-1, h-2 … and workspaces w-1, w-2 …

    void host(int number, std::uint32_t slots = 2) {
        tell(HostRegistered{.host = host_id(number), .incarnation = {"i1"}, .pool = {"default"},
                            .launch = LaunchId{fmt::format("l-{}", number)}, .slots = slots});
    }
    void lease(int number, int on, std::int64_t expires_at = 1'000'000, std::uint32_t slot = 0) {
        tell(LeaseGranted{.workspace = workspace_id(number), .user = {fmt::format("u{}", number)}, .project = {"p"},
                          .pool = {"default"}, .host = host_id(on), .incarnation = {"i1"}, .slot = slot,
                          .epoch = Epoch{++epochs_}, .expires_at = at(expires_at)});
        tell(WorkspaceStarted{.workspace = workspace_id(number), .epoch = Epoch{epochs_}, .host = host_id(on), .slot = slot});
    }
    void beat(int number) { take(HostHeard{.host = host_id(number), .incarnation = {"i1"}}); }
    /// One reading: each signal's last second of use, none for unknown.
    void read(int number, int on, std::vector<std::pair<std::string, std::optional<std::int64_t>>> signals) {
        WorkspaceActivity activity{.workspace = workspace_id(number), .epoch = ledger.workspaces.at(workspace_id(number)).epoch};
        for (const auto& [name, used] : signals) {
            activity.signals.push_back({name, used ? std::optional{at(*used) + hosts_ahead} : std::nullopt});
        }
        take(HostActivity{.host = host_id(on), .incarnation = {"i1"}, .read_at = now + hosts_ahead, .workspaces = {activity}});
    }
    static HostId host_id(int number) { return {fmt::format("h-{}", number)}; }
    static WorkspaceId workspace_id(int number) { return {fmt::format("w-{}", number)}; }

private:
    void note(Decisions decisions) {
        for (auto& line : decisions.lines) {
            if (line.event != "view.known") story.push_back(fmt::format("{} {} {}", second(), line.event, line.subject));
            lines.push_back(std::move(line));
        }
        for (auto& intent : decisions.intents) intents.push_back(std::move(intent));
        for (auto& ask : decisions.asks) asks.push_back(std::move(ask));
    }
    std::uint64_t epochs_ = 0;
};

using Story = std::vector<std::string>;

}  // namespace berth::reaper
