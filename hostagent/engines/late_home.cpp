// SPDX-License-Identifier: Apache-2.0
#include "hostagent/engines/late_home.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "os/files.hpp"
#include "os/mounts.hpp"

namespace berth {

namespace {

tl::unexpected<Error> failed(std::string_view what, const std::string& path) { return os::failed(what, path, errno); }

// Makes `path` below `base` without following a link that a user may have put into the home.
Result<void> make_inside(int base, const std::string& path, HomeOwner owner) {
    std::istringstream parts(path);
    std::string part;
    int at = dup(base);
    while (std::getline(parts, part, '/')) {
        if (mkdirat(at, part.c_str(), 0755) == 0) {
            if (fchownat(at, part.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0) { close(at); return failed("own", path); }
        }
        const int next = openat(at, part.c_str(), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(at);
        if (next < 0) return failed("open", path);
        at = next;
    }
    close(at);
    return {};
}

Result<void> write_if_absent(int base, const std::string& path, std::string_view text, HomeOwner owner) {
    const int file = openat(base, path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (file < 0) return errno == EEXIST ? Result<void>{} : failed("create", path);
    const bool good = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fchown(file, owner.uid, owner.gid) == 0;
    close(file);
    return good ? Result<void>{} : failed("write", path);
}

Result<void> furnish(const std::string& home, HomeOwner owner) {
    constexpr auto extensions = ".local/share/code-server/extensions";
    const int base = open(home.c_str(), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (base < 0) return failed("open the home", home);
    auto outcome = make_inside(base, extensions, owner);
    // Without this file code-server, started before the home was there, finds no extensions folder.
    if (outcome) outcome = write_if_absent(base, std::string{extensions} + "/extensions.json", "[]", owner);
    close(base);
    return outcome;
}

Result<void> make_owned(const std::string& folder, mode_t mode, HomeOwner owner) {
    // Whatever the umask of who started us: `berth up` has one that would hide it from its user.
    if (mkdir(folder.c_str(), mode) != 0 || chmod(folder.c_str(), mode) != 0 || chown(folder.c_str(), owner.uid, owner.gid) != 0) {
        return failed("make", folder);
    }
    return {};
}

Result<void> write_names(const std::string& folder, HomeOwner owner) {
    TRY(make_owned(folder, 0755, {0, 0}));
    const std::pair<const char*, std::string> files[] = {
        {"passwd", fmt::format("dev:x:{}:{}:dev:/berth/home:/bin/bash\n", owner.uid, owner.gid)},
        {"group", fmt::format("dev:x:{}:\n", owner.gid)},
        {"shadow", "dev:*:::::::\n"}};
    for (const auto& [name, text] : files) {
        const auto path = fmt::format("{}/{}", folder, name);
        std::ofstream file(path);
        file << text;
        if (!file.flush() || chmod(path.c_str(), 0644) != 0) return failed("write", path);
    }
    return {};
}

}  // namespace

Result<void> open_slot_folder(const std::string& folder, HomeOwner owner, std::uint64_t bytes) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return fail(ErrorKind::internal, "cannot make {}: {}", folder, error.message());
    const auto options = fmt::format("mode=0755,size={}", bytes);
    if (mount("tmpfs", folder.c_str(), "tmpfs", MS_NODEV | MS_NOSUID, options.c_str()) != 0) return failed("mount a tmpfs at", folder);
    if (mount(nullptr, folder.c_str(), nullptr, MS_SHARED, nullptr) != 0) return failed("share", folder);
    TRY(make_owned(folder + "/home", 0755, owner));
    TRY(make_owned(folder + "/presence", 0755, owner));
    TRY(make_owned(folder + "/run", 0700, owner));
    return write_names(folder + "/users", owner);
}

Result<void> mount_home(const std::string& folder, const std::string& home, HomeOwner owner) {
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(home).parent_path(), error);
    if (mkdir(home.c_str(), 0750) == 0) {
        if (chown(home.c_str(), owner.uid, owner.gid) != 0) return failed("own", home);
    } else if (errno != EEXIST) {
        return failed("make the home", home);
    }
    struct stat status {};
    if (lstat(home.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return fail(ErrorKind::denied, "the home {} is not a folder", home);
    if (status.st_uid != owner.uid) {
        return fail(ErrorKind::denied, "the home {} belongs to uid {}, and workspaces run as uid {}, who could not write there: chown -R {}:{} {}", home,
                    status.st_uid, owner.uid, owner.uid, owner.gid, home);
    }
    TRY(furnish(home, owner));
    const auto target = folder + "/home";
    if (mount(home.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) return failed("mount the home at", target);
    return {};
}

Result<void> close_slot_folder(const std::string& folder) {
    TRY(os::unmount(folder + "/home"));
    TRY(os::unmount(folder));
    if (rmdir(folder.c_str()) != 0 && errno != ENOENT) return failed("remove", folder);
    return {};
}

}  // namespace berth
