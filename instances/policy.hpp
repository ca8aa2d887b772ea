// SPDX-License-Identifier: Apache-2.0
// Numbers and words of instances by hand ([instances] in the configuration): what `berth create` makes when it is told nothing.
#pragma once

#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::instances {

struct Policy {
    std::string instance_type = "t2.nano";
    Duration duration{3'600'000};
    std::string availability_zone = "us-east-1a";       // its region is where an instance is made and looked for
    std::string image = "099720109477/ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-*-server-*";   // Canonical's newest, or "ami-…"
    std::string ssh_user = "ubuntu";                    // that this image knows
    std::vector<std::string> ssh_from{"0.0.0.0/0"};     // who may reach port 22 of the security group that berth makes
    std::string profile;                                // of ~/.aws; empty: the usual chain
    std::string cluster = "berth";                      // the mark of what is ours: the tag berth:cluster
    std::vector<std::string> regions;                   // that are looked at, beside those of the zone above and of AWS_REGION
    std::vector<std::string> prices;                    // "eu-central-1/t3.large=0.0912" or of all regions "t3.large=0.0912": before the list that is shipped
    double spend_per_hour_max = 0;                      // US dollars, of all that runs; more is not made or started; 0: no bound
    Duration duration_max{30LL * 86'400'000};           // from now, of create and extend
    Duration keep_stopped{7LL * 86'400'000};            // then a stopped one is terminated with its disk
    Duration boot_max{300'000};                         // from the launch until it runs and has its address
    Duration look_every{1'000};                         // while it boots
    Duration data_every{10'000};                        // `berth service`: which have to be stopped or terminated
    Duration states_every{30'000};                      // … and what has changed behind its back
    Duration call_deadline{20'000};                     // of one try of a call; four tries at most

    BERTH_FIELDS(Policy, instance_type, duration, availability_zone, image, ssh_user, ssh_from, profile, cluster, regions, prices, spend_per_hour_max, duration_max,
                 keep_stopped, boot_max, look_every, data_every, states_every, call_deadline)
};

}  // namespace berth::instances
