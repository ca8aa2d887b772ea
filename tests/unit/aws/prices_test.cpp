// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "aws/prices.hpp"

namespace berth::aws {
namespace {

TEST(Prices, req31_the_list_knows_the_usual_types_of_the_usual_regions_and_its_day) {
    EXPECT_EQ(price_of("us-east-1", "t2.nano"), 5'800U);
    EXPECT_EQ(price_of("eu-central-1", "t2.nano"), 6'700U);
    EXPECT_EQ(price_of("us-east-1", "g5.xlarge"), 1'006'000U);
    EXPECT_EQ(prices_of_day().size(), 10U);
    EXPECT_EQ(price_of("us-east-1", "t2.gigantic"), std::nullopt) << "what nobody knows is not free";
    EXPECT_EQ(price_of("moon-1", "t2.nano"), std::nullopt);
}

TEST(Prices, what_an_operator_says_goes_before_the_list_and_of_one_region_before_of_all) {
    const std::vector<std::string> own{"t2.nano=0.5", "eu-central-1/t2.nano=0.25", "x9.huge=1"};
    EXPECT_EQ(price_of("us-east-1", "t2.nano", own), 500'000U);
    EXPECT_EQ(price_of("eu-central-1", "t2.nano", own), 250'000U);
    EXPECT_EQ(price_of("us-east-1", "x9.huge", own), 1'000'000U);
    EXPECT_TRUE(check_prices(own));
    EXPECT_FALSE(check_prices({"t2.nano"}));
    EXPECT_FALSE(check_prices({"t2.nano=cheap"}));
    EXPECT_FALSE(check_prices({"t2.nano=-1"}));
}

TEST(Prices, dollars_have_as_many_digits_as_say_something) {
    EXPECT_EQ(dollars(0), "$0");
    EXPECT_EQ(dollars(5'800), "$0.0058");
    EXPECT_EQ(dollars(83'200), "$0.083");
    EXPECT_EQ(dollars(12'345'678), "$12.35");
}

}  // namespace
}  // namespace berth::aws
