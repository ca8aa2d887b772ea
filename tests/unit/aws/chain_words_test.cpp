// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/chain.hpp"

namespace berth::testing {
namespace {

using ::testing::ElementsAre;

TEST(Words, of_a_credential_process_are_quoted_as_in_a_shell) {
    EXPECT_THAT(*aws::words_of("  /opt/k --account 1  "), ElementsAre("/opt/k", "--account", "1"));
    EXPECT_THAT(*aws::words_of(R"("/opt/my key" 'a "b"' c\ d "e\"f" '')"), ElementsAre("/opt/my key", "a \"b\"", "c d", "e\"f", ""));
    EXPECT_THAT(*aws::words_of("k $HOME | sh"), ElementsAre("k", "$HOME", "|", "sh"));
    EXPECT_FALSE(aws::words_of("k 'a"));
    EXPECT_TRUE(aws::words_of("")->empty());
}

TEST(HttpDate, is_read) {
    EXPECT_EQ(to_rfc3339(*aws::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT")), "1994-11-06T08:49:37.000Z");
    EXPECT_FALSE(aws::from_http_date("yesterday"));
}

}  // namespace
}  // namespace berth::testing
