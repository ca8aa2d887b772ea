// SPDX-License-Identifier: Apache-2.0
// When an open loop should begin its next operation: random times at a stated rate, the same in each run.
#pragma once

#include <sys/timerfd.h>
#include <unistd.h>

#include <random>

#include "bench/plumbing/histogram.hpp"

namespace berth::bench {

class Poisson {
public:
    Poisson(double per_second, double seconds)
        : gap_(per_second), next_(Steady::now()), end_(next_ + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(seconds))),
          fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
        advance();
    }
    ~Poisson() { ::close(fd_); }
    Poisson(const Poisson&) = delete;
    Poisson& operator=(const Poisson&) = delete;

    /// Readable when the next one is due.
    int fd() const { return fd_; }
    bool over() const { return next_ >= end_; }
    /// `begin(at)` for each that is due; `at` is when it should have begun.
    template <class Begin>
    void due(Begin&& begin) {
        std::uint64_t ticks = 0;
        std::ignore = ::read(fd_, &ticks, sizeof ticks);
        while (!over() && next_ <= Steady::now()) {
            begin(next_);
            advance();
        }
    }

private:
    void advance() {
        next_ += std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(gap_(random_)));
        const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(next_.time_since_epoch()).count();
        const itimerspec at{.it_interval = {}, .it_value = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000}};
        ::timerfd_settime(fd_, TFD_TIMER_ABSTIME, &at, nullptr);
    }

    std::mt19937_64 random_{15};
    std::exponential_distribution<double> gap_;
    Steady::time_point next_;
    Steady::time_point end_;
    int fd_;
};

}  // namespace berth::bench
