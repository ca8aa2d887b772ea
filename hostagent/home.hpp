// SPDX-License-Identifier: Apache-2.0
// Erasing a home, and trying a port: the two things that the shell does beside the engine.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace berth::hostagent {

/// Renames the home first, so that one which is half erased is never a home again. A home that is
/// not there is erased.
Result<void> erase_home(const std::string& homes, const WorkspaceId& workspace);

/// Can an environment listen on 127.0.0.1 there?
bool port_is_free(std::uint32_t port);

}  // namespace berth::hostagent
