// SPDX-License-Identifier: Apache-2.0
// EC2's machines as a provider's instances, and what is said of them by tags.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aws/machines.hpp"
#include "events/pool.hpp"
#include "scaler/providers/aws/account.hpp"

namespace berth::scaler {

inline constexpr const char* tag_cluster = "berth:cluster";
inline constexpr const char* tag_pool = "berth:pool";
inline constexpr const char* tag_launch = "berth:launch";

using aws::Machine;

/// A state that nobody knows yet counts as running: such a machine is left alone.
InstanceState state_of(const std::string& ec2_state);
/// What a listing of ours says of it, but for the pool.
Instance to_instance(const Machine& machine);

/// Those of these ids that EC2 knows, by id. Filters, because one unknown id spoils a list of ids.
Provided<std::map<std::string, Machine>> find_machines(aws::Client& ec2, const std::vector<std::string>& ids);
/// Those that bear one of these launches.
Provided<std::map<std::string, Machine>> find_launched(aws::Client& ec2, const std::vector<std::string>& launches);

Provided<void> set_tags(aws::Client& ec2, const std::string& instance, const std::map<std::string, std::string>& tags);

/// StartInstances and StopInstances; one that the whole refuses is tried by itself.
std::vector<InstanceOutcome> start_or_stop(aws::Client& ec2, const char* action, const std::vector<std::string>& instances);

}  // namespace berth::scaler
