// SPDX-License-Identifier: Apache-2.0
#include "scaler/backoff.hpp"

#include <gtest/gtest.h>

namespace berth::scaler {
namespace {

TEST(Backoff, DoublesByClassWithinItsBounds) {
    struct Row {
        std::string name;
        LaunchFailure failure;
        std::uint32_t failures;
        Duration full;
    };
    const std::vector<Row> rows = {
        {"capacity, first", LaunchFailure::capacity, 1, Duration{5'000}},
        {"capacity, third", LaunchFailure::capacity, 3, Duration{20'000}},
        {"throttle, first", LaunchFailure::throttle, 1, Duration{5'000}},
        {"quota, first", LaunchFailure::quota, 1, Duration{60'000}},
        {"permission, second", LaunchFailure::permission, 2, Duration{120'000}},
        {"configuration, tenth", LaunchFailure::configuration, 10, Duration{900'000}},
        {"lost, millionth", LaunchFailure::lost, 1'000'000, Duration{900'000}},
    };
    Rng rng{7};
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        for (int i = 0; i < 100; ++i) {
            const auto pause = backoff(Policy{}, row.failure, row.failures, rng);
            EXPECT_GE(pause, row.full / 2);
            EXPECT_LE(pause, row.full);
        }
    }
}

TEST(Backoff, TheSameSeedGivesTheSamePauses) {
    Rng one{3}, other{3};
    for (std::uint32_t i = 1; i < 20; ++i) {
        EXPECT_EQ(backoff(Policy{}, LaunchFailure::lost, i, one), backoff(Policy{}, LaunchFailure::lost, i, other));
    }
}

}  // namespace
}  // namespace berth::scaler
