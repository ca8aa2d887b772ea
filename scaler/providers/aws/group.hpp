// SPDX-License-Identifier: Apache-2.0
// An Auto Scaling group as it was described, and what follows from that. Pure: no call is made here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aws/xml.hpp"
#include "events/pool.hpp"
#include "scaler/provider.hpp"
#include "scaler/providers/aws/machines.hpp"

namespace berth::scaler {

struct Member {
    std::string instance;
    std::string lifecycle;                // "InService", "Terminating:Wait", … 30 words today, more tomorrow
    std::string zone;
    std::string type;
    bool protected_from_scale_in = false;
};

struct Group {
    std::string name;
    std::string arn;
    std::int64_t min = 0;
    std::int64_t max = 0;
    std::int64_t desired = 0;
    std::vector<Member> members;
    std::vector<std::string> suspended;   // processes
    bool protects_new = false;
    std::int64_t lifetime_max_s = 0;      // 0: none
    bool mixed = false;                   // a policy of several types or spot
    bool warm_pool = false;
    std::string status;                   // "Delete in progress"; empty: none
};
Group read_group(aws::Node node);

/// Does it count for the desired number, and may it carry a host?
bool is_live(const Member& member);
InstanceState state_of(const Member& member);

/// A failed activity of the group's, as trouble of that pool; none for others.
std::optional<LaunchTrouble> read_trouble(aws::Node activity, const PoolName& pool);

/// A launch that the group has been asked for and that has no instance yet.
struct OpenLaunch {
    LaunchId launch;
    Instant started_at;
    Instant deadline;
};

/// Which instance is of which launch: the oldest untagged one of the group that is not older than the launch, less
/// the slack.
std::map<LaunchId, std::string> match(const std::vector<OpenLaunch>& open, const Group& group, const std::map<std::string, Machine>& machines, Duration slack);

/// How many of its machines come or run: what it compares with its desired number.
std::int64_t running_of(const Group& group);

/// What the desired number has to be for so many launches more, and how many of them have no room below the maximum.
/// Never less than it is: it falls only with a named victim (I18).
struct Growth {
    std::int64_t desired = 0;
    std::size_t without_room = 0;
};
Growth growth_of(const Group& group, std::size_t launches);

/// What is unsafe about the group, each with the way out.
std::vector<std::string> audit(const Group& group);

/// What only calls of their own show.
struct Surroundings {
    std::vector<std::string> policies;    // names of scaling policies and scheduled actions: others who write the desired number
    std::vector<std::string> launch_hooks;
    std::vector<std::string> end_hooks;
};
std::vector<std::string> audit(const Group& group, const Surroundings& around);

}  // namespace berth::scaler
