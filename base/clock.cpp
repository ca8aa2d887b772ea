// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

namespace berth {

namespace {

using std::chrono::nanoseconds;

template <class C>
nanoseconds since_epoch() {
    return std::chrono::duration_cast<nanoseconds>(C::now().time_since_epoch());
}

constexpr int readings = 5;

}  // namespace

RealClock::RealClock() {
    // A thread that has to wait between the two readings would be that late for all its life.
    auto shortest = nanoseconds::max();
    for (int i = 0; i < readings; ++i) {
        const auto before = since_epoch<std::chrono::steady_clock>();
        const auto wall = since_epoch<std::chrono::system_clock>();
        const auto took = since_epoch<std::chrono::steady_clock>() - before;
        if (took >= shortest) continue;
        shortest = took;
        wall_at_start_ = wall;
        steady_at_start_ = before;
    }
}

Instant RealClock::now() const {
    const auto passed = since_epoch<std::chrono::steady_clock>() - steady_at_start_;
    return Instant{std::chrono::duration_cast<Duration>(wall_at_start_ + passed)};
}

}  // namespace berth
