// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cli/text.hpp"

namespace berth::cli {

bool colour_wanted(ColourChoice choice, bool terminal) {
    if (choice != ColourChoice::automatic) return choice == ColourChoice::always;
    const char* none = std::getenv("NO_COLOR");
    if (none != nullptr && *none != '\0') return false;
    const char* kind = std::getenv("TERM");
    if (kind == nullptr || std::strcmp(kind, "dumb") == 0) return false;
    return terminal;
}

bool use_utf8() {
    std::setlocale(LC_CTYPE, "");
    const bool utf8 = std::strcmp(::nl_langinfo(CODESET), "UTF-8") == 0;
    if (!utf8) std::setlocale(LC_CTYPE, "C.UTF-8");
    return utf8;
}

void tell(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
}

std::size_t terminal_columns(int descriptor) {
    winsize size = {};
    return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

Spinner::Spinner() : moves_(::isatty(STDERR_FILENO) == 1), utf8_(use_utf8()) {
    const char* kind = std::getenv("TERM");
    if (kind == nullptr || std::strcmp(kind, "dumb") == 0) moves_ = false;
}

Spinner::~Spinner() { clear(); }

void Spinner::show(const std::string& text) {
    if (!moves_) return;
    static constexpr std::array round{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
    static constexpr std::array plain{"|", "/", "-", "\\"};
    const char* glyph = utf8_ ? round[frame_ % round.size()] : plain[frame_ % plain.size()];
    ++frame_;
    auto line = printable(text);
    const auto columns = terminal_columns(STDERR_FILENO);
    const std::size_t room = columns == 0 ? 77 : std::max<std::size_t>(columns, 10) - 3;
    while (display_width(line) > room) line.pop_back();
    tell(fmt::format("\r\033[K{} {}", glyph, line));
    shown_ = true;
}

void Spinner::clear() {
    if (!shown_) return;
    tell("\r\033[K");
    shown_ = false;
}

}  // namespace berth::cli
