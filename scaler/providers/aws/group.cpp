// SPDX-License-Identifier: Apache-2.0
#include "scaler/providers/aws/group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "aws/fault.hpp"

namespace berth::scaler {

namespace {

constexpr std::size_t words_kept_max = 500;

LaunchFailure failure_of(const std::string& words) {
    switch (aws::class_of_words(words)) {
        case aws::FaultClass::quota: return LaunchFailure::quota;
        case aws::FaultClass::capacity: return LaunchFailure::capacity;
        case aws::FaultClass::permission: return LaunchFailure::permission;
        case aws::FaultClass::configuration: return LaunchFailure::configuration;
        case aws::FaultClass::throttle: return LaunchFailure::throttle;
        default: return LaunchFailure::lost;
    }
}

bool is_suspended(const Group& group, std::string_view process) {
    return std::find(group.suspended.begin(), group.suspended.end(), process) != group.suspended.end();
}

std::string joined(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

}  // namespace

Group read_group(aws::Node node) {
    Group group{.name = aws::text_of(node, "AutoScalingGroupName"),
                .arn = aws::text_of(node, "AutoScalingGroupARN"),
                .min = aws::number_of(node, "MinSize"),
                .max = aws::number_of(node, "MaxSize"),
                .desired = aws::number_of(node, "DesiredCapacity"),
                .protects_new = aws::flag_of(node, "NewInstancesProtectedFromScaleIn"),
                .lifetime_max_s = aws::number_of(node, "MaxInstanceLifetime"),
                .mixed = static_cast<bool>(node.child("MixedInstancesPolicy").first_child()),
                .warm_pool = static_cast<bool>(node.child("WarmPoolConfiguration").first_child()),
                .status = aws::text_of(node, "Status")};
    for (const auto one : aws::list_of(node, "Instances")) {
        group.members.push_back({aws::text_of(one, "InstanceId"), aws::text_of(one, "LifecycleState"), aws::text_of(one, "AvailabilityZone"),
                                 aws::text_of(one, "InstanceType"), aws::flag_of(one, "ProtectedFromScaleIn")});
    }
    for (const auto one : aws::list_of(node, "SuspendedProcesses")) group.suspended.push_back(aws::text_of(one, "ProcessName"));
    return group;
}

bool is_live(const Member& member) { return member.lifecycle == "InService" || member.lifecycle.starts_with("Pending"); }

InstanceState state_of(const Member& member) {
    const std::string_view lifecycle = member.lifecycle;
    if (lifecycle.starts_with("Pending")) return InstanceState::pending;
    if (lifecycle == "Terminated") return InstanceState::terminated;
    if (lifecycle.starts_with("Terminating")) return InstanceState::terminating;
    return InstanceState::running;
}

std::optional<LaunchTrouble> read_trouble(aws::Node activity, const PoolName& pool) {
    const auto status = aws::text_of(activity, "StatusCode");
    if (status != "Failed" && status != "Cancelled") return std::nullopt;
    auto words = aws::text_of(activity, "StatusMessage");
    const auto description = aws::text_of(activity, "Description");
    if (!description.starts_with("Launching")) return std::nullopt;
    if (words.empty()) words = description;
    // When it failed is what counts: a launch that waits may be younger than the activity's beginning.
    const auto at = aws::time_of(activity, "EndTime");
    LaunchTrouble trouble{.pool = pool, .at = at ? *at : aws::time_of(activity, "StartTime").value_or(Instant{}), .failure = failure_of(words)};
    trouble.text = fmt::format("Auto Scaling: {}", words.substr(0, words_kept_max));
    const auto details = nlohmann::json::parse(aws::text_of(activity, "Details"), nullptr, false);
    if (details.is_object()) {
        const auto zone = details.find("Availability Zone");
        if (zone != details.end() && zone->is_string()) trouble.zone = zone->get<std::string>();
        const auto type = details.find("Instance Type");
        if (type != details.end() && type->is_string()) trouble.machine_type = type->get<std::string>();
    }
    return trouble;
}

std::map<LaunchId, std::string> match(const std::vector<OpenLaunch>& open, const Group& group, const std::map<std::string, Machine>& machines, Duration slack) {
    std::vector<const Machine*> free;
    for (const auto& member : group.members) {
        const auto at = machines.find(member.instance);
        if (!is_live(member) || at == machines.end() || !at->second.launched_at || at->second.tags.contains(tag_launch)) continue;
        free.push_back(&at->second);
    }
    std::sort(free.begin(), free.end(), [](const auto* a, const auto* b) { return std::tie(*a->launched_at, a->id) < std::tie(*b->launched_at, b->id); });
    auto waiting = open;
    std::stable_sort(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) { return a.started_at < b.started_at; });
    std::map<LaunchId, std::string> matched;
    for (const auto& launch : waiting) {
        const auto at = std::find_if(free.begin(), free.end(), [&](const auto* machine) { return *machine->launched_at + slack >= launch.started_at; });
        if (at == free.end()) continue;
        matched[launch.launch] = (*at)->id;
        free.erase(at);
    }
    return matched;
}

std::int64_t running_of(const Group& group) {
    return std::count_if(group.members.begin(), group.members.end(), [](const auto& one) {
        const auto state = state_of(one);
        return state != InstanceState::terminating && state != InstanceState::terminated && !one.lifecycle.starts_with("Terminating");
    });
}

Growth growth_of(const Group& group, std::size_t launches) {
    const auto live = std::count_if(group.members.begin(), group.members.end(), is_live);
    const auto wanted = live + static_cast<std::int64_t>(launches);
    // What somebody else wanted beyond the maximum is not ours to lower.
    const auto most = std::max(group.max, group.desired);
    return {.desired = std::max(group.desired, std::min(wanted, most)), .without_room = static_cast<std::size_t>(std::max<std::int64_t>(0, wanted - most))};
}

std::vector<std::string> audit(const Group& group) {
    std::vector<std::string> found;
    const auto suspend = [&](const char* process) {
        return fmt::format("aws autoscaling suspend-processes --auto-scaling-group-name {} --scaling-processes {}", group.name, process);
    };
    if (!group.status.empty()) found.push_back(fmt::format("group {} says '{}': it is being deleted; give the pool another group", group.name, group.status));
    if (!is_suspended(group, "AZRebalance")) {
        found.push_back(fmt::format("group {}: AZRebalance may end a machine in use to even out zones; {}", group.name, suspend("AZRebalance")));
    }
    if (!is_suspended(group, "ReplaceUnhealthy")) {
        found.push_back(fmt::format("group {}: ReplaceUnhealthy ends a machine that fails a health check, with its workspaces; {}", group.name, suspend("ReplaceUnhealthy")));
    }
    for (const char* process : {"Launch", "Terminate"}) {
        if (is_suspended(group, process)) {
            found.push_back(fmt::format("group {}: {} is suspended, so it {} nothing; aws autoscaling resume-processes --auto-scaling-group-name {} --scaling-processes {}",
                                        group.name, process, process == std::string_view{"Launch"} ? "starts" : "ends", group.name, process));
        }
    }
    if (!group.protects_new) {
        found.push_back(fmt::format("group {}: new instances are not protected from scale-in until berth has seen them; aws autoscaling "
                                    "update-auto-scaling-group --auto-scaling-group-name {} --new-instances-protected-from-scale-in",
                                    group.name, group.name));
    }
    if (group.lifetime_max_s > 0) {
        found.push_back(fmt::format("group {}: a machine is ended after {} days, in use or not; set its maximum instance lifetime to 0", group.name,
                                    group.lifetime_max_s / 86'400));
    }
    if (group.mixed) found.push_back(fmt::format("group {} has a mixed instances policy: its hosts differ in size, and spot machines are taken away", group.name));
    if (group.warm_pool) found.push_back(fmt::format("group {} has a warm pool: its stopped machines are no hosts until the group starts them", group.name));
    return found;
}

std::vector<std::string> audit(const Group& group, const Surroundings& around) {
    auto found = audit(group);
    if (!around.policies.empty()) {
        found.push_back(fmt::format("group {}: {} also write its desired number, and may end what berth keeps; delete them", group.name, joined(around.policies)));
    }
    if (!around.launch_hooks.empty()) {
        found.push_back(fmt::format("group {}: the launch hook {} holds each new machine until somebody completes it, which berth does not", group.name,
                                    joined(around.launch_hooks)));
    }
    if (around.end_hooks.empty()) {
        found.push_back(fmt::format("group {} has no termination hook: a machine that the group or a spot notice ends does not drain; see deploy/aws", group.name));
    }
    return found;
}

}  // namespace berth::scaler
