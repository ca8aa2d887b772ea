// SPDX-License-Identifier: Apache-2.0
// What a process tells whoever started it as a service (systemd's sd_notify protocol: a datagram to $NOTIFY_SOCKET). Where
// there is none, or it was meant for the parent, nothing is told.
#pragma once

#include <optional>
#include <string_view>

#include "base/time.hpp"

namespace berth {

/// "READY=1", "STOPPING=1", "WATCHDOG=1". Never waits; what could not be told is a line in the log.
void tell_service_manager(std::string_view what);
/// How often WATCHDOG=1 is to be told: half of what is waited for; nothing when nobody waits.
std::optional<Duration> watchdog_period();

}  // namespace berth
