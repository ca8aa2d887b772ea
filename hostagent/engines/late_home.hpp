// SPDX-License-Identifier: Apache-2.0
// The late-bound home (design §8): a slot folder that is a small shared mount is given to the
// container with rslave propagation; at bind the user's home is mounted below it, and appears in
// the running container. Nothing here deletes files of a user: what was mounted is unmounted, what
// was a mount point is removed by rmdir, which fails on anything that still holds something.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace berth {

struct HomeOwner {
    std::uint32_t uid = 1000;
    std::uint32_t gid = 1000;
};

/// `<folder>` becomes a shared tmpfs mount of `bytes` with, for the owner, an empty `home`, `run`, and `presence`,
/// where its editor leaves notes (presence.hpp); and `users`: the names of the owner's uid and gid, as the image
/// looks them up.
Result<void> open_slot_folder(const std::string& folder, HomeOwner owner, std::uint64_t bytes);
/// Makes the home when it is new, with what the environment expects in it, and mounts it at
/// `<folder>/home`. Symbolic links in the path of the home are refused.
Result<void> mount_home(const std::string& folder, const std::string& home, HomeOwner owner);
/// Unmounts both and removes the folder. A folder that is not there is closed.
Result<void> close_slot_folder(const std::string& folder);

}  // namespace berth
