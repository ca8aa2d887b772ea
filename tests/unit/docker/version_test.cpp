// SPDX-License-Identifier: Apache-2.0
#include "docker/version.hpp"

#include <gtest/gtest.h>

namespace berth::docker {
namespace {

TEST(EngineVersion, is_read_from_its_text_or_not_at_all) {
    EXPECT_EQ(parse_version("1.41"), (ApiVersion{1, 41}));
    EXPECT_EQ(parse_version("2.0"), (ApiVersion{2, 0}));
    for (const auto* text : {"", "1", "1.", ".41", "v1.41", "1.41-rc1", "1.41.0", "one"}) EXPECT_FALSE(parse_version(text)) << text;
    EXPECT_LT((ApiVersion{1, 9}), (ApiVersion{1, 41})) << "by number, not by letter";
    EXPECT_EQ(to_text({1, 44}), "1.44");
}

TEST(EngineVersion, is_the_newest_that_both_sides_know) {
    EXPECT_EQ(choose_version({1, 41}, std::nullopt).value(), (ApiVersion{1, 41}));
    EXPECT_EQ(choose_version({1, 44}, ApiVersion{1, 44}).value(), (ApiVersion{1, 44}));
    EXPECT_EQ(choose_version({1, 99}, ApiVersion{1, 24}).value(), version_newest);
}

TEST(EngineVersion, names_both_sides_when_none_fits) {
    const auto old = choose_version({1, 40}, ApiVersion{1, 12});
    ASSERT_FALSE(old);
    EXPECT_EQ(old.error().kind, ErrorKind::conflict);
    EXPECT_EQ(old.error().text, "the container engine speaks API 1.40 and older, berth 1.41 and newer: take a newer engine");

    const auto young = choose_version({1, 99}, ApiVersion{1, 90});
    ASSERT_FALSE(young);
    EXPECT_EQ(young.error().text, "the container engine speaks API 1.90 and newer, berth 1.47 and older: take a newer berth");
}

}  // namespace
}  // namespace berth::docker
