// SPDX-License-Identifier: Apache-2.0
// A table of machines as a file: JSON that people and older programs read and write.
//
//   [{"instanceId": "i-1", "status": "idle", "publicIp": "1.2.3.4", …}, …]
//
// Read is also an object of such objects by instanceId, with or without the id in them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "projector/picture.hpp"

namespace berth::projector {

inline constexpr std::size_t machines_file_bytes_max = 64ULL << 20;

std::string to_machines_file(const Picture& machines);
/// Numbers and truths become text; what is null or empty is absent. invalid: names the machine that is wrong.
Result<Picture> read_machines_file(std::string_view text);

}  // namespace berth::projector
