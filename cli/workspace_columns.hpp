// SPDX-License-Identifier: Apache-2.0
// The columns in which workspaces, claims, hosts and pools are shown. One place, so that `list`,
// `claim`, `wait` and `start` call the same thing by the same name.
#pragma once

#include <vector>

#include "base/time.hpp"
#include "cli/table.hpp"

namespace berth::cli {

std::vector<Column> workspace_columns(Instant now);
/// Which signal holds a workspace and since when, or when it may be taken for idle; empty when nobody said.
std::string used(const Json& row, Instant now);
std::vector<Column> claim_columns(Instant now);
std::vector<Column> host_columns(Instant now);
std::vector<Column> pool_columns();

}  // namespace berth::cli
