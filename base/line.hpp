// SPDX-License-Identifier: Apache-2.0
// A line of diagnostics as a value: cores return it beside what they decided, shells write it. Never the
// record of anything (that is the ledger), never a secret (I30). A line of level error means that a test fails.
#pragma once

#include <string>

#include "base/reflect.hpp"

namespace berth {

BERTH_ENUM(LogLevel, debug, info, warn, error)

struct Line {
    LogLevel level = LogLevel::info;
    std::string event;                    // a fixed word: "host.victim"; what varies goes into the others
    std::string subject;                  // whom it is about
    std::string why;
};

}  // namespace berth
