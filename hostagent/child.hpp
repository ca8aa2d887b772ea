// SPDX-License-Identifier: Apache-2.0
// Programs that outlive the agent: each leads a session of its own and is found again by its pid and
// start time, which together are never used twice. None runs before its pid file is on disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace berth::hostagent {

struct ProcessMark {
    pid_t pid = 0;
    std::uint64_t started = 0;            // in the kernel's ticks since boot
    friend bool operator==(const ProcessMark&, const ProcessMark&) = default;
};

/// What runs under that pid now; nothing when there is no such process or only its remains.
std::optional<ProcessMark> mark_of(pid_t pid);
/// From "<pid> <start time>"; a start time that is missing is taken from what runs now.
std::optional<ProcessMark> read_mark(const std::string& pid_file);
bool runs(const ProcessMark& mark);
/// Does nothing when another process has that pid by now.
void send_signal(const ProcessMark& mark, int signal);

struct ChildOrder {
    std::vector<std::string> arguments;   // the first is the program's path
    std::vector<std::string> environment; // NAME=value; nothing else is inherited
    std::string output;                   // its stdout and stderr are appended there
    std::string pid_file;                 // empty: it writes its own
};
/// It runs its program when this returns.
Result<ProcessMark> start_child(const ChildOrder& order);
/// Forgets what has ended, if it was our child. Never waits.
void bury(pid_t pid);

/// The folder of the program that runs now, for the programs that lie beside it.
std::string program_folder();

}  // namespace berth::hostagent
