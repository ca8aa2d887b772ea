// SPDX-License-Identifier: Apache-2.0
// The reaper names an orphan; the scaler ends it only if it sees the same.
#include "tests/unit/scaler/scenario.hpp"

namespace berth::scaler {
namespace {

TEST(Orphan, IsEndedOnlyWhenTheScalerAgrees) {
    struct Row {
        std::string name;
        std::string instance;
        std::string incarnation;
        std::optional<ErrorKind> refused;
    };
    const std::vector<Row> rows = {
        {"an orphan", "stray", "i", std::nullopt},
        {"another incarnation of it", "stray", "i2", ErrorKind::not_found},
        {"a host of the ledger", "h-1", "i", ErrorKind::conflict},
        {"a launch in flight", "h-l-9", "i", ErrorKind::conflict},
        {"what nobody lists", "nothing", "i", ErrorKind::not_found},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        Scenario world{{.slots_per_host = 1, .buffer_unit = BufferUnit::hosts, .buffer = 0}};
        world.host(1, 1);
        world.tell(LaunchStarted{.launch = {"l-9"}, .pool = {"default"}, .started_at = world.now, .deadline = world.at(999)});
        world.boot = Duration{10'000'000};
        world.cloud["stray"] = Instance{.instance = "stray", .incarnation = {"i"}, .state = InstanceState::running};
        world.until(11);
        world.take(OrphanAsked{7, {.instance = row.instance, .incarnation = {row.incarnation}, .evidence = {"seen twice"}}});
        world.until(13);
        ASSERT_EQ(world.replies.size(), 1U);
        EXPECT_EQ(world.replies[0].caller, 7U);
        if (row.refused) {
            ASSERT_FALSE(world.replies[0].body);
            EXPECT_EQ(world.replies[0].body.error().kind, *row.refused);
        } else {
            EXPECT_TRUE(world.replies[0].body);
            EXPECT_EQ(world.cloud.at("stray").state, InstanceState::terminated);
        }
    }
}

// The scaler's view may be seconds old; only the ledger's order says who was first.
TEST(Orphan, I16_WhatTheLedgerAccountsForByNowIsNotEnded) {
    Scenario world{{.buffer = 0}};
    world.cloud["late"] = Instance{.instance = "late", .incarnation = {"i"}, .state = InstanceState::running};
    world.accounted_for = {"late"};
    world.until(11);
    world.take(OrphanAsked{7, {.instance = "late", .incarnation = {"i"}}});
    world.until(13);
    ASSERT_EQ(world.replies.size(), 1U);
    EXPECT_EQ(world.replies[0].body.error().kind, ErrorKind::conflict);
    EXPECT_EQ(world.cloud.at("late").state, InstanceState::running);
}

TEST(Orphan, WithoutAViewNoneIsEnded) {
    Scenario world{{.buffer = 0}};
    world.cloud["stray"] = Instance{.instance = "stray", .incarnation = {"i"}, .state = InstanceState::running};
    world.until(11);
    world.take(ViewLost{});
    world.take(OrphanAsked{7, {.instance = "stray", .incarnation = {"i"}}});
    ASSERT_EQ(world.replies.size(), 1U);
    EXPECT_EQ(world.replies[0].body.error().kind, ErrorKind::unavailable);
}

TEST(Orphan, ByADoubtedLedgerNoneIsEnded_F16) {
    Scenario world{{.buffer = 0}};
    world.cloud["stray"] = Instance{.instance = "stray", .incarnation = {"i"}, .state = InstanceState::running};
    world.until(11);
    world.tell(LedgerDoubted{.host = {"h-1"}, .position_seen = Position{99}});
    world.take(OrphanAsked{7, {.instance = "stray", .incarnation = {"i"}}});
    world.until(13);
    ASSERT_EQ(world.replies.size(), 1U);
    EXPECT_EQ(world.replies[0].body.error().kind, ErrorKind::unavailable);
    EXPECT_EQ(world.cloud.at("stray").state, InstanceState::running);
}

}  // namespace
}  // namespace berth::scaler
