// SPDX-License-Identifier: Apache-2.0
// Leases that are over. The pool's idle window is 60 s; the host beats and reads every 10 s or so.
#include <set>

#include "tests/unit/reaper/scenario.hpp"

namespace berth::reaper {
namespace {

using Signals = std::vector<std::pair<std::string, std::optional<std::int64_t>>>;

// A host with one workspace whose signals are read every 10 s.
class Idle : public ::testing::Test {
protected:
    Idle() {
        world.host(1);
        world.lease(1, 1);
        world.every_second = [this] {
            if (world.second() % 10 != 0) return;
            world.beat(1);
            if (!signals.empty() && world.ledger.workspaces.at({"w-1"}).leased) world.read(1, 1, signals);
        };
    }
    Scenario world;
    Signals signals{{"proxy", 0}, {"cpu", 0}};
};

TEST_F(Idle, QuietForTheWholeWindowGivesOneIntentWithEvidence) {
    world.until(70);

    EXPECT_EQ(world.story, (Story{"60 workspace.idle w-1"}));
    ASSERT_EQ(world.intents.size(), 1U);
    const auto& [idle, reason] = world.intents[0];
    EXPECT_EQ(idle.workspace, WorkspaceId{"w-1"});
    EXPECT_EQ(idle.epoch, Epoch{1});
    EXPECT_EQ(idle.host, HostId{"h-1"});
    EXPECT_EQ(idle.quiet_since, world.at(0));
    EXPECT_EQ(idle.stop_at, world.at(90));
    EXPECT_EQ(reason.actor(), "reaper");
    EXPECT_EQ(reason.evidence().size(), 4U);
}

TEST_F(Idle, AHostThatIsAnHourAheadIsToldItsLastUseOnItsOwnClock_I32) {
    world.hosts_ahead = Duration{3'600'000};
    signals = {{"proxy", 0}, {"cpu", 5}};
    world.until(70);
    ASSERT_EQ(world.intents.size(), 1U);
    EXPECT_EQ(world.intents[0].idle.quiet_since, world.at(5));
    EXPECT_EQ(world.intents[0].idle.last_use, world.at(5) + world.hosts_ahead);
}

TEST_F(Idle, TheLatestSignalCounts) {
    signals = {{"proxy", 0}, {"cpu", 35}};
    world.until(100);
    EXPECT_EQ(world.story, (Story{"95 workspace.idle w-1"}));
}

TEST_F(Idle, AJobInATerminalIsUseByThePoolsRule_25) {
    world.every_second = [this] {
        if (world.second() % 10 != 0) return;
        world.beat(1);
        if (!world.ledger.workspaces.at({"w-1"}).leased) return;
        world.take(HostActivity{.host = {"h-1"}, .incarnation = {"i1"}, .read_at = world.now,
                                .workspaces = {{.workspace = {"w-1"}, .epoch = Epoch{1},
                                                .signals = {{"proxy", world.at(0)}, {"job", world.now, world.at(0), "a terminal runs `make`"}}}}});
    };
    world.until(600);
    EXPECT_EQ(world.story, Story{});
    world.tell(PoolDefined{.pool = {"default"}, .idle_after_ms = Duration{60'000}, .idle_job_max_ms = Duration{620'000}});
    world.until(690);
    EXPECT_EQ(world.story, (Story{"680 workspace.idle w-1"})) << "a job counts only so long";
    EXPECT_EQ(world.intents[0].idle.rule().max, Duration{620'000});
    EXPECT_EQ(world.intents[0].idle.last_use, world.at(620));
}

TEST_F(Idle, AnIntentThatOutlivesItsPolicyIsWithdrawn_N4) {
    world.until(65);
    ASSERT_EQ(world.intents.size(), 1U);
    const auto stop_at = world.intents[0].idle.stop_at;
    world.tell(IdleNoted{{"w-1"}, Epoch{1}, stop_at});
    world.tell(PoolDefined{.pool = {"default"}, .idle_after_ms = Duration{600'000}});
    world.until(67);
    ASSERT_EQ(world.intents.size(), 2U);
    EXPECT_EQ(world.intents[1].idle.withdrawn, true);
    EXPECT_EQ(world.intents[1].idle.stop_at, stop_at);
    world.tell(IdleWithdrawn{{"w-1"}, Epoch{1}});
    EXPECT_FALSE(world.ledger.workspaces.at({"w-1"}).idle_stop_at);
    world.until(590);
    EXPECT_EQ(world.intents.size(), 2U);
    world.until(610);
    EXPECT_EQ(world.intents.size(), 3U) << "by the new policy it is idle in its time";
}

TEST_F(Idle, AnIntentOfAnEarlierLifeIsWithdrawnWhenItsPolicyIsOver_N4) {
    world.tell(IdleNoted{{"w-1"}, Epoch{1}, world.at(-130)});
    world.tell(PoolDefined{.pool = {"default"}, .idle_after_ms = Duration{600'000}});
    world.until(15);
    ASSERT_EQ(world.intents.size(), 1U);
    EXPECT_EQ(world.intents[0].idle.withdrawn, true);
    EXPECT_EQ(world.intents[0].idle.stop_at, world.at(-130));
}

TEST_F(Idle, AJobIsNoUseWhereThePoolSaysSo) {
    world.tell(PoolDefined{.pool = {"default"}, .idle_after_ms = Duration{60'000}, .idle_jobs = IdleJobs::busy});
    signals = {{"proxy", 0}, {"job", 50}};
    world.until(70);
    EXPECT_EQ(world.story, (Story{"60 workspace.idle w-1"}));
}

TEST_F(Idle, I32_OneUnknownSignalVetoes) {
    signals = {{"proxy", 0}, {"editor", std::nullopt}};
    world.until(600);
    EXPECT_EQ(world.story, Story{});
}

TEST_F(Idle, I32_NoReadingVetoes) {
    signals = {};
    world.until(600);
    EXPECT_EQ(world.story, Story{});
}

TEST_F(Idle, I32_AStaleReadingVetoes) {
    world.until(20);
    signals = {};
    world.until(600);
    EXPECT_EQ(world.story, Story{});

    signals = {{"proxy", 0}};
    world.until(630);
    EXPECT_EQ(world.story, (Story{"610 workspace.idle w-1"}));
}

TEST_F(Idle, AnOldReadingThatComesAgainIsNotFresh) {
    const HostActivity old{.host = {"h-1"}, .incarnation = {"i1"}, .read_at = world.now,
                           .workspaces = {{.workspace = {"w-1"}, .epoch = Epoch{1}, .signals = {{"proxy", world.at(-100)}}}}};
    signals = {{"proxy", std::nullopt}};
    world.until(100);
    world.take(old);
    world.until(101);
    EXPECT_EQ(world.story, Story{});
}

TEST_F(Idle, AHoldVetoesAndAfterItAWholeWindowPasses) {
    world.tell(WorkspaceHeld{.workspace = {"w-1"}, .epoch = Epoch{1}, .until = world.at(300)});
    world.until(400);
    EXPECT_EQ(world.story, (Story{"360 workspace.idle w-1"}));
}

TEST_F(Idle, AnObjectionWithdrawsTheIntentForAWholeWindow) {
    world.until(90);
    world.take(HostObjected{.host = {"h-1"}, .workspace = {"w-1"}, .epoch = Epoch{1}});
    world.until(160);
    EXPECT_EQ(world.story, (Story{"60 workspace.idle w-1", "90 intent.withdrawn w-1", "150 workspace.idle w-1"}));
}

TEST_F(Idle, AnObjectionOfAnotherHostOrEpochIsNone) {
    world.host(2);
    world.until(30);
    world.beat(2);
    world.until(61);
    world.take(HostObjected{.host = {"h-2"}, .workspace = {"w-1"}, .epoch = Epoch{1}});
    world.take(HostObjected{.host = {"h-1"}, .workspace = {"w-1"}, .epoch = Epoch{9}});
    EXPECT_EQ(world.story, (Story{"60 workspace.idle w-1"}));
}

TEST_F(Idle, AnIntentThatNothingBecameOfIsSaidAgainEachTimeLater) {
    world.until(400);
    EXPECT_EQ(world.story, (Story{"60 workspace.idle w-1",       // stops at 90; lost at 105
                                  "105 workspace.idle w-1",      // stops at 135; lost at 165
                                  "165 workspace.idle w-1",      // stops at 195; lost at 255
                                  "255 workspace.idle w-1"}));   // stops at 285; lost at 405
}

TEST_F(Idle, AStoppedWorkspaceIsForgotten) {
    world.until(61);
    world.tell(IdleNoted{.workspace = {"w-1"}, .epoch = Epoch{1}, .stop_at = world.at(90)});
    world.until(90);
    world.tell(WorkspaceStopping{.workspace = {"w-1"}, .epoch = Epoch{1}, .host = {"h-1"}, .slot = 0});
    world.tell(WorkspaceStopped{.workspace = {"w-1"}, .epoch = Epoch{1}, .host = {"h-1"}, .incarnation = {"i1"}, .slot = 0});
    world.until(600);
    EXPECT_EQ(world.story, (Story{"60 workspace.idle w-1"}));
    EXPECT_TRUE(world.state.workspaces.empty());
    EXPECT_TRUE(world.state.workspace_wakes.empty());
}

TEST_F(Idle, ARestartedReaperKeepsAnIntentThatIsUnderWay) {
    world.until(61);
    world.tell(IdleNoted{.workspace = {"w-1"}, .epoch = Epoch{1}, .stop_at = world.at(90)});

    world.state = make_state({}, world.now);
    world.take(ViewReply{.view = world.ledger});
    world.until(110);
    EXPECT_EQ(world.story, (Story{"60 workspace.idle w-1", "105 workspace.idle w-1"}));
}

TEST_F(Idle, ARestartedReaperNeedsAReadingButNoNewWindow) {
    world.until(59);
    world.state = make_state({}, world.now);
    world.take(ViewReply{.view = world.ledger});
    world.until(70);
    EXPECT_EQ(world.story, (Story{"60 workspace.idle w-1"}));
}

TEST_F(Idle, F22_AHostsWrongClockChangesNothing) {
    world.every_second = [this] {
        if (world.second() % 10 != 0) return;
        const auto ahead = Duration{365LL * 24 * 3'600'000};
        world.take(HostActivity{.host = {"h-1"}, .incarnation = {"i1"}, .read_at = world.now + ahead,
                                .workspaces = {{.workspace = {"w-1"}, .epoch = Epoch{1},
                                                .signals = {{"proxy", world.at(20) + ahead}}}}});
    };
    world.until(100);
    EXPECT_EQ(world.story.front(), "80 workspace.idle w-1");
}

TEST_F(Idle, I21_NothingIsDecidedWhileTheViewIsVoid) {
    world.until(30);
    world.take(ViewLost{});
    world.until(100);
    EXPECT_EQ(world.story, Story{});
    world.take(ViewReply{.view = world.ledger});
    world.until(101);
    EXPECT_EQ(world.story, (Story{"100 workspace.idle w-1"}));
}

TEST_F(Idle, APoolWithoutAWindowNeverStopsForIdleness) {
    world.tell(PoolDefined{.pool = {"default"}, .idle_after_ms = Duration{0}});
    world.until(600);
    EXPECT_EQ(world.story, Story{});
}

TEST_F(Idle, AShorterWindowIsTakenUpAtOnce) {
    world.until(40);
    world.tell(PoolDefined{.pool = {"default"}, .idle_after_ms = Duration{30'000}});
    world.until(45);
    EXPECT_EQ(world.story, (Story{"40 workspace.idle w-1"}));
}

// ---- ends by the clock

TEST(Over, AnExpiredLeaseIsAskedForOnceAndAgainOnlyAfterAPause) {
    Scenario world;
    world.host(1);
    world.lease(1, 1, 50);
    world.every_second = [&] { world.beat(1); };

    world.until(50);
    ASSERT_EQ(world.asks.size(), 1U);
    const auto& request = std::get<ReapRequest>(world.asks[0].body);
    EXPECT_EQ(request.cause, "expired");
    EXPECT_EQ(request.epoch, Epoch{1});
    world.until(55);
    world.answer(fail(Error{ErrorKind::unavailable, "no allocator"}));
    world.until(56);
    world.answer(fail(Error{ErrorKind::unavailable, "no allocator"}));
    world.until(60);
    world.answer(Done{.count = 1});
    world.until(64);
    EXPECT_EQ(world.story, (Story{"50 workspace.over w-1", "55 ask.refused w-1", "56 workspace.over w-1",
                                  "56 ask.refused w-1", "58 workspace.over w-1"}));

    world.tell(WorkspaceStopping{.workspace = {"w-1"}, .epoch = Epoch{1}, .host = {"h-1"}, .slot = 0});
    world.until(200);
    EXPECT_EQ(world.story.size(), 5U);
}

TEST(Over, AnExtensionMovesTheEnd) {
    Scenario world;
    world.host(1);
    world.lease(1, 1, 50);
    world.every_second = [&] { world.beat(1); };
    world.until(40);
    world.tell(LeaseExtended{.workspace = {"w-1"}, .epoch = Epoch{1}, .expires_at = world.at(80)});
    world.until(90);
    EXPECT_EQ(world.story, (Story{"80 workspace.over w-1"}));
}

TEST(Over, TheLifetimeOfThePoolEndsALeaseThatWasAlwaysExtended) {
    Scenario world;
    world.tell(PoolDefined{.pool = {"default"}, .lifetime_max_ms = Duration{100'000}});
    world.host(1);
    world.lease(1, 1);
    world.every_second = [&] { world.beat(1); };
    world.until(110);
    EXPECT_EQ(world.story, (Story{"100 workspace.over w-1"}));
    EXPECT_EQ(std::get<ReapRequest>(world.asks[0].body).cause, "lifetime");
}

TEST(Over, ANewLeaseOfTheSameWorkspaceStartsAfresh) {
    Scenario world;
    world.host(1);
    world.lease(1, 1, 50);
    world.every_second = [&] { world.beat(1); };
    world.until(51);
    world.tell(WorkspaceStopping{.workspace = {"w-1"}, .epoch = Epoch{1}, .host = {"h-1"}, .slot = 0});
    world.tell(WorkspaceStopped{.workspace = {"w-1"}, .epoch = Epoch{1}, .host = {"h-1"}, .incarnation = {"i1"}, .slot = 0});
    world.lease(1, 1, 100);
    world.answer(Done{.count = 1});
    world.until(120);
    EXPECT_EQ(world.story, (Story{"50 workspace.over w-1", "100 workspace.over w-1"}));
    EXPECT_EQ(std::get<ReapRequest>(world.asks[0].body).epoch, Epoch{2});
}

TEST(Over, WhatARecoveredHostToldIsLookedAtAgain_F16) {
    Scenario world;
    world.host(1);
    world.host(2);
    world.lease(1, 1, 50);
    world.lease(2, 1, 50, 1);
    const auto held = [&](int number, std::uint32_t slot, std::uint64_t epoch, std::int64_t end) {
        return LeaseOrder{.slot = slot, .epoch = Epoch{epoch}, .workspace = Scenario::workspace_id(number), .user = {fmt::format("u{}", number)},
                          .project = {"p"}, .wanted = Wanted::running, .expires_at = world.at(end)};
    };
    world.every_second = [&] { world.beat(1), world.beat(2); };
    world.tell(HostRecovered{.host = {{"h-2"}, {"i1"}}, .pool = {"default"}, .held = {held(1, 0, 8, 60), held(3, 1, 9, 70)},
                             .displaced = {{"w-1"}, {"w-2"}}});
    world.until(80);
    EXPECT_EQ(world.story, (Story{"60 workspace.over w-1", "70 workspace.over w-3"})) << "w-1 moved, w-2 holds nothing more, w-3 is new";
}

TEST(Over, NoMoreRequestsAreOpenThanThePolicyAllows) {
    Scenario world{Policy{.asks_open_max = 3}};
    world.host(1, 10);
    for (int i = 1; i <= 10; ++i) world.lease(i, 1, 50, static_cast<std::uint32_t>(i - 1));
    world.every_second = [&] { world.beat(1); };
    world.until(55);
    EXPECT_EQ(world.asks.size(), 3U);
    world.answer();
    world.until(58);
    EXPECT_EQ(world.asks.size(), 3U);
}

TEST(Over, ManyThatEndTogetherAreAskedForAsFastAsAnswersCome) {
    Scenario world{Policy{.asks_open_max = 3}};
    world.host(1, 40);
    for (int i = 1; i <= 40; ++i) world.lease(i, 1, 50, static_cast<std::uint32_t>(i - 1));
    world.every_second = [&] { world.beat(1); };
    world.until(51);
    std::set<std::string> asked;
    for (int answers = 0; answers < 40; ++answers) {       // no time passes
        ASSERT_FALSE(world.asks.empty());
        ASSERT_LE(world.asks.size(), 3U);
        const auto ask = world.asks.front();
        world.asks.erase(world.asks.begin());
        asked.insert(std::get<ReapRequest>(ask.body).workspace.value);
        world.take(Answered{ask.id, Done{}});
    }
    EXPECT_EQ(asked.size(), 40U) << "each of them, once";
    EXPECT_TRUE(world.asks.empty());
}

}  // namespace
}  // namespace berth::reaper
