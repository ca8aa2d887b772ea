// SPDX-License-Identifier: Apache-2.0
// Real allocators on a real Redis: one serves, others wait; what befalls who serves costs its clients a pause, and
// nothing that they were told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "allocator/standby.hpp"
#include "base/exit.hpp"
#include "tests/integration/allocator/traffic.hpp"
#include "tests/support/redis_server.hpp"

namespace berth::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Steady = std::chrono::steady_clock;

constexpr Duration first_grant_max{5'000};

// The server outlives the allocators.
struct WithRedis {
    RedisServer redis;
};
class OnRedis : protected WithRedis, public OnSharedStore {
protected:
    OnRedis() : OnSharedStore("redis+unix://" + redis.socket()) { begin(); }
};

TEST(LeaderWatch, JudgesByWhetherTheBeatIsRenewedAndByNoClockOfTheLeaders) {
    using allocator::LeaderBeat;
    using allocator::LeaderState;
    using allocator::LeaderWatch;
    const auto at = [](int ms) { return Instant{Duration{ms}}; };
    const auto beat = [](std::uint64_t count) { return LeaderBeat{"w", count, "m", 1}; };
    LeaderWatch watch(Duration{2'000});
    EXPECT_EQ(watch.look(std::nullopt, true, at(0)), LeaderState::none);
    EXPECT_EQ(watch.look(beat(7), true, at(100)), LeaderState::unclear) << "it may be of one that died";
    EXPECT_EQ(watch.look(beat(8), true, at(600)), LeaderState::lives);
    EXPECT_EQ(watch.look(beat(8), true, at(2'599)), LeaderState::lives);
    EXPECT_EQ(watch.look(beat(8), true, at(2'600)), LeaderState::silent);
    EXPECT_EQ(watch.look(beat(9), true, at(2'700)), LeaderState::lives) << "it was only slow";
    EXPECT_EQ(watch.look(beat(9), false, at(2'800)), LeaderState::none) << "its process is known to be gone";

    LeaderWatch left(Duration{2'000});
    EXPECT_EQ(left.look(beat(7), true, at(0)), LeaderState::unclear);
    EXPECT_EQ(left.look(beat(7), true, at(2'000)), LeaderState::silent);
    EXPECT_EQ(allocator::read_beat(to_text(beat(7))), beat(7));
    EXPECT_FALSE(allocator::read_beat(""));
    EXPECT_TRUE(allocator::may_live(allocator::own_beat("w")));
}

TEST_F(OnRedis, ASecondAllocatorThatIsNoStandbyIsRefused) {
    auto second = start_other("second", {});
    EXPECT_EQ(second->wait(Duration{20'000}), static_cast<int>(exit_of(ErrorKind::conflict)));
    EXPECT_THAT(read_text(log_of("second")), AllOf(HasSubstr("in use by another allocator"), HasSubstr("--standby")));
    EXPECT_TRUE(cluster.process("allocator").alive());
}

TEST_F(OnRedis, AStandbyTakesOverWhenTheLeaderIsKilledUnderLoadAndNoAnswerIsLost) {
    run_host();
    auto standby = start_other("standby", {"--standby"});
    ASSERT_TRUE(says("standby", "lives"));
    Traffic traffic(cluster);
    auto& robot = traffic.robot();
    ASSERT_TRUE(robot.until([&] { return traffic.granted() > 200; }, Duration{30'000}));

    for (int life = 0; life < 2; ++life) {
        const auto before = traffic.granted();
        const auto killed = Steady::now();
        (life == 0 ? cluster.process("allocator") : *standby).kill();
        ASSERT_TRUE(robot.until([&] { return traffic.granted() > before; }, Duration{30'000})) << read_text(log_of("standby"));
        const auto pause = std::chrono::duration_cast<Duration>(Steady::now() - killed);
        RecordProperty(fmt::format("first_grant_ms_{}", life), static_cast<int>(pause.count()));
        std::printf("first grant %d ms after kill -9 of the leader\n", static_cast<int>(pause.count()));
        EXPECT_LT(pause, first_grant_max);
        ASSERT_TRUE(robot.until([&] { return traffic.granted() > before + 100; }, Duration{30'000}));
        if (life > 0) break;
        // Back to the first machine: it waits for its turn now.
        cluster.process("allocator") = start_first({"--standby"}, "first");
        ASSERT_TRUE(says("first", "lives"));
    }
    traffic.end();
    ASSERT_TRUE(robot.until([&] { return traffic.idle(); }, Duration{20'000}));
    const auto judged = sim::check_linear(traffic.history());
    EXPECT_EQ(judged.verdict, sim::LinearVerdict::linear) << judged.text;
    EXPECT_GT(judged.calls, 600U);
}

TEST_F(OnRedis, ALeaderThatWasPausedAndReplacedSaysNothingAndEndsI4) {
    run_host();
    auto standby = start_other("standby", {"--standby"});
    ASSERT_TRUE(says("standby", "lives"));
    TestPeer robot(cluster, "robot", Role::client);
    ASSERT_TRUE(robot.ask(ClaimRequest{.key = {"k1"}, .user = {"ada"}, .project = {"p"}}));
    auto& leader = cluster.process("allocator");
    leader.signal(SIGSTOP);
    std::optional<ClaimReply> bobs;
    ASSERT_TRUE(eventually([&] {
        auto reply = robot.ask(ClaimRequest{.key = {"k2"}, .user = {"bob"}, .project = {"p"}}, Duration{1'000});
        if (reply && reply->state == ClaimState::granted) bobs = *reply;
        return bobs.has_value();
    }, Duration{20'000}));
    const auto length = redis.say({"HGET", "{berth}:meta", "head"});

    leader.signal(SIGCONT);
    const auto ended = leader.wait(Duration{10'000});
    ASSERT_TRUE(ended.has_value()) << "it learns that it was replaced, and ends";
    EXPECT_NE(*ended, 0);
    EXPECT_THAT(cluster.log_of("allocator"), HasSubstr("fenced"));
    // For a moment it had taken the place of who serves now at the broker.
    Result<ClaimReply> again = fail(ErrorKind::internal, "not asked");
    ASSERT_TRUE(eventually([&] { return (again = robot.ask(ClaimOutcomeRequest{.key = {"k2"}}, Duration{1'000})).has_value(); })) << again.error().text;
    EXPECT_EQ(again->workspace, bobs->workspace);
    EXPECT_TRUE(standby->alive());
    EXPECT_GE(std::stoull(redis.say({"HGET", "{berth}:meta", "head"})), std::stoull(length));
}

TEST_F(OnRedis, AFlushEndsItWithOneClearLineAndItDoesNotBeginAnew) {
    run_host();
    TestPeer robot(cluster, "robot", Role::client);
    ASSERT_TRUE(robot.ask(ClaimRequest{.key = {"k1"}, .user = {"ada"}, .project = {"p"}}));
    // What this machine has seen is written every few seconds.
    ASSERT_TRUE(eventually([&] { return !read_text(cluster.state() + "/ledger.seen").empty(); }));
    ASSERT_EQ(run({"export"}), 0) << "also while it serves";
    const auto text = read_text(log_of("command"));
    write_text(elsewhere / "export", text.substr(0, text.rfind("exported facts")));

    redis.say({"FLUSHALL"});
    ASSERT_TRUE(cluster.process("allocator").wait(Duration{20'000}).has_value());
    EXPECT_THAT(cluster.log_of("allocator"), HasSubstr("FLUSHALL"));
    EXPECT_NE(run({}), 0);
    EXPECT_THAT(read_text(log_of("command")), HasSubstr("is empty, but held"));
    ASSERT_EQ(run({"import", elsewhere / "export"}), 0) << read_text(log_of("command"));
    ASSERT_EQ(run({"verify"}), 0) << read_text(log_of("command"));
    cluster.start("allocator");
    Result<ClaimReply> again = fail(ErrorKind::internal, "not asked");
    ASSERT_TRUE(eventually([&] { return (again = robot.ask(ClaimOutcomeRequest{.key = {"k1"}}, Duration{1'000})).has_value(); })) << again.error().text;
    EXPECT_EQ(again->state, ClaimState::granted);
}

}  // namespace
}  // namespace berth::testing
