// SPDX-License-Identifier: Apache-2.0
// The token with which the command line and the dashboard of this machine reach the gateway: in
// <state>/token (0600) as text, in the gateway's own table as a hash.
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace berth::cli {

/// Mints it when there is none; keeps the one that is there.
Result<void> mint_operator_token(const std::string& state, Instant now);

}  // namespace berth::cli
