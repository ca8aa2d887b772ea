// SPDX-License-Identifier: Apache-2.0
#include "scaler/providers/aws/machines.hpp"

#include <algorithm>
#include <utility>

namespace berth::scaler {

namespace {

constexpr std::size_t values_per_filter_max = 200;    // what EC2 takes

Provided<void> add_machines(aws::Client& ec2, aws::Parameters parameters, std::map<std::string, Machine>& to) {
    auto found = aws::describe(ec2, std::move(parameters));
    if (!found) return refused(found.error());
    to.merge(*found);
    return {};
}

}  // namespace

InstanceState state_of(const std::string& ec2_state) {
    if (ec2_state == "pending") return InstanceState::pending;
    if (ec2_state == "stopping") return InstanceState::stopping;
    if (ec2_state == "stopped") return InstanceState::stopped;
    if (ec2_state == "shutting-down") return InstanceState::terminating;
    if (ec2_state == "terminated") return InstanceState::terminated;
    return InstanceState::running;
}

Instance to_instance(const Machine& machine) {
    Instance instance{.instance = machine.id, .state = state_of(machine.state), .launched_at = machine.launched_at.value_or(Instant{})};
    if (const auto launch = machine.tags.find(tag_launch); launch != machine.tags.end()) instance.launch = LaunchId{launch->second};
    return instance;
}

Provided<std::map<std::string, Machine>> find_machines(aws::Client& ec2, const std::vector<std::string>& ids) {
    std::map<std::string, Machine> found;
    for (std::size_t at = 0; at < ids.size(); at += values_per_filter_max) {
        const std::vector<std::string> part(ids.begin() + static_cast<std::ptrdiff_t>(at),
                                            ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), at + values_per_filter_max)));
        aws::Parameters parameters{{"Filter.1.Name", "instance-id"}};
        aws::add_list(parameters, "Filter.1.Value", part);
        TRY(add_machines(ec2, std::move(parameters), found));
    }
    return found;
}

Provided<std::map<std::string, Machine>> find_launched(aws::Client& ec2, const std::vector<std::string>& launches) {
    std::map<std::string, Machine> found;
    aws::Parameters parameters{{"Filter.1.Name", fmt::format("tag:{}", tag_launch)}};
    aws::add_list(parameters, "Filter.1.Value", launches);
    TRY(add_machines(ec2, std::move(parameters), found));
    std::erase_if(found, [](const auto& entry) { return !entry.second.tags.contains(tag_launch); });
    return found;
}

Provided<void> set_tags(aws::Client& ec2, const std::string& instance, const std::map<std::string, std::string>& tags) {
    const auto done = aws::set_tags(ec2, {instance}, tags);
    if (!done) return refused(done.error());
    return {};
}

std::vector<InstanceOutcome> start_or_stop(aws::Client& ec2, const char* action, const std::vector<std::string>& instances) {
    std::vector<InstanceOutcome> outcomes;
    if (instances.empty()) return outcomes;
    const auto done = aws::change_state(ec2, action, instances);
    if (!done && instances.size() > 1) {
        for (const auto& one : instances) {
            auto by_itself = start_or_stop(ec2, action, {one});
            outcomes.push_back(std::move(by_itself.front()));
        }
        return outcomes;
    }
    for (const auto& one : instances) outcomes.push_back({one, done ? std::nullopt : std::optional{to_provider_error(done.error())}});
    return outcomes;
}

}  // namespace berth::scaler
