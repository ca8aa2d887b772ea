// SPDX-License-Identifier: Apache-2.0
// A failure's line must give the same run again.
#include "tests/sim/recipe.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace berth::sim {
namespace {

TEST(Recipe, ReadsWhatItWrote) {
    const std::string line = "seed=17 hosts=1 users=2 safety_ms=5000 without=drop,pause only=3,9";
    const auto recipe = read_recipe(line + " # what it found");
    ASSERT_TRUE(recipe) << recipe.error().text;
    EXPECT_EQ(text_of(*recipe), line);
}
TEST(Recipe, WithoutSwitchesKindsOfFaultsOff) {
    const auto all = kinds_of(choose_options(17).faults);
    ASSERT_FALSE(all.empty());
    const auto left = kinds_of(options_of({.seed = 17, .without = {all.front()}}).faults);
    EXPECT_EQ(left.size(), all.size() - 1);
    EXPECT_EQ(std::count(left.begin(), left.end(), all.front()), 0);
}
TEST(Recipe, RefusesWhatItDoesNotKnow) {
    EXPECT_FALSE(read_recipe("seed=1 without=rain"));
    EXPECT_FALSE(read_recipe("seed=1 weather=2"));
    EXPECT_FALSE(read_recipe("seed=many"));
}

}  // namespace
}  // namespace berth::sim
