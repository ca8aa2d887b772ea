// SPDX-License-Identifier: Apache-2.0
#include "aws/fault.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::testing {
namespace {

using aws::FaultClass;
using ::testing::HasSubstr;

TEST(Fault, has_a_class_by_its_code_and_words) {
    struct Row {
        const char* code;
        const char* message;
        long status;
        FaultClass kind;
    };
    const Row rows[] = {
        {"Throttling", "Rate exceeded", 400, FaultClass::throttle},
        {"RequestLimitExceeded", "", 503, FaultClass::throttle},
        {"ResourceContention", "", 500, FaultClass::contention},
        {"ScalingActivityInProgress", "", 400, FaultClass::contention},
        {"UnauthorizedOperation", "", 403, FaultClass::permission},
        {"AccessDenied", "", 403, FaultClass::permission},
        {"ExpiredToken", "", 403, FaultClass::permission},
        {"SignatureDoesNotMatch", "The request signature we calculated does not match", 403, FaultClass::permission},
        {"SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than …", 403, FaultClass::skew},
        {"SignatureDoesNotMatch", "Signature not yet current", 403, FaultClass::skew},
        {"RequestExpired", "", 400, FaultClass::skew},
        {"VcpuLimitExceeded", "", 400, FaultClass::quota},
        {"InstanceLimitExceeded", "", 400, FaultClass::quota},
        {"SomethingNewLimitExceeded", "", 400, FaultClass::quota},
        {"InsufficientInstanceCapacity", "", 500, FaultClass::capacity},
        {"InvalidAMIID.NotFound", "", 400, FaultClass::missing},
        {"InvalidParameterValue", "", 400, FaultClass::configuration},
        {"ValidationError", "AutoScalingGroup name not found - null", 400, FaultClass::missing},
        {"ValidationError", "New SetDesiredCapacity value 9 is above max value 5", 400, FaultClass::configuration},
        {"", "", 502, FaultClass::broken},
        {"NeverSeenBefore", "", 400, FaultClass::configuration},
        {"NeverSeenBefore", "", 500, FaultClass::broken},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(std::string{row.code} + ": " + row.message);
        EXPECT_EQ(to_string(aws::class_of(row.code, row.message, row.status)), to_string(row.kind));
    }
}

// As Auto Scaling writes them into its activities.
TEST(Fault, words_without_a_code_have_a_class) {
    const std::pair<const char*, FaultClass> rows[] = {
        {"You have requested more vCPU capacity than your current vCPU limit of 8 allows for the instance bucket that the specified instance type "
         "belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit. Launching EC2 instance failed.",
         FaultClass::quota},
        {"We currently do not have sufficient m5.large capacity in the Availability Zone you requested (us-east-1a). Our system will be working on "
         "provisioning additional capacity. Launching EC2 instance failed.",
         FaultClass::capacity},
        {"Could not launch Spot Instances. UnfulfillableCapacity - There is no Spot capacity available that matches your request. Launching EC2 "
         "instance failed.",
         FaultClass::capacity},
        {"You are not authorized to use launch template: lt-1. Launching EC2 instance failed.", FaultClass::permission},
        {"The image id '[ami-0]' does not exist. Launching EC2 instance failed.", FaultClass::configuration},
        {"The security group 'sg-0' does not exist. Launching EC2 instance failed.", FaultClass::configuration},
        {"Rate exceeded", FaultClass::throttle},
        {"The moon is in the wrong place.", FaultClass::broken},
    };
    for (const auto& [words, kind] : rows) EXPECT_EQ(to_string(aws::class_of_words(words)), to_string(kind)) << words;
}

TEST(Fault, both_shapes_of_an_error_are_read) {
    const auto query = aws::fault_of("autoscaling:SetDesiredCapacity", 403,
                                     "<ErrorResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><Error><Type>Sender</Type>"
                                     "<Code>AccessDenied</Code><Message>User x is not authorized</Message></Error><RequestId>r-1</RequestId></ErrorResponse>");
    EXPECT_EQ(query.code, "AccessDenied");
    EXPECT_EQ(query.text, "autoscaling:SetDesiredCapacity was refused: AccessDenied: User x is not authorized (request r-1); allow "
                          "autoscaling:SetDesiredCapacity to these credentials (deploy/aws/policy.json)");
    EXPECT_FALSE(query.perhaps_done);
    const auto ec2 = aws::fault_of("ec2:RunInstances", 400,
                                   "<?xml version=\"1.0\"?><Response><Errors><Error><Code>VcpuLimitExceeded</Code><Message>m</Message></Error></Errors>"
                                   "<RequestID>r-2</RequestID></Response>");
    EXPECT_EQ(to_string(ec2.kind), "quota");
    EXPECT_THAT(ec2.text, HasSubstr("(request r-2)"));
}

TEST(Fault, an_answer_that_is_none_is_broken_and_perhaps_done) {
    for (const auto* body : {"", "<html>502 Bad Gateway", "{\"x\": 1}", "<a/>"}) {
        const auto fault = aws::fault_of("ec2:RunInstances", 502, body);
        EXPECT_EQ(to_string(fault.kind), "broken") << body;
        EXPECT_TRUE(fault.perhaps_done);
        EXPECT_THAT(fault.text, HasSubstr("HTTP 502"));
    }
}

}  // namespace
}  // namespace berth::testing
