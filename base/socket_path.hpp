// SPDX-License-Identifier: Apache-2.0
// A unix socket whose folder is ours and whose last name somebody else may change: opened without
// following a link, looked at, and reached through the descriptor, however long its path is.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "base/descriptor.hpp"
#include "base/result.hpp"

namespace berth {

class SocketPath {
public:
    static Result<SocketPath> open(const std::string& path) {
        SocketPath result;
        result.socket_ = std::make_unique<Descriptor>(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (result.socket_->number() < 0) return fail(ErrorKind::unavailable, "cannot open the socket {}: {}", path, std::strerror(errno));
        struct stat status {};
        if (::fstat(result.socket_->number(), &status) != 0 || !S_ISSOCK(status.st_mode)) return fail(ErrorKind::denied, "{} is no socket", path);
        return result;
    }
    /// For connect() of this process, as long as this lives.
    std::string text() const { return fmt::format("/proc/self/fd/{}", socket_->number()); }

private:
    std::unique_ptr<Descriptor> socket_;
};

}  // namespace berth
