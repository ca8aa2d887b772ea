// SPDX-License-Identifier: Apache-2.0
// What a [pool.<name>] may say, and how it is told what is wrong with it.
#include "events/pools_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth {
namespace {

using testing::HasSubstr;

Result<std::vector<PoolDefined>> pools_of(const char* toml) { return read_pools(Config::parse(toml, "test.toml").value()); }

TEST(PoolsConfig, NoneMeansTheDefaultPool) {
    const auto pools = pools_of("");
    ASSERT_TRUE(pools);
    EXPECT_EQ(*pools, (std::vector{PoolDefined{.pool = {"default"}, .slots_per_host = 4}}));
}

TEST(PoolsConfig, AHostHasTwentySlotsButTheLocalProvidersFour) {
    const auto pools = pools_of("[pool.big]\nprovider = \"static\"\n[pool.here]\nbuffer = 1\n[pool.many]\nslots_per_host = 9\n");
    ASSERT_TRUE(pools) << pools.error().text;
    EXPECT_EQ(pools->at(0).slots_per_host, 20U) << "requirement 5";
    EXPECT_EQ(pools->at(1).slots_per_host, 4U) << "a laptop";
    EXPECT_EQ(pools->at(2).slots_per_host, 9U);
}

TEST(PoolsConfig, WhatIsNotSaidIsTheDefault) {
    const auto pools = pools_of(R"(
        [pool.gpu]
        buffer = 5
        buffer_unit = "hosts"
        slots_per_host = 1
        hosts_max = 50
        idle_after_ms = "1h30m"
        [pool.default]
        buffer = 1
    )");
    ASSERT_TRUE(pools) << pools.error().text;
    EXPECT_EQ(*pools, (std::vector{PoolDefined{.pool = {"default"}, .slots_per_host = 4, .buffer = 1},
                                   PoolDefined{.pool = {"gpu"}, .slots_per_host = 1, .buffer_unit = BufferUnit::hosts, .buffer = 5,
                                               .hosts_max = 50, .standbys = 1, .idle_after_ms = Duration{5'400'000}}}));
}

TEST(PoolsConfig, MistakesAreNamed) {
    struct Row {
        const char* toml;
        const char* says;
    };
    const std::vector<Row> rows = {
        {"[pool.default]\nbufer = 1", "did you mean 'buffer'"},
        {"[pool.default]\nbuffer = -1", "out of range"},
        {"[pool.default]\nbuffer_unit = \"machines\"", "must be slots or hosts, not 'machines'"},
        {"[pool.default]\npool = \"other\"", "can not be set"},
        {"[pool.default]\nslots_per_host = 0", "slots_per_host is from 1"},
        {"[pool.default]\nhosts_min = 5\nhosts_max = 4", "hosts_min is above hosts_max"},
        {"[pool.default]\nstandbys = 9", "standbys is above slots_per_host"},
        {"[pool.default]\nttl_ms = \"2d\"", "at most ttl_max_ms"},
        {"[pool.\"a b\"]\nbuffer = 1", "made of 1 to 63 letters"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.toml);
        const auto pools = pools_of(row.toml);
        ASSERT_FALSE(pools);
        EXPECT_THAT(pools.error().text, HasSubstr(row.says));
    }
}

}  // namespace
}  // namespace berth
