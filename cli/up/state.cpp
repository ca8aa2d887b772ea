// SPDX-License-Identifier: Apache-2.0
#include "cli/up/state.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/text.hpp"

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

Result<std::unique_ptr<StateLock>> StateLock::take(const std::string& state) {
    const auto path = state + "/up.lock";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return fail(ErrorKind::internal, "cannot open {}: {}. Choose another folder with --state DIR", path, ::strerror(errno));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        std::string holder(32, '\0');
        const auto size = ::pread(fd, holder.data(), holder.size(), 0);
        holder.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        ::close(fd);
        while (!holder.empty() && holder.back() == '\n') holder.pop_back();
        return fail(ErrorKind::conflict,
                    "`berth up` already runs on {} (pid {}). Use that one, stop it with `kill {}`, or choose another "
                    "folder with --state DIR",
                    state, holder, holder);
    }
    const auto pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
        ::close(fd);
        return fail(ErrorKind::internal, "cannot write {}: {}", path, ::strerror(errno));
    }
    return std::unique_ptr<StateLock>(new StateLock(fd));
}

StateLock::~StateLock() { ::close(fd_); }

Result<void> write_file(const std::string& path, std::string_view text, unsigned mode) {
    const auto fresh = path + ".new";
    const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) return fail(ErrorKind::internal, "cannot write {}: {}", fresh, ::strerror(errno));
    std::size_t written = 0;
    while (written < text.size()) {
        const auto more = ::write(fd, text.data() + written, text.size() - written);
        if (more < 0 && errno != EINTR) break;
        written += more > 0 ? static_cast<std::size_t>(more) : 0;
    }
    const bool good = written == text.size() && ::fchmod(fd, mode) == 0 && ::fsync(fd) == 0;
    const int error = errno;
    ::close(fd);
    if (!good || ::rename(fresh.c_str(), path.c_str()) != 0) {
        return fail(ErrorKind::internal, "cannot write {}: {}", path, ::strerror(good ? errno : error));
    }
    return {};
}

Result<std::string> read_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) return fail(ErrorKind::not_found, "cannot read {}", path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::uint64_t free_bytes(const std::string& folder) {
    struct statvfs disk = {};
    if (::statvfs(folder.c_str(), &disk) != 0) return 0;
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

Result<void> check_port_is_free(std::uint32_t port) {
    if (port == 0) return {};
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && ::listen(fd, 1) == 0;
    const int error = errno;
    ::close(fd);
    if (free) return {};
    return fail(ErrorKind::conflict,
                "port {} of 127.0.0.1 can not be used ({}). Choose another with --port, or see who has it: "
                "ss -ltnp 'sport = :{}'",
                port, ::strerror(error), port);
}

}  // namespace berth::cli
