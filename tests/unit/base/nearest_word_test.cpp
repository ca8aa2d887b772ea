// SPDX-License-Identifier: Apache-2.0
#include "base/nearest_word.hpp"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(NearestWord, ForgivesATypo) {
    const std::vector<std::string> known{"claim", "release", "list"};
    EXPECT_EQ(nearest_word("clami", known), "claim");
    EXPECT_EQ(nearest_word("relaese", known), "release");
    EXPECT_EQ(nearest_word("xyzzy", known), std::nullopt);
}

TEST(NearestWord, ShortWordsForgiveLess) {
    EXPECT_EQ(nearest_word("ls", {"list"}), std::nullopt);
    EXPECT_EQ(nearest_word("prot", {"port"}), "port");
}

}  // namespace
}  // namespace berth
