// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/check.hpp"
#include "cli/exit.hpp"

namespace berth::cli {

namespace {

// A signal handler can reach nothing but globals.
volatile sig_atomic_t signals_seen = 0;
int wake_pipe[2] = {-1, -1};

void note_signal(int) {
    if (signals_seen != 0) ::_exit(static_cast<int>(Exit::interrupted));
    signals_seen = 1;
    const char byte = 1;
    [[maybe_unused]] const auto written = ::write(wake_pipe[1], &byte, 1);
}

}  // namespace

void Interrupt::watch() {
    check(::pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) == 0, "a pipe can be made");
    struct sigaction action = {};
    action.sa_handler = note_signal;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

bool Interrupt::seen() { return signals_seen != 0; }
int Interrupt::fd() { return wake_pipe[0]; }

}  // namespace berth::cli
