// SPDX-License-Identifier: Apache-2.0
// What works inside a container, read from /proc: the CPU and disk of all processes but the editor's own
// server, the network, and what its terminals still run in the foreground. The kernel's numbers of a
// cgroup can not tell the editor from its user, and an open page that nobody touches keeps the editor busy.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hostagent/engine.hpp"

namespace berth {

struct RunningProcess {
    pid_t pid = 0;
    pid_t group = 0;
    pid_t session = 0;
    int terminal = 0;                     // 0: none
    pid_t foreground = 0;                 // the group that has its terminal
    std::uint64_t started_ticks = 0;      // since the machine's boot
    std::uint64_t cpu_ns = 0;             // its own and that of children it has buried
    std::uint64_t io_bytes = 0;           // the same
    std::string name;                     // as the kernel has it
    std::vector<std::string> words;       // its command line
    BERTH_FIELDS(RunningProcess, pid, group, session, terminal, foreground, started_ticks, cpu_ns, io_bytes, name, words)
};

struct WorkLook {
    std::vector<RunningProcess> processes;
    std::uint64_t net_bytes = 0;
    Instant looked_at;
    Instant booted_at;                    // ticks count from here
};

/// Everything in the process and network namespaces of `inside`. An error where /proc does not show it.
Result<WorkLook> look_at_work(pid_t inside);

/// The server of VS Code and what it starts for itself; not its users' terminals, tasks and compilers.
bool is_editors_own(const RunningProcess& process);
/// A shell that waits for its next line, or a multiplexer, whose own terminals are looked at.
bool is_at_prompt(const RunningProcess& process);

/// Of one container, from look to look.
class WorkCounter {
public:
    Usage add(const WorkLook& look);

private:
    using Life = std::pair<pid_t, std::uint64_t>;   // a number is given again, not with the same start
    std::map<Life, std::pair<std::uint64_t, std::uint64_t>> known_;   // CPU and disk at the last look
    std::map<pid_t, Instant> busy_since_;           // sessions with a foreground job at every look since
    Usage total_;
    bool began_ = false;
};

}  // namespace berth
