// SPDX-License-Identifier: Apache-2.0
// Text that reaches a terminal: widths, control characters, durations, near words, quoting.
#include "cli/text.hpp"

#include <gtest/gtest.h>

#include "cli/terminal.hpp"

namespace berth::cli {
namespace {

TEST(Text, WidthIsWhatATerminalTakes) {
    use_utf8();
    EXPECT_EQ(display_width("demo"), 4u);
    EXPECT_EQ(display_width("größe"), 5u);
    EXPECT_EQ(display_width("日本"), 4u);
    EXPECT_EQ(display_width(""), 0u);
}

TEST(Text, ControlCharactersNeverReachATerminal) {
    EXPECT_EQ(printable("a\033[31mred"), "a\xEF\xBF\xBD[31mred");
    EXPECT_EQ(printable("two\nlines\tand"), "two lines and");
    EXPECT_EQ(printable("\xC2\x9B" "31m"), "\xEF\xBF\xBD" "31m");               // C1's own CSI
    EXPECT_EQ(printable("\xE2\x80\xAEtxt"), "\xEF\xBF\xBDtxt");                  // right-to-left override
    EXPECT_EQ(printable("größe 日本"), "größe 日本");
}

TEST(Text, BrokenUtf8IsReplaced) {
    EXPECT_EQ(printable("\xFF"), "\xEF\xBF\xBD");
    EXPECT_EQ(printable("\xC3"), "\xEF\xBF\xBD");                                // cut off
    EXPECT_EQ(printable("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");                // overlong '/'
    EXPECT_EQ(printable("\xED\xA0\x80"), "\xEF\xBF\xBD");                        // a surrogate
}

TEST(Text, DurationsHaveTwoUnitsAtMost) {
    EXPECT_EQ(short_duration(Duration{4'900}), "4s");
    EXPECT_EQ(short_duration(Duration{192'000}), "3m12s");
    EXPECT_EQ(short_duration(Duration{2 * 3'600'000 + 5 * 60'000}), "2h05m");
    EXPECT_EQ(short_duration(Duration{(3 * 24 + 4) * 3'600'000LL}), "3d04h");
    EXPECT_EQ(short_duration(Duration{-5'000}), "-5s");
}

TEST(Text, RelativeSaysWhichWay) {
    const Instant now{Duration{1'000'000'000}};
    EXPECT_EQ(relative(now + Duration{60'000}, now), "in 1m00s");
    EXPECT_EQ(relative(now + Duration{8 * 3'600'000 - 40}, now), "in 8h00m");
    EXPECT_EQ(relative(now + Duration{59'001}, now), "in 1m00s");
    EXPECT_EQ(relative(now - Duration{60'000}, now), "1m00s ago");
    EXPECT_EQ(relative(Instant{}, now), "-");
}

TEST(Text, ElapsedIsNeverNegative) {
    EXPECT_EQ(elapsed(Duration{-3}), "0.0s");
    EXPECT_EQ(elapsed(Duration{12'040}), "12.0s");
    EXPECT_EQ(elapsed(Duration{125'000}), "2m05s");
}

TEST(Text, Ordinals) {
    EXPECT_EQ(ordinal(1), "1st");
    EXPECT_EQ(ordinal(2), "2nd");
    EXPECT_EQ(ordinal(3), "3rd");
    EXPECT_EQ(ordinal(11), "11th");
    EXPECT_EQ(ordinal(112), "112th");
    EXPECT_EQ(ordinal(121), "121st");
}

TEST(Text, ShellQuotedIsSafeToPaste) {
    EXPECT_EQ(shell_quoted("web-shop"), "web-shop");
    EXPECT_EQ(shell_quoted(""), "''");
    EXPECT_EQ(shell_quoted("a b;$(x)"), "'a b;$(x)'");
    EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
}

TEST(Text, SplitLeavesOutWhatIsEmpty) {
    EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "b"}));
    EXPECT_TRUE(split("", ',').empty());
}

}  // namespace
}  // namespace berth::cli
