// SPDX-License-Identifier: Apache-2.0
#include "base/about.hpp"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(About, SaysNoMoreThanWasMeasured) {
    const std::pair<int, const char*> table[] = {{0, "0s"},         {-5, "0s"},          {2, "0.1s"},         {430, "0.4s"},
                                                 {999, "0.9s"},     {5'002, "5s"},       {5'600, "6s"},       {59'700, "1m"},
                                                 {150'020, "2m30s"}, {3'902'345, "1h5m"}, {90'000'000, "1d1h"}};
    for (const auto& [ms, said] : table) EXPECT_EQ(about(Duration{ms}), said) << ms;
}

}  // namespace
}  // namespace berth
