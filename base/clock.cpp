// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

namespace berth {

namespace {

template <class C>
Duration since_epoch() {
    return std::chrono::duration_cast<Duration>(C::now().time_since_epoch());
}

}  // namespace

RealClock::RealClock()
    : wall_at_start_(since_epoch<std::chrono::system_clock>()),
      steady_at_start_(since_epoch<std::chrono::steady_clock>()) {}

Instant RealClock::now() const {
    return Instant{wall_at_start_ + (since_epoch<std::chrono::steady_clock>() - steady_at_start_)};
}

}  // namespace berth
