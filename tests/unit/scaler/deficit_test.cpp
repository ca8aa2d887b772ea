// SPDX-License-Identifier: Apache-2.0
// I31 and requirements 11 as a table.
#include "scaler/deficit.hpp"

#include <gtest/gtest.h>

namespace berth::scaler {
namespace {

constexpr auto hosts = BufferUnit::hosts;
constexpr auto slots = BufferUnit::slots;

TEST(Deficit, IsTargetLessReadyLaunchingAndPromised) {
    struct Row {
        std::string name;
        PoolDefined pool;
        Level level;
        std::int64_t missing;
        std::uint32_t launch;
        std::uint32_t refused;
    };
    const PoolDefined field{.slots_per_host = 1, .buffer_unit = hosts, .buffer = 5, .hosts_max = 100};
    const PoolDefined shared{.slots_per_host = 20, .buffer_unit = slots, .buffer = 2, .hosts_max = 10};
    auto at_least_three = shared;
    at_least_three.hosts_min = 3;
    auto at_most_two = field;
    at_most_two.hosts_max = 12;
    const std::vector<Row> rows = {
        // requirements 11
        {"10 total, 2 idle: 13", field, {.hosts = 10, .hosts_ready = 2, .slots_ready = 2}, 3, 3, 0},
        {"8 total, 1 idle: 12", field, {.hosts = 8, .hosts_ready = 1, .slots_ready = 1}, 4, 4, 0},
        {"15 total, 7 idle: no change", field, {.hosts = 15, .hosts_ready = 7, .slots_ready = 7}, -2, 0, 0},
        // hosts
        {"nothing there", field, {}, 5, 5, 0},
        {"launches count", field, {.hosts = 8, .hosts_ready = 1, .slots_ready = 1, .launching = 4}, 0, 0, 0},
        {"what was asked for counts", field, {.hosts = 8, .hosts_ready = 1, .slots_ready = 1, .launching = 1, .asked = 2}, 1, 1, 0},
        {"what is being wiped counts", field, {.hosts = 8, .hosts_ready = 3, .slots_ready = 3, .hosts_wiping = 2, .slots_wiping = 2}, 0, 0, 0},
        {"waiting claims come on top", field, {.hosts = 8, .waiting = 3}, 8, 8, 0},
        {"waiting claims fit on hosts in use", {.slots_per_host = 20, .buffer_unit = hosts, .buffer = 1, .hosts_max = 10},
         {.hosts = 2, .hosts_ready = 1, .slots_ready = 25, .slots_shared = 5, .waiting = 5}, 0, 0, 0},
        {"most hosts", at_most_two, {.hosts = 10, .hosts_ready = 2, .slots_ready = 2}, 3, 2, 1},
        {"more hosts than the most", at_most_two, {.hosts = 14, .hosts_ready = 2, .slots_ready = 2}, 3, 0, 3},
        // slots
        {"first host", shared, {}, 2, 1, 0},
        {"two free slots are enough", shared, {.hosts = 1, .slots_ready = 2, .slots_shared = 2}, 0, 0, 0},
        {"one is not", shared, {.hosts = 1, .slots_ready = 1, .slots_shared = 1}, 1, 1, 0},
        {"a launch brings twenty", shared, {.hosts = 1, .slots_ready = 1, .slots_shared = 1, .launching = 1}, -19, 0, 0},
        {"twenty-one that wait take two hosts", shared, {.hosts = 1, .waiting = 21}, 23, 2, 0},
        {"least hosts", at_least_three, {.hosts = 1, .slots_ready = 20}, -18, 2, 0},
        {"least hosts, two on the way", at_least_three, {.hosts = 1, .slots_ready = 20, .launching = 1, .asked = 1}, -58, 0, 0},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        const auto need = need_of(row.pool, row.level);
        EXPECT_EQ(need.missing, row.missing);
        EXPECT_EQ(need.launch, row.launch);
        EXPECT_EQ(need.refused, row.refused);
        EXPECT_EQ(need.evidence.size(), 3U);
    }
}

// Requirements 11, by its own words: a buffer of five hosts.
const PoolDefined buffer_of_five{.slots_per_host = 1, .buffer_unit = hosts, .buffer = 5, .hosts_max = 100};

TEST(Requirements11, TenHostsTwoIdleBecomeThirteen) {
    const Level level{.hosts = 10, .hosts_ready = 2, .slots_ready = 2};
    EXPECT_EQ(level.hosts + need_of(buffer_of_five, level).launch, 13U);
}

TEST(Requirements11, EightHostsOneIdleBecomeTwelve) {
    const Level level{.hosts = 8, .hosts_ready = 1, .slots_ready = 1};
    EXPECT_EQ(level.hosts + need_of(buffer_of_five, level).launch, 12U);
}

TEST(Requirements11, FifteenHostsSevenIdleStayAsTheyAre) {
    const Level level{.hosts = 15, .hosts_ready = 7, .slots_ready = 7};
    EXPECT_EQ(level.hosts + need_of(buffer_of_five, level).launch, 15U);  // and see Shrink: never blindly
}

TEST(Deficit, AHostIsSparedOnlyWhenNothingLacksWithoutIt) {
    struct Row {
        std::string name;
        PoolDefined pool;
        Level level;
        bool spare;
    };
    const PoolDefined field{.slots_per_host = 1, .buffer_unit = hosts, .buffer = 5, .hosts_min = 2};
    const PoolDefined shared{.slots_per_host = 20, .buffer_unit = slots, .buffer = 2, .hosts_min = 1};
    const std::vector<Row> rows = {
        {"a true surplus", field, {.hosts = 15, .hosts_ready = 7}, true},
        {"one over the buffer", field, {.hosts = 15, .hosts_ready = 6}, true},
        {"exactly the buffer", field, {.hosts = 15, .hosts_ready = 5}, false},
        {"somebody waits", field, {.hosts = 15, .hosts_ready = 7, .waiting = 1}, false},
        {"a launch is under way", field, {.hosts = 15, .hosts_ready = 7, .launching = 1}, false},
        {"least hosts", field, {.hosts = 2, .hosts_ready = 7}, false},
        {"least hosts, without those that leave", field, {.hosts = 4, .leaving = 2, .hosts_ready = 7}, false},
        {"its slots are the buffer", shared, {.hosts = 2, .hosts_ready = 1, .slots_ready = 21}, false},
        {"others have the buffer", shared, {.hosts = 2, .hosts_ready = 1, .slots_ready = 22}, true},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(can_spare(row.pool, row.level, row.pool.slots_per_host), row.spare);
    }
}

}  // namespace
}  // namespace berth::scaler
