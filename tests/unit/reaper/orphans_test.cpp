// SPDX-License-Identifier: Apache-2.0
// I17: orphans are old enough, seen twice, ended few at a time, and a wrong picture ends none.
#include "tests/unit/reaper/scenario.hpp"

namespace berth::reaper {
namespace {

class Orphans : public ::testing::Test {
protected:
    // A fleet of `known` hosts in the ledger; listings each 10 s of these and of what is added.
    void fleet(int known) {
        for (int i = 1; i <= known; ++i) {
            world.host(i);
            instances.push_back(instance(fmt::format("h-{}", i), 0));
        }
        world.every_second = [this, known] {
            for (int i = 1; i <= known; ++i) world.beat(i);
            if (world.second() % 10 == 0) list();
        };
    }
    void list() {
        world.take(ProviderSnapshot{.provider = "local", .read_at = world.now, .complete = complete, .instances = instances});
    }
    Instance instance(std::string name, std::int64_t launched_at) {
        return {.instance = std::move(name), .incarnation = {"i1"}, .pool = {"default"}, .state = InstanceState::running,
                .launched_at = world.at(launched_at)};
    }
    Scenario world;
    std::vector<Instance> instances;
    bool complete = true;
};

TEST_F(Orphans, AnInstanceThatNobodyKnowsIsEndedAfterTheGraceAndTwoSightings) {
    fleet(1);
    instances.push_back(instance("stray", 0));
    world.until(965);
    EXPECT_EQ(world.story, (Story{"960 orphan.end stray"}));   // old enough at 900, seen again at 960
    EXPECT_EQ(std::get<TerminateOrphanRequest>(world.asks[0].body).incarnation, HostIncarnation{"i1"});
}

TEST_F(Orphans, AListingByAClockThatIsAheadHidesNoneThatCome_F22) {
    fleet(1);
    instances.push_back(instance("stray", 0));
    world.take(ProviderSnapshot{.provider = "local", .read_at = world.at(3'600), .complete = true, .instances = {}});
    world.until(965);
    EXPECT_EQ(world.story, (Story{"0 listing.ahead local", "960 orphan.end stray"}));
}

TEST_F(Orphans, AnOldCopyOfTheLedgerEndsNone_F16) {
    fleet(1);
    instances.push_back(instance("of the lost part", 0));
    world.tell(LedgerDoubted{.host = {"h-1"}, .position_seen = Position{99}});
    world.until(1200);
    EXPECT_EQ(world.story, Story{});
    world.tell(LedgerRecovered{.before = "L", .ledger = "L2"});
    world.until(2095);
    EXPECT_EQ(world.story, Story{}) << "its hosts need time to register";
    world.until(2165);
    EXPECT_EQ(world.story, (Story{"2160 orphan.end of the lost part"}));
}

TEST_F(Orphans, WhatIsAccountedForIsNone) {
    fleet(1);
    world.tell(LaunchStarted{.launch = {"l-9"}, .pool = {"default"}, .started_at = world.now, .deadline = world.at(9999)});
    auto launching = instance("new", 0);
    launching.launch = LaunchId{"l-9"};
    auto ended = instance("old", 0);
    ended.state = InstanceState::terminated;
    instances.push_back(launching);
    instances.push_back(ended);
    world.until(1200);
    EXPECT_EQ(world.story, Story{});
}

TEST_F(Orphans, AHostThatTheLedgerCallsGoneIsOneOnlyAfterTheGrace) {
    fleet(2);
    world.until(1000);
    world.tell(HostGone{.host = {{"h-2"}, {"i1"}}});
    world.until(1955);
    EXPECT_EQ(world.story, Story{});
    world.until(1965);
    EXPECT_EQ(world.story, (Story{"1960 orphan.end h-2"}));
}

TEST_F(Orphans, IncompleteListingsShowNone) {
    fleet(1);
    complete = false;
    instances.push_back(instance("stray", 0));
    world.until(1200);
    EXPECT_EQ(world.story, Story{});
}

TEST_F(Orphans, ALostViewMakesTheSightingsVoid) {
    fleet(1);
    instances.push_back(instance("stray", 0));
    world.until(955);
    world.take(ViewLost{});
    world.take(ViewReply{.view = world.ledger});
    world.until(1025);
    EXPECT_EQ(world.story, (Story{"1020 orphan.end stray"}));
}

TEST_F(Orphans, TooManyOpenTheBreakerAndNoneIsTouchedUntilAllIsWellAgain) {
    fleet(10);
    for (int i = 0; i < 3; ++i) instances.push_back(instance(fmt::format("stray-{}", i), 0));
    world.until(2000);
    EXPECT_EQ(world.story, (Story{"960 orphans.breaker_open local"}));
    EXPECT_EQ(world.lines.back().level, LogLevel::error);

    instances.resize(10);
    world.until(2010);
    EXPECT_EQ(world.story.back(), "2010 orphans.breaker_closed local");
    EXPECT_TRUE(world.asks.empty());
}

TEST_F(Orphans, FivePercentOfALargeFleetInTenMinutes) {
    fleet(100);
    for (int i = 0; i < 4; ++i) instances.push_back(instance(fmt::format("a-{}", i), 0));
    world.until(961);
    EXPECT_EQ(world.asks.size(), 4U);
    instances.resize(100);
    for (int i = 0; i < 2; ++i) instances.push_back(instance(fmt::format("b-{}", i), 0));
    world.until(1031);
    EXPECT_EQ(world.story.back(), "1030 orphans.breaker_open local");   // 4 + 2 > 5 % of 102
    EXPECT_EQ(world.asks.size(), 4U);
}

TEST_F(Orphans, AnEndThatFailedIsTriedAgainAndCountedOnce) {
    fleet(1);
    instances.push_back(instance("stray", 0));
    world.until(960);
    world.answer(fail(Error{ErrorKind::unavailable, "no scaler"}));
    world.until(975);
    EXPECT_EQ(world.story, (Story{"960 orphan.end stray", "960 ask.refused stray", "970 orphan.end stray"}));
}

TEST_F(Orphans, ARepeatedListingIsNoSecondSighting) {
    fleet(1);
    world.every_second = [&] { world.beat(1); };
    instances.push_back(instance("stray", -2000));
    const ProviderSnapshot once{.provider = "local", .read_at = world.at(1), .complete = true, .instances = instances};
    for (int i = 0; i < 20; ++i) {
        world.until(world.second() + 10);
        world.take(once);
    }
    EXPECT_EQ(world.story, Story{});
}

}  // namespace
}  // namespace berth::reaper
