// SPDX-License-Identifier: Apache-2.0
// Processes of this machine as `berth up` looks for them: by their pid and their program, so that a
// reused pid is never taken for one of ours.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace berth::cli {

/// Runs, or is stopped; not a zombie, not gone.
bool is_alive(pid_t pid);
/// The pid in that file when such a program ("berth-hostagent") runs under it.
std::optional<pid_t> running_pid(const std::string& file, const std::string& program);
/// Pids of that program in the network namespace of this process.
std::vector<pid_t> running_here(const std::string& program);
/// Children and theirs, deepest last.
std::vector<pid_t> descendants_of(pid_t pid);

/// Lines of a file's end, at most `count`, each at most 400 bytes, none from before byte `from`.
std::vector<std::string> last_lines(const std::string& path, std::size_t count, std::uint64_t from = 0);

}  // namespace berth::cli
