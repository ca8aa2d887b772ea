// SPDX-License-Identifier: Apache-2.0
// The watchdog of the service manager is told from the loop itself: one that hangs is silent, and is started anew.
#pragma once

#include "base/service_manager.hpp"
#include "bus/loop.hpp"

namespace berth::shell {

/// From now on, as often as it is wanted.
inline void keep_watchdog(bus::Loop& loop) {
    if (const auto period = watchdog_period()) loop.every(*period, [] { tell_service_manager("WATCHDOG=1"); });
}

}  // namespace berth::shell
