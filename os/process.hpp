// SPDX-License-Identifier: Apache-2.0
// Processes of this machine, told apart so that none is ever taken for another: a pid is used again,
// a pid with its start time is not, and a descriptor of a process (pidfd) stays with that process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace berth::os {

struct ProcessMark {
    pid_t pid = 0;
    std::uint64_t started = 0;            // in the kernel's ticks since boot
    friend bool operator==(const ProcessMark&, const ProcessMark&) = default;
};

/// Of /proc/<pid>/stat.
struct ProcessFacts {
    char state = 0;                       // as ps writes it; Z: only its remains
    pid_t parent = 0;
    std::uint64_t cpu_ticks = 0;          // its own, and of the children that it has waited for
    std::uint64_t started = 0;
};
std::optional<ProcessFacts> facts_of(pid_t pid);

/// What runs under that pid now; nothing when there is no such process or only its remains.
std::optional<ProcessMark> mark_of(pid_t pid);
/// From "<pid> <start time>"; a start time that is missing is taken from what runs now.
std::optional<ProcessMark> read_mark(const std::string& pid_file);
/// Runs, or is stopped; not ended, and no other process that has its pid by now.
bool runs(const ProcessMark& mark);
/// Does nothing when another process has that pid by now.
void send_signal(const ProcessMark& mark, int signal);

/// A hold on one running process: it stays the same one even when its pid is used again.
class RunningProcess {
public:
    /// Nothing when none runs there.
    static std::optional<RunningProcess> find(pid_t pid);
    RunningProcess(RunningProcess&& other) noexcept;
    RunningProcess& operator=(RunningProcess&& other) noexcept;
    ~RunningProcess();

    pid_t pid() const { return pid_; }
    void signal(int number) const;
    /// False when it still runs after that time.
    bool ended_within(Duration wait) const;
    /// SIGTERM, then SIGKILL. The error (timeout) names a process that nothing could end.
    Result<void> end(Duration term_wait, Duration kill_wait) const;

private:
    RunningProcess(pid_t pid, int descriptor) : pid_(pid), descriptor_(descriptor) {}
    pid_t pid_;
    int descriptor_;
};

/// Every process that this one may see.
std::vector<pid_t> all_processes();
/// Its command line; empty when it is gone.
std::vector<std::string> arguments_of(pid_t pid);
/// Name of the file that it executes ("berth-hostagent"), also when that was built anew meanwhile;
/// empty when it is gone or another user's.
std::string program_of(pid_t pid);

}  // namespace berth::os
