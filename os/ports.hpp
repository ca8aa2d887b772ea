// SPDX-License-Identifier: Apache-2.0
// TCP ports of this machine's loopback.
#pragma once

#include <cstdint>

#include "base/result.hpp"

namespace berth::os {

/// Could a program listen on 127.0.0.1 there now? The error (conflict) has the system's words. Another
/// program may be quicker, so the one that listens must be ready to fail.
Result<void> check_port_is_free(std::uint32_t port);

}  // namespace berth::os
