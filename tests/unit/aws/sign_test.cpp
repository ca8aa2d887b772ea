// SPDX-License-Identifier: Apache-2.0
// The examples of Amazon's own documentation and test suite. Thousands of others, against botocore and
// libcurl: tests/integration/aws/sign_test.py.
#include "aws/sign.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const aws::Credentials example{.access_key = "AKIDEXAMPLE", .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
const aws::Scope in_the_suite{"us-east-1", "service", *from_rfc3339("2015-08-30T12:36:00Z")};

std::string signature(const aws::Signable& request, const aws::Scope& scope = in_the_suite) {
    return aws::sign(request, scope, example).back().second;
}

TEST(Sign, as_amazons_test_suite_says) {
    const aws::Signable vanilla{.method = "GET", .host = "example.amazonaws.com"};
    EXPECT_EQ(signature(vanilla), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
                                  "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    auto sorted = vanilla;
    sorted.query = "Param2=value2&Param1=value1";
    EXPECT_THAT(signature(sorted), EndsWith("b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"));
    auto post = vanilla;
    post.method = "POST";
    EXPECT_THAT(signature(post), EndsWith("5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"));
    post.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    post.body = "Param1=value1";
    EXPECT_THAT(signature(post), EndsWith("ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"));
}

TEST(Sign, as_the_documentation_of_iam_says) {
    const aws::Signable request{.method = "GET",
                                .host = "iam.amazonaws.com",
                                .query = "Action=ListUsers&Version=2010-05-08",
                                .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}}};
    EXPECT_THAT(signature(request, {"us-east-1", "iam", in_the_suite.at}), EndsWith("5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"));
}

TEST(Sign, a_token_is_sent_and_signed) {
    auto who = example;
    who.session_token = "to/k+en==";
    const auto added = aws::sign({.host = "h"}, in_the_suite, who);
    ASSERT_EQ(added.size(), 3U);
    EXPECT_EQ(added[0], (aws::Header{"X-Amz-Date", "20150830T123600Z"}));
    EXPECT_EQ(added[1], (aws::Header{"X-Amz-Security-Token", "to/k+en=="}));
    EXPECT_THAT(added[2].second, HasSubstr("SignedHeaders=host;x-amz-date;x-amz-security-token"));
}

TEST(Sign, what_is_presigned_proves_itself) {
    const auto query = aws::presign({.method = "GET", .host = "sts.us-east-1.amazonaws.com", .query = "Action=GetCallerIdentity&Version=2011-06-15"},
                                    {"us-east-1", "sts", in_the_suite.at}, example, std::chrono::seconds{60});
    EXPECT_THAT(query, StartsWith("Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&"
                                  "X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&"
                                  "X-Amz-SignedHeaders=host&X-Amz-Signature="));
}

}  // namespace
}  // namespace berth::testing
