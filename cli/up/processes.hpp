// SPDX-License-Identifier: Apache-2.0
// Processes of this machine: starting one in a group of its own, and looking at those that run,
// always by their own pid and program, so that a reused pid is never signalled.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "base/result.hpp"

namespace berth::cli {

BERTH_ENUM(WhenParentDies, ends, lives_on)

struct SpawnOrder {
    std::vector<std::string> arguments;       // the first is the program's path
    std::vector<std::string> environment;     // "NAME=value"
    std::string log;                          // appended to: stdout and stderr
    WhenParentDies when_parent_dies = WhenParentDies::ends;
};

Result<pid_t> spawn(const SpawnOrder& order);

/// Runs, or is stopped; not a zombie, not gone.
bool is_alive(pid_t pid);
/// Name of the program that it executes ("berth-hostagent"); empty when it is gone.
std::string program_of(pid_t pid);
/// The pid in that file when such a program runs under it.
std::optional<pid_t> running_pid(const std::string& file, const std::string& program);
std::string read_small_file(const std::string& path);
/// Pids of that program in the network namespace of this process.
std::vector<pid_t> running_here(const std::string& program);
/// Children and theirs, deepest last.
std::vector<pid_t> descendants_of(pid_t pid);

/// Mount points below a folder, deepest first.
std::vector<std::string> mounts_below(const std::string& folder, const std::string& mountinfo);
/// Lines of a file's end, at most `count`, each at most 400 bytes, none from before byte `from`.
std::vector<std::string> last_lines(const std::string& path, std::size_t count, std::uint64_t from = 0);

}  // namespace berth::cli
