// SPDX-License-Identifier: Apache-2.0
// One call of restic: its environment, its lines, its end.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hostagent/restic.hpp"

namespace berth::hostagent {

inline constexpr int restic_left_files_out = 3;   // the snapshot is there, but not all files are in it

struct ResticCall {
    std::vector<std::string> arguments;   // after the program's name
    std::string folder;                   // it runs there; empty: wherever
    std::function<void(const std::string& line)> on_line;
    std::function<void(std::uint64_t written)> on_written;   // bytes that it wrote so far, every progress_every
};

/// The file that holds the repository's password, which must be there.
Result<std::string> password_file_of(const ResticSetup& setup, const HomeRule& rule);
/// 0 or restic_left_files_out; everything else is an error in plain words.
Result<int> run_restic(const ResticSetup& setup, const HomeRule& rule, const ResticCall& call);

}  // namespace berth::hostagent
