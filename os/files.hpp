// SPDX-License-Identifier: Apache-2.0
// Small files that others read: read whole and within a bound, written whole or not at all.
//
// Kinds of errors here: not_found (no such file or folder), denied (rights, a read-only disk),
// no_capacity (the disk or the quota is full), limit (longer than the bound), unavailable (the rest).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace berth::os {

inline constexpr std::size_t small_file_bytes_max = 64 * 1024;

/// What errno's number means to a caller.
ErrorKind kind_of_errno(int code);
/// "cannot <what> <path>: <the system's words>", with its kind.
tl::unexpected<Error> failed(std::string_view what, const std::string& path, int code);

inline constexpr unsigned mode_of_secrets = 0600;
inline constexpr unsigned mode_of_notices = 0644;   // where something listens, say

/// The whole content; also of a file below /proc, whose size nobody knows before.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max = small_file_bytes_max);

/// Readers see the old content or the new one, also after a crash of the machine: written beside with
/// that mode (less the umask) from its first byte, synced, renamed, and the folder synced. Any number may
/// write at once. The name beside begins with a dot.
Result<void> write_file(const std::string& path, std::string_view text, unsigned mode = mode_of_secrets);

/// One that is not there is removed.
Result<void> remove_file(const std::string& path);

/// Free to this user on the disk that holds that folder; 0 when it cannot be asked.
std::uint64_t free_bytes(const std::string& folder);

}  // namespace berth::os
