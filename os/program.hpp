// SPDX-License-Identifier: Apache-2.0
// Starting a program, and ending a child. Between fork and exec nothing allocates or locks, so that a
// program with threads may do it; the child inherits no descriptor but those it is given, no signal
// handler and no blocked signal.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "os/process.hpp"

namespace berth::os {

BERTH_ENUM(Leads, session, group)         // a session of its own has no terminal and outlives ours

struct ProgramOrder {
    std::vector<std::string> arguments;   // the first is the program's path
    std::optional<std::vector<std::string>> environment;   // "NAME=value"; absent: this process's own
    std::string output;                   // stdout and stderr are appended to that file (0600); empty: /dev/null
    std::string pid_file;                 // gets "<pid> <start time>" before the program runs; empty: none
    Leads leads = Leads::session;
    int when_parent_dies = 0;             // the signal that it gets when the thread that starts it ends; 0: none
    int input = -1;                       // a descriptor to be its stdin; -1: /dev/null
    int answers = -1;                     // a descriptor to be its stdout and stderr, instead of `output`
    std::vector<int> passed;              // descriptors that become its 3, 4, …
};

/// It runs its program when this returns; nothing is left of it when this fails. `not_found` and
/// `denied` are about the program, other kinds about the files of the order or the machine.
Result<ProcessMark> start_program(const ProgramOrder& order);

/// The exit status of our child (128 + signal); `timeout` after that time, when it was killed.
Result<int> wait_for(pid_t child, Duration wait);
/// Our child: SIGTERM, then SIGKILL, and forgets it. One that was forgotten is ended.
Result<void> end_child(pid_t child, Duration term_wait, Duration kill_wait);
/// Whether our child has ended, or is none of ours; forgets it then. Never waits.
bool has_ended(pid_t child);

/// This process's own, as start_program() takes it.
std::vector<std::string> own_environment();
/// The folder of the program that runs now, for the programs that lie beside it.
std::string program_folder();
/// Where that program is on $PATH or in the usual sbin folders; empty when nowhere.
std::string program_on_path(const std::string& name);

}  // namespace berth::os
