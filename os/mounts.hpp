// SPDX-License-Identifier: Apache-2.0
// Mounts of this process's namespace, read as the kernel writes them: /proc/self/mountinfo escapes a
// blank as \040, so that a path is compared only after it was decoded.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace berth::os {

/// The mount points of that text (proc(5), mountinfo), decoded, in its order; one may stand there twice.
std::vector<std::string> mount_points(std::string_view mountinfo);

Result<bool> is_mount_point(const std::string& path);
/// Below that folder, not the folder itself; deepest first.
Result<std::vector<std::string>> mounts_below(const std::string& folder);

/// Takes away every mount on that path, at once or as soon as nobody uses it. Follows no link; a path on
/// which nothing is mounted is unmounted.
Result<void> unmount(const std::string& path);

}  // namespace berth::os
