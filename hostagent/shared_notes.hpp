// SPDX-License-Identifier: Apache-2.0
// The folder that an environment and its agent share: presence notes of the editor's windows come out,
// the word that the workspace is about to stop goes in. Whoever works inside may have put anything into
// `presence/`: links, pipes and large files are not opened, and at most so many are.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "hostagent/presence.hpp"

namespace berth::hostagent {

/// Those of `folder`/presence that are notes. `not_found` when there is no such folder, an error when too
/// much is in it.
Result<std::vector<PresenceNote>> read_notes(const std::string& folder);

/// Replaces `folder`/notice, which the editor's windows show; an empty text removes it.
Result<void> put_notice(const std::string& folder, const std::string& text);

}  // namespace berth::hostagent
