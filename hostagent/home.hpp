// SPDX-License-Identifier: Apache-2.0
// Folders of homes, and trying a port: what the shell does beside the engine.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace berth::hostagent {

/// Renames the home first, so that one which is half erased is never a home again. A home that is
/// not there is erased.
Result<void> erase_home(const std::string& homes, const WorkspaceId& workspace);

/// A new folder beside the homes in which one is put together: <draft>/<workspace>. Older ones of it go.
Result<std::string> begin_home_draft(const std::string& homes, const WorkspaceId& workspace);
/// Makes what is in the draft the home. What lay there before is put aside as .aside-<workspace>.<time>: it
/// may be all that is left of an afternoon.
Result<void> finish_home_draft(const std::string& homes, const WorkspaceId& workspace, const std::string& draft);

/// The copy of a home that is archived; what was put aside of it stays.
Result<void> drop_home(const std::string& homes, const WorkspaceId& workspace);

/// The content of the marker file that stands in the folder of homes, made when there is none. Hosts that
/// mount the same folder read the same.
Result<std::string> home_mark(const std::string& homes);

/// Can an environment listen on 127.0.0.1 there?
bool port_is_free(std::uint32_t port);

}  // namespace berth::hostagent
