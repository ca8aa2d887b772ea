// SPDX-License-Identifier: Apache-2.0
// What every program of berth says to the one that started it. The numbers are a promise to scripts
// (they stand in `berth help` and in docs) and never change their meaning; `berth up` passes on the
// number of a process that could not start.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.hpp"
#include "base/result.hpp"

namespace berth {

enum class Exit : int {
    ok = 0,
    failed = 1,
    usage = 2,         // a flag, a name or a value that can not be
    no_capacity = 3,   // nothing free now; waiting may help
    denied = 4,        // no token or key, or one that may not do this
    not_found = 5,
    conflict = 6,
    timeout = 124,     // as timeout(1)
    interrupted = 130  // as a shell reports Ctrl-C
};

constexpr Exit exit_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::invalid: return Exit::usage;
        case ErrorKind::denied: return Exit::denied;
        case ErrorKind::not_found: return Exit::not_found;
        case ErrorKind::conflict: return Exit::conflict;
        case ErrorKind::fenced: return Exit::conflict;
        case ErrorKind::no_capacity: return Exit::no_capacity;
        case ErrorKind::timeout: return Exit::timeout;
        case ErrorKind::unavailable:
        case ErrorKind::corrupt:
        case ErrorKind::limit:
        case ErrorKind::internal: return Exit::failed;
    }
    return Exit::failed;
}

constexpr int exit_number(ErrorKind kind) { return static_cast<int>(exit_of(kind)); }

/// The last words of `program`, on stderr, when it failed or its output could not be written; its exit number.
inline int exit_with(const char* program, const Result<void>& outcome) {
    if (outcome) {
        errno = 0;
        if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
        if (errno != EPIPE) std::fprintf(stderr, "%s: cannot write the output: %s\n", program, std::strerror(errno != 0 ? errno : EIO));
        return 1;
    }
    std::fprintf(stderr, "%s: %s\n", program, outcome.error().text.c_str());
    return exit_number(outcome.error().kind);
}

/// The kind that a program's exit number stands for; `unavailable` when it says no more than "failed".
constexpr ErrorKind kind_of_exit(int number) {
    switch (static_cast<Exit>(number)) {
        case Exit::usage: return ErrorKind::invalid;
        case Exit::no_capacity: return ErrorKind::no_capacity;
        case Exit::denied: return ErrorKind::denied;
        case Exit::not_found: return ErrorKind::not_found;
        case Exit::conflict: return ErrorKind::conflict;
        case Exit::timeout: return ErrorKind::timeout;
        case Exit::ok:
        case Exit::failed:
        case Exit::interrupted: return ErrorKind::unavailable;
    }
    return ErrorKind::unavailable;
}

}  // namespace berth
