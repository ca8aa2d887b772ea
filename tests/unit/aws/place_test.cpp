// SPDX-License-Identifier: Apache-2.0
#include "aws/place.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace berth::testing {
namespace {

using ::testing::HasSubstr;

aws::Environment environment(std::map<std::string, std::string> values) {
    return [values = std::move(values)](const char* name) {
        const auto at = values.find(name);
        return at == values.end() ? std::string{} : at->second;
    };
}

TEST(Place, an_endpoint_is_the_regions_own) {
    const auto none = environment({});
    EXPECT_EQ(*aws::endpoint_of(aws::ec2, "eu-central-1", none), "https://ec2.eu-central-1.amazonaws.com/");
    EXPECT_EQ(*aws::endpoint_of(aws::autoscaling, "cn-north-1", none), "https://autoscaling.cn-north-1.amazonaws.com.cn/");
    EXPECT_EQ(aws::partition_of("us-gov-west-1"), "aws-us-gov");
    EXPECT_EQ(aws::partition_of("us-isob-east-1"), "aws-iso-b");
    EXPECT_EQ(aws::partition_of("sa-east-1"), "aws");
}

TEST(Place, an_endpoint_of_the_environment_goes_first) {
    const auto set = environment({{"AWS_ENDPOINT_URL", "http://127.0.0.1:5000"}, {"AWS_ENDPOINT_URL_AUTO_SCALING", "http://127.0.0.1:5001"}});
    EXPECT_EQ(*aws::endpoint_of(aws::ec2, "us-east-1", set), "http://127.0.0.1:5000");
    EXPECT_EQ(*aws::endpoint_of(aws::autoscaling, "us-east-1", set), "http://127.0.0.1:5001");
    const auto ignored = environment({{"AWS_ENDPOINT_URL", "http://127.0.0.1:5000"}, {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}});
    EXPECT_EQ(*aws::endpoint_of(aws::sts, "us-east-1", ignored), "https://sts.us-east-1.amazonaws.com/");
    EXPECT_THAT(aws::endpoint_of(aws::sts, "us-east-1", environment({{"AWS_ENDPOINT_URL", "localhost"}})).error().text, HasSubstr("AWS_ENDPOINT_URL=localhost"));
}

TEST(Place, a_zone_is_no_region) {
    EXPECT_THAT(aws::check_region("us-east-1a").error().text, HasSubstr("looks like a zone: its region is us-east-1"));
    for (const auto* wrong : {"", "us east 1", "US-EAST-1", "frankfurt", "us-east-1.evil.example/"}) EXPECT_FALSE(aws::check_region(wrong)) << wrong;
    for (const auto* good : {"us-east-1", "ap-southeast-5", "us-gov-west-1", "eusc-de-east-1"}) EXPECT_TRUE(aws::check_region(good)) << good;
}

TEST(Place, a_host_is_as_it_is_sent) {
    EXPECT_EQ(aws::host_of_url("https://EC2.us-east-1.amazonaws.com:443/"), "ec2.us-east-1.amazonaws.com");
    EXPECT_EQ(aws::host_of_url("http://127.0.0.1:5000"), "127.0.0.1:5000");
    EXPECT_EQ(aws::host_of_url("http://[::1]:80/x"), "[::1]");
    EXPECT_EQ(aws::path_of_url("http://127.0.0.1:5000/a/b?c"), "/a/b");
    EXPECT_EQ(aws::path_of_url("http://127.0.0.1:5000"), "/");
}

}  // namespace
}  // namespace berth::testing
