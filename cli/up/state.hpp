// SPDX-License-Identifier: Apache-2.0
// The state folder of one machine: made 0700, used by one `berth up` at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/up/plan.hpp"
#include "os/lock.hpp"

namespace berth::cli {

/// <state> and its folders, 0700, ours. Tightens the mode of one that is there.
Result<void> make_folders(const std::string& state);

/// Held as long as the lock lives. A second `up` in the same state gets a conflict naming the pid.
Result<os::Lock> lock_state(const std::string& state);

/// An error that says what to do when another program listens on that port of 127.0.0.1.
Result<void> check_port_is_free(std::uint32_t port);

}  // namespace berth::cli
