// SPDX-License-Identifier: Apache-2.0
#include "cli/up/say.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace berth::cli {

std::string step_line(Duration since_start, std::string_view part, std::string_view text) {
    return fmt::format("{:>7.2f}s  {:<10}  {}", static_cast<double>(since_start.count()) / 1000, part, printable(text));
}

Say::Say(const Clock& clock)
    : clock_(clock),
      started_at_(clock.now()),
      terminal_(::isatty(STDERR_FILENO) == 1),
      colour_(colour_wanted(ColourChoice::automatic, terminal_)) {}

void Say::put(std::string_view part, std::string_view text, const char* colour) {
    auto line = step_line(clock_.now() - started_at_, part, text);
    if (colour_ && colour != nullptr) line = colour + line + "\033[0m";
    if (open_line_) line = "\r\033[K" + line;
    open_line_ = false;
    tell(line + "\n");
}

void Say::step(std::string_view part, std::string_view text) { put(part, text, nullptr); }
void Say::warn(std::string_view part, std::string_view text) { put(part, text, "\033[33m"); }

void Say::progress(std::string_view part, std::string_view text) {
    if (!terminal_) return;
    tell("\r\033[K" + step_line(clock_.now() - started_at_, part, text));
    open_line_ = true;
}

}  // namespace berth::cli
