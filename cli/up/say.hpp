// SPDX-License-Identifier: Apache-2.0
// The voice of `berth up`: one line per step with the time since the start, on stderr, so that
// stdout holds only what a script may want. Plain text on a pipe, a little colour on a terminal.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace berth::cli {

/// "  1.23s  broker      ready". Pure.
std::string step_line(Duration since_start, std::string_view part, std::string_view text);

class Say {
public:
    explicit Say(const Clock& clock);

    void step(std::string_view part, std::string_view text);
    /// Something is wrong but `up` goes on.
    void warn(std::string_view part, std::string_view text);
    /// Replaces the last progress on a terminal; on a pipe only the final one is printed.
    void progress(std::string_view part, std::string_view text);

private:
    void put(std::string_view part, std::string_view text, const char* colour);

    const Clock& clock_;
    Instant started_at_;
    bool terminal_;
    bool colour_;
    bool open_line_ = false;
};

}  // namespace berth::cli
