// SPDX-License-Identifier: Apache-2.0
// The addresses of this machine, as others see it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace berth::os {

/// The address from which this machine speaks to that one: where that one, and others beside it, reach this
/// one unless something between them translates. Nothing is sent.
Result<std::string> address_toward(const std::string& host, std::uint16_t port);

/// Whether that address is one of this machine's.
bool is_own_address(const std::string& address);

/// This machine's name, as gethostname() gives it.
std::string machine_name();

}  // namespace berth::os
