// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger/sqlite/ballast.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "os/files.hpp"

namespace berth::allocator {

bool Ballast::is_there() const {
    std::error_code error;
    const auto size = std::filesystem::file_size(path_, error);
    return !error && size == bytes_;
}

void Ballast::restore() {
    if (bytes_ == 0 || is_there() || free_bytes() < 3 * bytes_) return;
    const int file = ::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0) return;
    // Real blocks, not a hole: a hole frees nothing when it is deleted.
    const bool made = ::posix_fallocate(file, 0, static_cast<off_t>(bytes_)) == 0 && ::fsync(file) == 0;
    ::close(file);
    if (!made) drop();
}

bool Ballast::drop() { return ::unlink(path_.c_str()) == 0; }

bool Ballast::disk_is_low() const { return bytes_ > 0 && free_bytes() < bytes_; }

std::uint64_t Ballast::free_bytes() const { return os::free_bytes(std::filesystem::path(path_).parent_path().string()); }

}  // namespace berth::allocator
