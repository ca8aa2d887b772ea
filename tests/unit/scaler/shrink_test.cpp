// SPDX-License-Identifier: Apache-2.0
// Giving back: only a surplus that lasted, one named victim at a time, never without a permit that
// was checked right before (I13, I16, I18). Nothing is ever shrunk blindly (requirements 11).
#include "tests/unit/scaler/scenario.hpp"

namespace berth::scaler {
namespace {

PoolDefined machines(std::uint32_t buffer, std::uint32_t least = 0) {
    return {.slots_per_host = 1, .buffer_unit = BufferUnit::hosts, .buffer = buffer, .hosts_min = least, .hosts_max = 20};
}

class Shrink : public ::testing::Test {
protected:
    // Hosts h-1 … h-n of one slot; the first `used` are leased.
    void fleet(Scenario& world, int number, int used) {
        for (int i = 1; i <= number; ++i) world.host(i, 1);
        for (int i = 1; i <= used; ++i) world.lease(i, fmt::format("h-{}", i), 0);
    }
    const Policy soon{.shrink_after = Duration{60'000}};
};

TEST_F(Shrink, FifteenHostsSevenIdleBufferFiveIsNotShrunkBlindly) {
    Scenario world{machines(5)};
    fleet(world, 15, 8);
    world.until(599);
    EXPECT_EQ(world.story, Story{});
}

TEST_F(Shrink, ASurplusThatLastedIsGivenBackOneByOneTheLongestIdleFirst) {
    Scenario world{machines(1), soon};
    fleet(world, 3, 2);
    world.until(10);
    world.release(2);          // h-3 is idle since 0, h-2 since 10
    world.until(200);
    EXPECT_EQ(world.story, (Story{"70 cordon h-3", "71 drain h-3", "71 terminate h-3", "80 gone h-3"}));
}

TEST_F(Shrink, TheNextVictimComesAfterTheFirstIsGone) {
    Scenario world{machines(1), soon};
    fleet(world, 3, 0);
    world.until(300);
    const Story story{"61 cordon h-1", "61 drain h-1", "62 terminate h-1", "70 gone h-1",
                      "91 cordon h-2", "91 drain h-2", "92 terminate h-2", "100 gone h-2"};
    EXPECT_EQ(world.story, story);
}

TEST_F(Shrink, ASurplusThatPassesIsNone) {
    Scenario world{machines(1), soon};
    fleet(world, 2, 0);
    world.until(50);
    world.lease(1, "h-1", 0);
    world.until(55);
    world.release(1);
    world.until(114);
    EXPECT_EQ(world.story, Story{});
    world.until(120);
    EXPECT_EQ(world.story[0], "115 cordon h-2");
}

TEST_F(Shrink, NothingIsASurplusWhileNumbersAreMissing) {
    struct Row {
        std::string name;
        std::function<void(Scenario&, bool)> fault;
        std::string first;  // counted anew from when the numbers are back: at 299.5, the listing at 300
    };
    const std::vector<Row> rows = {
        {"the provider does not list", [](Scenario& world, bool on) { world.provider_lists = !on; }, "360 cordon h-1"},
        {"the allocator is silent", [](Scenario& world, bool on) { world.allocator_speaks = !on; }, "359 cordon h-1"},
        {"a gap in the facts", [](Scenario& world, bool on) {
             if (on) world.take(ViewLost{});
             if (!on) world.take(ViewReply{.view = world.ledger});
         }, "359 cordon h-1"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        Scenario world{machines(1), soon};
        fleet(world, 3, 0);
        world.until(20);
        row.fault(world, true);
        world.until(299);
        EXPECT_EQ(world.story, Story{});
        row.fault(world, false);
        world.until(400);
        ASSERT_FALSE(world.story.empty());
        EXPECT_EQ(world.story.front(), row.first);
    }
}

TEST_F(Shrink, HostsThatAreSilentAreNoSurplusAndSilenceOfOthersSparesTheIdle) {
    Scenario world{machines(1), soon};
    fleet(world, 3, 0);
    world.until(20);
    for (int i = 1; i <= 2; ++i) world.tell(HostUnknown{{{fmt::format("h-{}", i)}, {"i"}}});
    world.until(300);
    EXPECT_EQ(world.story, Story{});  // one idle host is heard of, and that is the buffer
}

TEST_F(Shrink, LeastHostsStay) {
    Scenario world{machines(0, 2), soon};
    fleet(world, 2, 0);
    world.until(300);
    EXPECT_EQ(world.story, Story{});
}

TEST_F(Shrink, ALeaseThatLandsInBetweenSparesTheHost) {
    Scenario world{machines(0), soon};
    fleet(world, 1, 0);
    world.before_answer = [&](const AskBody& body) {
        if (std::holds_alternative<CordonRequest>(body) && world.ledger.hosts.at({"h-1"}).idle()) world.lease(1, "h-1", 0);
    };
    world.until(70);
    EXPECT_EQ(world.story, (Story{"61 cordon h-1", "61 uncordon h-1"}));
    EXPECT_TRUE(world.state.victims.empty());
}

TEST_F(Shrink, DemandThatComesBackBeforeTheSealSparesTheHost) {
    Scenario world{machines(1), soon};
    fleet(world, 2, 0);
    world.before_answer = [&](const AskBody& body) {
        if (std::holds_alternative<CordonRequest>(body)) world.lease(2, "h-2", 0);
    };
    world.until(70);
    EXPECT_EQ(world.story, (Story{"61 cordon h-1", "61 uncordon h-1"}));  // and nothing is launched in its stead
}

TEST_F(Shrink, I16_APermitOfAnEarlierTermIsAskedForAgain) {
    Scenario world{machines(0), soon};
    fleet(world, 1, 0);
    bool once = true;
    world.before_answer = [&](const AskBody& body) {
        if (std::holds_alternative<PermitCheckRequest>(body) && once) {
            once = false;
            world.tell(TookOver{.ledger = "L", .version = "0"});
        }
    };
    world.until(100);
    EXPECT_EQ(world.story, (Story{"61 cordon h-1", "61 drain h-1", "62 stale permit h-1", "63 terminate h-1", "70 gone h-1"}));
}

TEST_F(Shrink, AnEndThatFailsIsCheckedAndTriedAgain) {
    Scenario world{machines(0), soon};
    fleet(world, 1, 0);
    world.terminate_works = false;
    world.every_second = [&] { world.terminate_works = world.second() >= 64; };
    world.until(100);
    EXPECT_EQ(world.story.front(), "61 cordon h-1");
    EXPECT_EQ(world.story.back(), "70 gone h-1");
    EXPECT_EQ(std::count_if(world.story.begin(), world.story.end(),
                            [](const auto& line) { return line.find("terminate") != std::string::npos; }), 3);
}

TEST_F(Shrink, ARestartFinishesWhatWasBegun) {
    for (const auto stop_at : {61, 62, 63, 65}) {
        SCOPED_TRACE(stop_at);
        Scenario world{machines(0), soon};
        fleet(world, 1, 0);
        world.until(stop_at);
        world.restart();
        world.until(200);
        EXPECT_EQ(world.story.back().substr(world.story.back().find(' ')), " gone h-1");
    }
}

TEST_F(Shrink, AnOperatorsCordonIsNotOurs) {
    Scenario world{machines(0), soon};
    fleet(world, 1, 0);
    world.tell(HostCordoned{{{"h-1"}, {"i"}}}, "ops");
    world.restart();
    world.until(300);
    EXPECT_EQ(world.story, Story{});
}

TEST_F(Shrink, WhatAnOperatorDrainedIsEnded) {
    Scenario world{machines(0), soon};
    fleet(world, 1, 0);
    world.until(5);
    world.tell(HostCordoned{{{"h-1"}, {"i"}}}, "ops");
    world.tell(HostDrained{{{"h-1"}, {"i"}}}, "ops");
    world.until(30);
    EXPECT_EQ(world.story, (Story{"6 terminate h-1", "10 gone h-1"}));
}

TEST_F(Shrink, AHostThatCannotBeSealedIsSparedInTheEnd) {
    Scenario world{machines(0), Policy{.shrink_after = Duration{60'000}, .phase_max = Duration{30'000}}};
    fleet(world, 1, 0);
    world.before_answer = [&](const AskBody& body) {
        world.allocator_error.reset();
        if (std::holds_alternative<DrainRequest>(body)) world.allocator_error = Error{ErrorKind::timeout, "the host does not answer"};
    };
    world.until(95);
    EXPECT_EQ(world.story, (Story{"61 cordon h-1", "92 uncordon h-1"}));
}

TEST_F(Shrink, AnInstanceThatIsStillListedIsEndedAgain) {
    Scenario world{machines(0), Policy{.shrink_after = Duration{60'000}, .phase_max = Duration{30'000}}};
    fleet(world, 1, 0);
    world.every_second = [&] {
        if (world.second() < 90) world.cloud.at("h-1").state = InstanceState::running;
    };
    world.until(120);
    EXPECT_EQ(std::count(world.lines.begin(), world.lines.end(), "92 host.still_there h-1"), 1);
    EXPECT_EQ(world.story.back(), "100 gone h-1");
}

class EndsAsked : public Shrink {
protected:
    const HostRef h1{{"h-1"}, {"i"}};
    void asked(Scenario& world) {
        world.tell(HostEnding{h1}, "ops");
        if (world.ledger.hosts.at({"h-1"}).admission == Admission::open) world.tell(HostCordoned{h1}, "ops");
    }
};

TEST_F(EndsAsked, AHostIsTheNextVictimOnceItIsSealedThoughThePoolNeedsIt) {
    Scenario world{machines(1, 1)};
    fleet(world, 1, 0);
    world.until(5);
    asked(world);
    world.until(8);
    EXPECT_EQ(world.story, (Story{"5 granted 1", "5 launch l-1"})) << "the buffer is filled; the host itself is the allocator's until the seal";
    world.tell(HostDrained{h1});
    world.until(30);
    EXPECT_EQ(std::count(world.story.begin(), world.story.end(), "9 terminate h-1"), 1);
    EXPECT_EQ(std::count(world.story.begin(), world.story.end(), "10 gone h-1"), 1);
}

TEST_F(EndsAsked, AVictimWhoseEndIsAskedForIsNotSpared) {
    Scenario world{machines(1), soon};
    fleet(world, 2, 0);
    world.before_answer = [&](const AskBody& body) {
        if (!std::holds_alternative<CordonRequest>(body)) return;
        asked(world);
        world.lease(2, "h-2", 0);          // else it would be spared for this
    };
    world.until(70);
    EXPECT_EQ(std::count(world.story.begin(), world.story.end(), "61 uncordon h-1"), 0);
    EXPECT_TRUE(world.state.victims.empty());
    world.before_answer = [](const AskBody&) {};
    world.tell(HostDrained{h1});
    world.until(90);
    EXPECT_EQ(std::count(world.story.begin(), world.story.end(), "71 terminate h-1"), 1);
}

TEST_F(EndsAsked, ARestartedScalerEndsWhatIsSealedAndLeavesTheRest) {
    Scenario world{machines(0)};
    fleet(world, 2, 0);
    asked(world);
    world.restart();
    world.until(30);
    EXPECT_EQ(world.story, Story{});
    world.tell(HostDrained{h1});
    world.restart();
    world.until(60);
    EXPECT_EQ(world.story.back(), "50 gone h-1");
}

// Requirement 19: a machine that somebody enrolled by hand is theirs.
TEST_F(Shrink, AHostThatNobodyLaunchedAndNoProviderListsIsNeverAVictim) {
    Scenario world{machines(0), soon};
    world.tell(HostRegistered{.host = {"own-1"}, .incarnation = {"i"}, .pool = {"default"}, .slots = 1});
    world.until(900);
    EXPECT_EQ(world.story, Story{});
    EXPECT_EQ(world.ledger.hosts.at({"own-1"}).admission, Admission::open);
}

TEST_F(Shrink, ASealedHostOfItsOwnerIsNotEndedAtAnyProvider) {
    Scenario world{machines(0), soon};
    const HostRef own{{"own-1"}, {"i"}};
    world.tell(HostRegistered{.host = own.host, .incarnation = own.incarnation, .pool = {"default"}, .slots = 1});
    world.tell(HostCordoned{own}, "ops");
    world.tell(HostDrained{own}, "ops");
    world.until(60);
    EXPECT_EQ(std::count_if(world.story.begin(), world.story.end(),
                            [](const auto& line) { return line.find("terminate") != std::string::npos; }), 0);
}

TEST_F(EndsAsked, ARetiredPoolHasNoBufferAndItsHostsGoBySealAlone) {
    Scenario world{machines(3, 2), soon};
    world.host(1, 1);
    world.host(2, 1);
    world.tell(PoolRetired{{"default"}});
    world.until(300);
    EXPECT_EQ(world.story, Story{}) << "neither launched for, nor given back as a surplus";
    world.tell(HostEnding{.host = h1, .cause = EndCause::pool_retired});
    world.tell(HostCordoned{h1});
    world.tell(HostDrained{h1});
    world.until(330);
    EXPECT_EQ(world.story, (Story{"301 terminate h-1", "310 gone h-1"}));
}

}  // namespace
}  // namespace berth::scaler
