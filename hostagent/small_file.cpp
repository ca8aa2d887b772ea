// SPDX-License-Identifier: Apache-2.0
#include "hostagent/small_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace berth::hostagent {

Result<std::string> read_small_file(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) {
        return fail(errno == ENOENT ? ErrorKind::not_found : ErrorKind::internal, "cannot read {}: {}", path,
                    std::strerror(errno));
    }
    std::string text(small_file_bytes_max, '\0');
    std::size_t size = 0;
    for (;;) {
        const auto got = ::read(file, text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
    }
    ::close(file);
    text.resize(size);
    return text;
}

Result<void> write_small_file(const std::string& path, std::string_view text) {
    const auto beside = path + ".new";
    const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return fail(ErrorKind::internal, "cannot write {}: {}", beside, std::strerror(errno));
    const bool whole = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
    const int code = errno;
    ::close(file);
    if (!whole) return fail(ErrorKind::internal, "cannot write {}: {}", beside, std::strerror(code));
    if (std::rename(beside.c_str(), path.c_str()) != 0) {
        return fail(ErrorKind::internal, "cannot write {}: {}", path, std::strerror(errno));
    }
    return {};
}

}  // namespace berth::hostagent
