// SPDX-License-Identifier: Apache-2.0
// A file that one process at a time holds; the kernel lets it go with the process, however that ends.
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace berth::os {

enum class LockNote { none, pid };        // what the file says of its holder

class Lock {
public:
    /// Made 0600 when it is not there, and never removed. `conflict` when another holds it for all of
    /// `patience` (0: one try); with LockNote::pid the file holds "<pid>\n" from then on.
    static Result<Lock> take(const std::string& path, Duration patience, LockNote note = LockNote::none);

    Lock(Lock&& other) noexcept;
    Lock& operator=(Lock&& other) noexcept;
    ~Lock();

private:
    explicit Lock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

/// Does a process hold it now? False when the file is not there.
bool is_locked(const std::string& path);
/// What the file says of its holder, now or of the last one: a pid; "" when it says nothing.
std::string lock_holder(const std::string& path);

}  // namespace berth::os
