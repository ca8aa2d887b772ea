// SPDX-License-Identifier: Apache-2.0
// Histories as JSON lines, one call each, with the field names of history.hpp: so that stories with
// real processes can write what their clients saw, and check_history judges it.
#pragma once

#include <string>

#include "base/result.hpp"
#include "tests/sim/history.hpp"

namespace berth::sim {

Result<History> read_history(const std::string& path);
Result<void> write_history(const std::string& path, const History& history);

}  // namespace berth::sim
