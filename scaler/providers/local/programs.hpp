// SPDX-License-Identifier: Apache-2.0
// Programs of a local host, found and ended without ever touching a stranger: a pid that was
// written down counts only while the process under it names the host's folder in its arguments, and
// a signal goes through a descriptor of exactly that process.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace berth::scaler {

/// A hold on one running process; it stays the same one even when its number is used again.
class RunningProgram {
public:
    RunningProgram(RunningProgram&& other) noexcept;
    RunningProgram& operator=(RunningProgram&& other) noexcept;
    ~RunningProgram();

    pid_t pid() const { return pid_; }
    void signal(int number) const;
    /// False when it still runs after that time.
    bool ended_within(Duration wait) const;

private:
    friend std::optional<RunningProgram> find_program(const std::string& pid_file, const std::string& folder);
    RunningProgram(pid_t pid, int descriptor) : pid_(pid), descriptor_(descriptor) {}
    pid_t pid_;
    int descriptor_;
};

/// The process whose number is in that file, if it runs and one of its arguments is that folder or
/// something below it.
std::optional<RunningProgram> find_program(const std::string& pid_file, const std::string& folder);

/// SIGTERM, then SIGKILL. An error names a process that nothing could end.
Result<void> end_program(const RunningProgram& program, Duration term_wait, Duration kill_wait);

/// Starts it as the leader of a session of its own, with this process's environment, so that it
/// lives on when this process dies. stdout and stderr are appended to `log`.
Result<pid_t> start_program(const std::vector<std::string>& arguments, const std::string& log);
/// Its exit status (128 + signal); `timeout` after that time, when it was killed.
Result<int> wait_for(pid_t child, Duration wait);
/// Our child: SIGTERM, then SIGKILL, as end_program().
Result<void> end_child(pid_t child, Duration term_wait, Duration kill_wait);
/// Whether our child has ended; forgets it then.
bool has_ended(pid_t child);

/// Points of mounts below that folder.
std::vector<std::string> mounts_below(const std::string& folder);
bool is_free_port(std::uint32_t port);   // of 127.0.0.1

}  // namespace berth::scaler
