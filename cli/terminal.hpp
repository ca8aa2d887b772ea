// SPDX-License-Identifier: Apache-2.0
// What the terminal is and may show: colour (NO_COLOR, TERM=dumb, --color), moving lines (only when
// it is one), glyphs (only when it reads UTF-8).
#pragma once

#include <cstddef>
#include <string>

#include "base/reflect.hpp"

namespace berth::cli {

BERTH_ENUM(ColourChoice, automatic, always, never)

/// By the flag, then NO_COLOR, then TERM, then whether `terminal` is one.
bool colour_wanted(ColourChoice choice, bool terminal);
/// Sets the locale so that widths are right; whether the terminal reads UTF-8.
bool use_utf8();
/// Writes to stderr at once. Never fails: a terminal that was closed is no reason to end badly
/// (fmt::print would throw).
void tell(const std::string& text);

/// Columns of the terminal behind that descriptor; 0 when there is none.
std::size_t terminal_columns(int descriptor);

/// One line on stderr that replaces itself while something is waited for; silent on a pipe.
class Spinner {
public:
    Spinner();
    ~Spinner();
    Spinner(const Spinner&) = delete;
    Spinner& operator=(const Spinner&) = delete;

    bool moves() const { return moves_; }
    void show(const std::string& text);
    void clear();

private:
    bool moves_;
    bool utf8_;
    bool shown_ = false;
    unsigned frame_ = 0;
};

}  // namespace berth::cli
