// SPDX-License-Identifier: Apache-2.0
// Real allocators on a DynamoDB table: what was acknowledged outlives kill -9, on the same machine and on another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/exit.hpp"
#include "base/rng.hpp"
#include "tests/integration/allocator/traffic.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;

struct WithTable {
    std::string store = "dynamodb://ledger-whole-" + random_hex(6);
};
class OnDynamo : protected WithTable, public OnSharedStore {
protected:
    OnDynamo() : OnSharedStore(store) {}
    void init() {
        ASSERT_EQ(run({"init"}), 0) << read_text(log_of("command"));
        begin();
        run_host();
    }
    void judge(const Traffic& traffic, std::size_t calls) {
        const auto judged = sim::check_linear(traffic.history());
        EXPECT_EQ(judged.verdict, sim::LinearVerdict::linear) << judged.text;
        EXPECT_GT(judged.calls, calls);
    }
};

TEST_F(OnDynamo, WithoutItsTableItDoesNotStartAndSaysHowToMakeIt) {
    EXPECT_EQ(run({}), static_cast<int>(exit_of(ErrorKind::not_found)));
    EXPECT_THAT(read_text(log_of("command")), HasSubstr("berth-allocator init --store " + store));
    EXPECT_EQ(run({"init", "--store", "dynamodb://x"}), static_cast<int>(exit_of(ErrorKind::invalid)));
}

TEST_F(OnDynamo, KilledUnderLoadAndStartedAnewItHasLostNothingThatItAcknowledged) {
    init();
    Traffic traffic(cluster);
    auto& robot = traffic.robot();
    for (int life = 0; life < 3; ++life) {
        const auto before = traffic.granted();
        ASSERT_TRUE(robot.until([&] { return traffic.granted() > before + 40; }, Duration{60'000})) << cluster.log_of("allocator") << read_text(log_of("again"));
        cluster.process("allocator").kill();
        cluster.process("allocator") = start_first({"--standby"}, "again");       // whose beat is still in the table
    }
    const auto before = traffic.granted();
    ASSERT_TRUE(robot.until([&] { return traffic.granted() > before + 20; }, Duration{60'000})) << read_text(log_of("again"));
    traffic.end();
    ASSERT_TRUE(robot.until([&] { return traffic.idle(); }, Duration{30'000}));
    judge(traffic, 200);
    EXPECT_EQ(cluster.process("allocator").terminate(Duration{20'000}), 0);
    ASSERT_EQ(run({"verify"}), 0) << read_text(log_of("command"));
    EXPECT_THAT(read_text(log_of("command")), HasSubstr("is whole"));
}

TEST_F(OnDynamo, AStandbyOnAnotherMachineTakesOver) {
    init();
    const auto standby = start_other("standby", {"--standby"});
    ASSERT_TRUE(says("standby", "lives"));
    Traffic traffic(cluster);
    auto& robot = traffic.robot();
    ASSERT_TRUE(robot.until([&] { return traffic.granted() > 30; }, Duration{60'000}));
    const auto before = traffic.granted();
    cluster.process("allocator").kill();
    ASSERT_TRUE(robot.until([&] { return traffic.granted() > before + 30; }, Duration{60'000})) << read_text(log_of("standby"));
    traffic.end();
    ASSERT_TRUE(robot.until([&] { return traffic.idle(); }, Duration{30'000}));
    judge(traffic, 80);
}

}  // namespace
}  // namespace berth::testing
