// SPDX-License-Identifier: Apache-2.0
// The run loop: order of timers, work from other threads, descriptors, and what happens inside a handler.
#include "bus/zmq_loop.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <vector>

namespace berth::bus {
namespace {

/// Stands still until it is told to go.
class HeldClock final : public Clock {
public:
    Instant now() const override { return goes ? real_.now() : begun_; }
    bool goes = false;

private:
    RealClock real_;
    Instant begun_ = real_.now();
};

TEST(loop, runs_timers_in_the_order_of_their_time) {
    HeldClock clock;
    ZmqLoop loop(clock);
    std::vector<int> order;
    loop.after(Duration{20}, [&] { order.push_back(3); });
    loop.after(Duration{1}, [&] { order.push_back(1); });
    loop.after(Duration{1}, [&] { order.push_back(2); });
    loop.after(Duration{30}, [&] { loop.stop(); });
    const auto cancelled = loop.after(Duration{5}, [&] { order.push_back(99); });
    loop.cancel(cancelled);
    loop.cancel(cancelled);
    loop.cancel(12'345);
    clock.goes = true;
    loop.run();
    EXPECT_THAT(order, ::testing::ElementsAre(1, 2, 3));
}

TEST(loop, a_periodic_timer_may_cancel_itself) {
    const RealClock clock;
    ZmqLoop loop(clock);
    int count = 0;
    TimerId id = 0;
    id = loop.every(Duration{1}, [&] {
        if (++count != 3) return;
        loop.cancel(id);
        loop.after(Duration{20}, [&] { loop.stop(); });
    });
    loop.run();
    EXPECT_EQ(count, 3);
}

TEST(loop, takes_work_from_other_threads) {
    const RealClock clock;
    ZmqLoop loop(clock);
    int done = 0;
    std::thread other([&] {
        for (int i = 0; i < 10'000; ++i) loop.post([&] { ++done; });
        loop.post([&] { loop.stop(); });
    });
    loop.run();
    other.join();
    EXPECT_EQ(done, 10'000);
}

TEST(loop, watches_descriptors_until_told_otherwise_also_from_within) {
    const RealClock clock;
    ZmqLoop loop(clock);
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0);
    int read = 0;
    loop.watch(ends[0], [&] {
        char byte = 0;
        if (::read(ends[0], &byte, 1) == 1) ++read;
        if (read == 2) {
            loop.unwatch(ends[0]);
            loop.stop();
        }
    });
    ASSERT_EQ(::write(ends[1], "abc", 3), 3);
    loop.after(Duration{5'000}, [&] { loop.stop(); });
    loop.run();
    EXPECT_EQ(read, 2);
    for (const int fd : ends) ::close(fd);
}

TEST(loop, ends_each_round_with_the_work_for_it) {
    const RealClock clock;
    ZmqLoop loop(clock);
    std::vector<std::string> order;
    loop.after_each_round([&] {
        if (!order.empty() && order.back() != "commit") order.push_back("commit");
        if (order.size() >= 3) loop.stop();
    });
    loop.post([&] { order.push_back("one"); });
    loop.post([&] { order.push_back("two"); });
    loop.run();
    EXPECT_THAT(order, ::testing::ElementsAre("one", "two", "commit")) << "one commit for all of a round";
}

TEST(loop, can_run_again_after_a_stop) {
    const RealClock clock;
    ZmqLoop loop(clock);
    for (int i = 0; i < 2; ++i) {
        loop.post([&] { loop.stop(); });
        loop.run();
    }
    SUCCEED();
}

}  // namespace
}  // namespace berth::bus
