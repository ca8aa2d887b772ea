// SPDX-License-Identifier: Apache-2.0
// Small files that other processes read: written whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace berth::hostagent {

inline constexpr std::size_t small_file_bytes_max = 64 * 1024;

/// `not_found` when there is none.
Result<std::string> read_small_file(const std::string& path);
/// Under another name first, synced, then renamed; mode 0600.
Result<void> write_small_file(const std::string& path, std::string_view text);

}  // namespace berth::hostagent
