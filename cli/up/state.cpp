// SPDX-License-Identifier: Apache-2.0
#include "cli/up/state.hpp"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "os/ports.hpp"

namespace berth::cli {

namespace fs = std::filesystem;

Result<void> make_folders(const std::string& state) {
    std::error_code error;
    fs::create_directories(fs::path(state).parent_path(), error);
    for (const std::string below : {"", "/keys", "/run", "/log", "/hosts", "/homes"}) {
        const auto path = state + below;
        if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
            return fail(ErrorKind::internal, "cannot make the folder {}: {}. Choose another with --state DIR", path,
                        ::strerror(errno));
        }
        struct stat facts = {};
        if (::lstat(path.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) {
            return fail(ErrorKind::conflict, "{} is not a folder; move it away or choose another with --state DIR", path);
        }
        if (facts.st_uid != ::geteuid()) {
            return fail(ErrorKind::denied, "{} belongs to user {}; run as that user or choose another with --state DIR",
                        path, facts.st_uid);
        }
        if ((facts.st_mode & 0077) != 0 && ::chmod(path.c_str(), 0700) != 0) {
            return fail(ErrorKind::denied, "cannot close {} to others: {}", path, ::strerror(errno));
        }
    }
    return {};
}

Result<os::Lock> lock_state(const std::string& state) {
    const auto path = state + "/up.lock";
    auto lock = os::Lock::take(path, Duration{0}, os::LockNote::pid);
    if (lock) return lock;
    if (lock.error().kind != ErrorKind::conflict) {
        return fail(lock.error().kind, "{}. Choose another folder with --state DIR", lock.error().text);
    }
    const auto holder = os::lock_holder(path);
    return fail(ErrorKind::conflict,
                "`berth up` already runs on {} (pid {}). Use that one, stop it with `kill {}`, or choose another "
                "folder with --state DIR",
                state, holder, holder);
}

Result<void> check_port_is_free(std::uint32_t port) {
    if (port == 0) return {};
    const auto free = os::check_port_is_free(port);
    if (free) return {};
    return fail(ErrorKind::conflict, "{}. Choose another with --port, or see who has it: ss -ltnp 'sport = :{}'", free.error().text, port);
}

}  // namespace berth::cli
