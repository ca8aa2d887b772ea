// SPDX-License-Identifier: Apache-2.0
// Field report 29: what people's editors, shells and chats put around a token or an address.
#include "base/outside_text.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

namespace berth {
namespace {

TEST(OutsideText, LosesWhatStandsAroundIt) {
    for (const char* given : {"berth_1", " berth_1", "berth_1\r", "berth_1\r\n", "\xEF\xBB\xBF" "berth_1", "\tberth_1 \n\n", "\xC2\xA0" "berth_1\xE2\x80\x8B\r\n",
                              "\r\n\xEF\xBB\xBF berth_1\xC2\xA0 "}) {
        EXPECT_EQ(trimmed_outside(given), "berth_1") << given;
    }
    EXPECT_EQ(trimmed_outside("\xEF\xBB\xBF \r\n"), "");
    EXPECT_EQ(trimmed_outside("two words"), "two words");
}

TEST(OutsideText, AWordIsRefusedByNameAndNeverShown) {
    EXPECT_EQ(*outside_word("BERTH_TOKEN", "berth_1\r"), "berth_1");
    for (const char* odd : {"be\rth", "be rth", "\xE2\x80\x9C" "berth\xE2\x80\x9D", "b\xC3\xA9rth", "be\nrth", "be\x01rth", "be\x7frth"}) {
        const auto word = outside_word("BERTH_TOKEN", odd);
        ASSERT_FALSE(word) << odd;
        EXPECT_EQ(word.error().kind, ErrorKind::invalid);
        EXPECT_THAT(word.error().text, ::testing::HasSubstr("BERTH_TOKEN"));
        EXPECT_THAT(word.error().text, ::testing::Not(::testing::HasSubstr("rth_"))) << "I30";
    }
}

TEST(OutsideText, AFileGivesItsFirstLineThatSaysSomething) {
    const auto path = ::testing::TempDir() + "/outside_text_test";
    std::ofstream(path) << "\xEF\xBB\xBF\r\n  http://127.0.0.1:1 \r\nmore\r\n";
    EXPECT_EQ(first_line_of(path), "http://127.0.0.1:1");
    EXPECT_EQ(first_line_of(path + "-none"), "");
    ::setenv("BERTH_OUTSIDE_TEST", " x\r\n", 1);
    EXPECT_EQ(environment_text("BERTH_OUTSIDE_TEST"), "x");
    ::unsetenv("BERTH_OUTSIDE_TEST");
    EXPECT_EQ(environment_text("BERTH_OUTSIDE_TEST"), "");
}

}  // namespace
}  // namespace berth
