// SPDX-License-Identifier: Apache-2.0
// Numbers of providers aws-asg and aws-ec2 ([provider.aws] in the configuration), and what a pool says of
// its machines there ([pool.<name>.template], which nobody else reads).
#pragma once

#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::scaler {

struct AwsPolicy {
    std::string profile;                       // of ~/.aws; empty: the usual chain, from the environment to the instance's role
    std::string region;                        // empty: AWS_REGION, the profile's, or this instance's own
    std::string cluster = "berth";             // the mark of what is ours: the tag berth:cluster; aws-ec2 wants one of this berth's own
    Duration call_deadline{20'000};            // of one try of a call; four tries at most
    Duration activities_window{3'600'000};     // failed activities of a group that are older are not told
    Duration audit_every{86'400'000};          // of what a group's listing does not show: its policies, schedules and hooks
    Duration heartbeat_every{60'000};          // of a termination hook, while a host drains
    Duration foreign_memory{3'600'000};        // how long a change of the desired number by somebody else is told
    std::vector<std::string> prices;           // "eu-central-1/t3.large=0.0912", or of all regions "t3.large=0.0912": before the list that is shipped
    double spend_per_hour_max = 0;             // US dollars, of all machines of aws-ec2; more is not launched; 0: no bound
    Duration launch_slack{60'000};             // an instance that is that much older than a launch may still be of it: clocks differ

    BERTH_FIELDS(AwsPolicy, profile, region, cluster, call_deadline, activities_window, audit_every, heartbeat_every, foreign_memory, prices, spend_per_hour_max,
                 launch_slack)
};

/// Of a pool of provider aws-asg.
struct GroupTemplate {
    std::string group;                         // the Auto Scaling group's name; empty: ASG_NAME of the environment
    std::string region;                        // empty: [provider.aws] region
    BERTH_FIELDS(GroupTemplate, group, region)
};

/// Of a pool of provider aws-ec2. Of several types and zones the next is taken where the one before has no capacity.
struct MachineTemplate {
    std::vector<std::string> instance_types{"t3.large"};
    std::vector<std::string> zones;            // empty: Amazon's choice, or the subnet's
    std::string image;                         // "ami-…", or owner/name with '*': the newest
    std::string subnet;                        // empty: the default one
    std::vector<std::string> security_groups;  // ids or names; none: the VPC's default one
    std::string public_key;                    // a file; empty: nobody can sign in by ssh
    std::string role;                          // an instance profile's name
    std::string user_data;                     // a file: what a machine runs at its first boot
    bool spot = false;                         // on demand when there is none
    std::string spot_price_max;                // US dollars per hour; empty: up to the on-demand price
    bool encrypt_volume = true;
    std::string encryption_key;                // of KMS; empty: the account's for EBS
    std::int64_t volume_gib = 0;               // 0: the image's
    BERTH_FIELDS(MachineTemplate, instance_types, zones, image, subnet, security_groups, public_key, role, user_data, spot, spot_price_max, encrypt_volume,
                 encryption_key, volume_gib)
};

}  // namespace berth::scaler
