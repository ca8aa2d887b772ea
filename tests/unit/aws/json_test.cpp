// SPDX-License-Identifier: Apache-2.0
#include "aws/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::aws {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Json, BinaryAttributesAreWrittenAsRfc4648HasThem) {
    const std::pair<std::string, std::string> vectors[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}, {std::string("\0\xff\0", 3), "AP8A"}, {std::string("\0\0", 2), "AAA="}};
    for (const auto& [bytes, text] : vectors) {
        SCOPED_TRACE(text);
        EXPECT_EQ(to_base64(bytes), text);
        EXPECT_EQ(from_base64(text), bytes);
    }
    for (const auto* none : {"Zg", "Z", "Zm9v!", "=", "=="}) EXPECT_EQ(from_base64(none), "") << none;
}

TEST(Json, AFaultIsReadFromItsTypeAndMessage) {
    const auto fault = [](const char* body, long status = 400) { return json_fault_of("dynamodb:PutItem", status, body); };
    const auto throttled = fault(R"({"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"too fast"})");
    EXPECT_EQ(throttled.kind, FaultClass::throttle);
    EXPECT_EQ(throttled.code, "ProvisionedThroughputExceededException");
    EXPECT_THAT(throttled.text, AllOf(HasSubstr("dynamodb:PutItem"), HasSubstr("too fast")));
    EXPECT_FALSE(throttled.perhaps_done);
    EXPECT_EQ(fault(R"({"__type":"com.amazon.coral.service#UnrecognizedClientException","Message":"no"})").kind, FaultClass::permission);
    EXPECT_EQ(fault(R"({"__type":"x#ResourceNotFoundException"})").kind, FaultClass::missing);
    EXPECT_TRUE(fault(R"({"__type":"x#InternalServerError"})", 500).perhaps_done);
    for (const auto* strange : {"", "<html>", "[]", "null", R"({"__type":7,"message":{}})"}) {
        EXPECT_EQ(fault(strange, 503).kind, FaultClass::broken) << strange;
        EXPECT_TRUE(fault(strange, 503).perhaps_done) << strange;
    }
}

}  // namespace
}  // namespace berth::aws
