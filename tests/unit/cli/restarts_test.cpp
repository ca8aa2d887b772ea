// SPDX-License-Identifier: Apache-2.0
// A process that dies is started again, ever more slowly, and forgiven after a good minute.
#include "cli/up/restarts.hpp"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

TEST(Restarts, BackOffDoublesUpToItsBound) {
    Restarts restarts{UpPolicy{}};
    Instant now{Duration{1'000'000}};
    std::vector<std::int64_t> pauses;
    for (int i = 0; i < 9; ++i) {
        const auto next = restarts.next_start(now, now);
        pauses.push_back((next - now).count());
        now = next;
    }
    EXPECT_EQ(pauses, (std::vector<std::int64_t>{100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000}));
    EXPECT_EQ(restarts.total(), 9u);
}

TEST(Restarts, AGoodMinuteIsForgiven) {
    Restarts restarts{UpPolicy{}};
    Instant now{Duration{1'000'000}};
    for (int i = 0; i < 5; ++i) now = restarts.next_start(now, now);
    const auto died = now + Duration{60'000};
    EXPECT_EQ(restarts.next_start(now, died) - died, Duration{100});
    EXPECT_EQ(restarts.in_a_row(), 1u);
}

}  // namespace
}  // namespace berth::cli
