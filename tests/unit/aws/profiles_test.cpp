// SPDX-License-Identifier: Apache-2.0
#include "aws/profiles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::testing {
namespace {

using ::testing::HasSubstr;

TEST(Profiles, are_read_as_the_command_line_reads_them) {
    aws::Profiles all;
    ASSERT_TRUE(aws::parse_profiles("\xEF\xBB\xBF# mine\n[default]\nregion = us-west-2\n\n[profile work]\r\nrole_arn=arn:aws:iam::1:role/r # the big one\r\n"
                                    "source_profile = default\ns3 =\n    max_concurrent_requests = 20\n[sso-session corp]\nsso_region = eu-west-1\n"
                                    "[services x]\nec2 = y\n",
                                    aws::ProfileFile::config, "config", all));
    ASSERT_TRUE(aws::parse_profiles("[default]\naws_access_key_id = AK\nregion = us-east-1\n", aws::ProfileFile::credentials, "credentials", all));

    EXPECT_EQ(aws::value_of(all.profiles.at("default"), "region"), "us-east-1") << "the credentials file goes first";
    EXPECT_EQ(aws::value_of(all.profiles.at("default"), "aws_access_key_id"), "AK");
    EXPECT_EQ(aws::value_of(all.profiles.at("work"), "role_arn"), "arn:aws:iam::1:role/r");
    EXPECT_FALSE(all.profiles.at("work").contains("max_concurrent_requests"));
    EXPECT_EQ(aws::value_of(all.sso_sessions.at("corp"), "sso_region"), "eu-west-1");
    EXPECT_EQ(all.profiles.size(), 2U);
}

TEST(Profiles, a_line_that_is_none_is_named_and_not_shown) {
    aws::Profiles all;
    const auto read = aws::parse_profiles("[default]\nwJalrXUtnFEMI\n", aws::ProfileFile::credentials, "/root/.aws/credentials", all);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().text, "/root/.aws/credentials:2: neither a section nor key = value");
    EXPECT_FALSE(aws::parse_profiles("[default\n", aws::ProfileFile::config, "c", all));
}

}  // namespace
}  // namespace berth::testing
