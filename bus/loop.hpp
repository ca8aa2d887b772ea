// SPDX-License-Identifier: Apache-2.0
// Time and rounds, as a process sees them: an edge. The real one (zmq_loop.hpp) waits on sockets and
// the machine's clock, the simulated one (tests/sim/sim_loop.hpp) on a world's. One thread runs all work
// of a loop, piece by piece; everything here is for that thread only, except post() and stop().
#pragma once

#include <cstdint>
#include <functional>

#include "base/time.hpp"

namespace berth::bus {

using TimerId = std::uint64_t;

class Loop {
public:
    virtual ~Loop() = default;

    virtual Instant now() const = 0;
    /// Never earlier than asked; later when the loop is busy. Timers of one instant run in the order of their calls.
    virtual TimerId after(Duration delay, std::function<void()> work) = 0;
    /// First after one period. One that fell behind skips what it missed and keeps its beat.
    virtual TimerId every(Duration period, std::function<void()> work) = 0;
    virtual void cancel(TimerId id) = 0;                      // unknown or past: nothing happens

    /// From any thread; in order; runs on the loop's. Bounded at 65,536 that wait, then aborts.
    virtual void post(std::function<void()> work) = 0;
    /// Called after each round of timers, posted work and deliveries, before the loop waits again: where
    /// what the round decided leaves. Only one; set before the loop runs.
    virtual void after_each_round(std::function<void()> work) = 0;
    /// From any thread: the process has no more to do here.
    virtual void stop() = 0;
};

}  // namespace berth::bus
