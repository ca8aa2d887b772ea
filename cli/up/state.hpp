// SPDX-License-Identifier: Apache-2.0
// The state folder of one machine: made 0700, used by one `berth up` at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/up/plan.hpp"

namespace berth::cli {

/// <state> and its folders, 0700, ours. Tightens the mode of one that is there.
Result<void> make_folders(const std::string& state);

/// Held as long as this lives. A second `up` in the same state gets a conflict naming the pid.
class StateLock {
public:
    static Result<std::unique_ptr<StateLock>> take(const std::string& state);
    ~StateLock();
    StateLock(const StateLock&) = delete;
    StateLock& operator=(const StateLock&) = delete;

private:
    explicit StateLock(int fd) : fd_(fd) {}
    int fd_;
};

/// Writes to a new file and renames it: readers see the old text or the new one.
Result<void> write_file(const std::string& path, std::string_view text, unsigned mode);
Result<std::string> read_file(const std::string& path);

/// Of the disk that holds that folder; 0 when it cannot be asked.
std::uint64_t free_bytes(const std::string& folder);

/// An error that says what to do when another program listens on that port of 127.0.0.1.
Result<void> check_port_is_free(std::uint32_t port);

}  // namespace berth::cli
