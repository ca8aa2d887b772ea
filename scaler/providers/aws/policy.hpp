// SPDX-License-Identifier: Apache-2.0
// Numbers of provider aws-asg ([provider.aws] in the configuration), and what a pool says of
// its machines there ([pool.<name>.template], which nobody else reads).
#pragma once

#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::scaler {

struct AwsPolicy {
    std::string profile;                       // of ~/.aws; empty: the usual chain, from the environment to the instance's role
    std::string region;                        // empty: AWS_REGION, the profile's, or this instance's own
    std::string cluster = "berth";             // the mark of what is ours: the tag berth:cluster
    Duration call_deadline{20'000};            // of one try of a call; four tries at most
    Duration activities_window{3'600'000};     // failed activities of a group that are older are not told
    Duration audit_every{86'400'000};          // of what a group's listing does not show: its policies, schedules and hooks
    Duration heartbeat_every{60'000};          // of a termination hook, while a host drains
    Duration foreign_memory{3'600'000};        // how long a change of the desired number by somebody else is told
    Duration launch_slack{60'000};             // an instance that is that much older than a launch may still be of it: clocks differ

    BERTH_FIELDS(AwsPolicy, profile, region, cluster, call_deadline, activities_window, audit_every, heartbeat_every, foreign_memory, launch_slack)
};

/// Of a pool of provider aws-asg.
struct GroupTemplate {
    std::string group;                         // the Auto Scaling group's name; empty: ASG_NAME of the environment
    std::string region;                        // empty: [provider.aws] region
    BERTH_FIELDS(GroupTemplate, group, region)
};

}  // namespace berth::scaler
