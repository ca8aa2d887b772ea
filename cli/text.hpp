// SPDX-License-Identifier: Apache-2.0
// Small pure pieces of text: how wide it is on a terminal, how long ago that was, which word was
// meant. What comes from a server passes printable() before it reaches a terminal.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace berth::cli {

/// Columns on a terminal, by wcwidth(3). Needs a UTF-8 LC_CTYPE (main and the tests set one).
std::size_t display_width(std::string_view utf8);

/// The same text with control characters (escape sequences among them) and broken UTF-8 replaced.
std::string printable(std::string_view text);

/// "4s", "3m12s", "2h05m", "3d04h": two units at most, so that a column stays narrow.
std::string short_duration(Duration duration);
/// "in 7h59m", "3m12s ago", "-" for the epoch (never).
std::string relative(Instant at, Instant now);
/// "0.3s", "12.0s", "2m05s": elapsed time of a phase.
std::string elapsed(Duration duration);
/// "1st", "2nd", "3rd", "11th".
std::string ordinal(std::uint32_t n);

/// Safe to paste into a shell: quoted when it has to be.
std::string shell_quoted(std::string_view word);

std::vector<std::string> split(std::string_view text, char by);

}  // namespace berth::cli
