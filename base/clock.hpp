// SPDX-License-Identifier: Apache-2.0
// The one way to learn what time it is. The real clock reads the wall once, at start, and goes on
// by the monotonic clock, so that a step of the wall clock never moves a deadline (F22). The clocks
// of two processes of one machine agree to a millisecond, and not better, while nobody steps the wall.
#pragma once

#include "base/time.hpp"

namespace berth {

class Clock {
public:
    virtual ~Clock() = default;
    virtual Instant now() const = 0;
};

class RealClock final : public Clock {
public:
    RealClock();
    Instant now() const override;

private:
    std::chrono::nanoseconds wall_at_start_{0};
    std::chrono::nanoseconds steady_at_start_{0};
};

}  // namespace berth
