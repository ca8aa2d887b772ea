// SPDX-License-Identifier: Apache-2.0
#include "os/files.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/descriptor.hpp"
#include "base/rng.hpp"

namespace berth::os {

namespace {

constexpr std::size_t piece_bytes = 16 * 1024;
constexpr std::size_t mark_bytes = 4;        // of the name beside

/// 0, or errno of what failed first.
int write_new(const std::string& path, std::string_view text, unsigned mode) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (file.number() < 0) return errno;
    while (!text.empty()) {
        const auto wrote = ::write(file.number(), text.data(), text.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return errno;
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return ::fsync(file.number()) == 0 ? 0 : errno;
}

}  // namespace

ErrorKind kind_of_errno(int code) {
    switch (code) {
        case ENOENT:
        case ENOTDIR: return ErrorKind::not_found;
        case EACCES:
        case EPERM:
        case EROFS: return ErrorKind::denied;
        case ENOSPC:
        case EDQUOT: return ErrorKind::no_capacity;
        default: return ErrorKind::unavailable;
    }
}

tl::unexpected<Error> failed(std::string_view what, const std::string& path, int code) {
    return fail(kind_of_errno(code), "cannot {} {}: {}", what, path, std::strerror(code));
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.number() < 0) return failed("read", path, errno);
    std::string text;
    for (;;) {
        const auto size = text.size();
        if (size > bytes_max) return fail(ErrorKind::limit, "{} is over {} bytes", path, bytes_max);
        text.resize(size + std::min(piece_bytes, bytes_max + 1 - size));
        const auto got = ::read(file.number(), text.data() + size, text.size() - size);
        const int code = errno;
        text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got == 0) return text;
        if (got < 0 && code != EINTR) return failed("read", path, code);
    }
}

Result<void> write_file(const std::string& path, std::string_view text, unsigned mode) {
    const std::filesystem::path whole{path};
    const auto folder = whole.has_parent_path() ? whole.parent_path().string() : std::string{"."};
    const auto beside = fmt::format("{}/.{}.{}.new", folder, whole.filename().string(), random_hex(mark_bytes));
    int code = write_new(beside, text, mode);
    if (code == 0 && std::rename(beside.c_str(), path.c_str()) != 0) code = errno;
    if (code != 0) {
        ::unlink(beside.c_str());
        return failed("write", path, code);
    }
    const Descriptor parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent.number() >= 0) ::fsync(parent.number());   // the content is safe already; its name is after this
    return {};
}

Result<void> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return failed("remove", path, errno);
}

std::uint64_t free_bytes(const std::string& folder) {
    struct statvfs disk = {};
    if (::statvfs(folder.c_str(), &disk) != 0) return 0;
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

}  // namespace berth::os
