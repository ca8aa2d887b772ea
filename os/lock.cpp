// SPDX-License-Identifier: Apache-2.0
#include "os/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "base/descriptor.hpp"
#include "os/files.hpp"

namespace berth::os {

namespace {

constexpr Duration look_again{20};

bool take_within(int descriptor, Duration patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
        if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EINTR && (errno != EWOULDBLOCK || std::chrono::steady_clock::now() >= until)) return false;
        std::this_thread::sleep_for(look_again);
    }
}

}  // namespace

Result<Lock> Lock::take(const std::string& path, Duration patience, LockNote note) {
    Lock lock{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (lock.descriptor_ < 0) return failed("open", path, errno);
    if (!take_within(lock.descriptor_, patience)) {
        if (errno != EWOULDBLOCK) return failed("lock", path, errno);
        const auto holder = lock_holder(path);
        return fail(ErrorKind::conflict, "{} is held by {}", path, holder.empty() ? "another process" : "process " + holder);
    }
    if (note == LockNote::none) return lock;
    const auto text = fmt::format("{}\n", ::getpid());
    if (::ftruncate(lock.descriptor_, 0) != 0 ||
        ::pwrite(lock.descriptor_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
        return failed("write", path, errno);
    }
    return lock;
}

Lock::Lock(Lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Lock& Lock::operator=(Lock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

Lock::~Lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

bool is_locked(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return file.number() >= 0 && ::flock(file.number(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

std::string lock_holder(const std::string& path) {
    auto text = read_file(path).value_or("");
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

}  // namespace berth::os
