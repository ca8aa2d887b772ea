// SPDX-License-Identifier: Apache-2.0
#include "cli/record_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "cli/recording.hpp"
#include "os/files.hpp"

namespace berth::cli {

Result<std::unique_ptr<RecordFile>> RecordFile::make(const std::string& path) {
    const int made = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made >= 0) return std::unique_ptr<RecordFile>{new RecordFile(path, made)};
    if (errno == EEXIST) return fail(ErrorKind::conflict, "--record {}: it is there already; name another file, or remove it", path);
    return os::failed("make", path, errno);
}

Result<void> RecordFile::write(const std::string& line) {
    bytes_ += line.size();
    if (bytes_ > recording_bytes_max) return fail(ErrorKind::limit, "{} is at {} MB, as long as a recording may be; go on in another file", path_, recording_bytes_max / 1024 / 1024);
    for (std::size_t at = 0; at < line.size();) {
        const auto put = ::write(file_.number(), line.data() + at, line.size() - at);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return os::failed("write", path_, errno);
        at += static_cast<std::size_t>(put);
    }
    return {};
}

}  // namespace berth::cli
