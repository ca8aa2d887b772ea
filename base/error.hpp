// SPDX-License-Identifier: Apache-2.0
// An expected failure, as a value. `kind` is what a caller may branch on; `text` says what was
// tried, with which id, and what to do. The same kinds become HTTP statuses and exit codes.
#pragma once

#include <string>

#include "base/reflect.hpp"

namespace berth {

BERTH_ENUM(ErrorKind,
           invalid,       // the request is malformed or out of bounds; changing nothing
           denied,        // the caller may not do this
           not_found,     // no such thing
           conflict,      // it exists in another shape: same key with another body, wrong state
           no_capacity,   // nothing free now; waiting may help
           unavailable,   // a process, store or engine that is needed does not answer
           timeout,       // the deadline passed first
           fenced,        // a newer term or epoch exists; the caller must give up
           corrupt,       // stored bytes are damaged
           limit,         // a stated bound was reached
           internal)      // an environment failure that nobody expected

struct Error {
    ErrorKind kind = ErrorKind::internal;
    std::string text;

    BERTH_FIELDS(Error, kind, text)
};

}  // namespace berth
