// SPDX-License-Identifier: Apache-2.0
#include "aws/machines.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <utility>

namespace berth::aws {

namespace {

// A spot machine may be had now, or not; anything else would fail on demand too.
bool is_about_spot(const Fault& fault) { return fault.kind == FaultClass::capacity || fault.kind == FaultClass::quota || fault.code.find("Spot") != std::string::npos; }

}  // namespace

std::string Machine::tag(const std::string& name) const {
    const auto at = tags.find(name);
    return at == tags.end() ? std::string{} : at->second;
}

std::string base64(std::string_view bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(length));
    return out;
}

Machine read_machine(Node node) {
    Machine machine{.id = text_of(node, "instanceId"),
                    .state = text_of(node, "instanceState/name"),
                    .type = text_of(node, "instanceType"),
                    .zone = text_of(node, "placement/availabilityZone"),
                    .image = text_of(node, "imageId"),
                    .vpc = text_of(node, "vpcId"),
                    .key = text_of(node, "keyName"),
                    .public_address = text_of(node, "ipAddress"),
                    .private_address = text_of(node, "privateIpAddress"),
                    .launched_at = time_of(node, "launchTime"),
                    .spot = text_of(node, "instanceLifecycle") == "spot",
                    .state_reason = text_of(node, "stateReason/message"),
                    .transition = text_of(node, "reason")};
    for (const auto group : list_of(node, "groupSet")) machine.security_groups.push_back(text_of(group, "groupId"));
    for (const auto tag : list_of(node, "tagSet")) machine.tags[text_of(tag, "key")] = text_of(tag, "value");
    return machine;
}

Called<Machines> describe(Client& cloud, Parameters parameters) {
    Machines found;
    TRY(cloud.pages("DescribeInstances", std::move(parameters), [&](Node page) {
        for (const auto reservation : list_of(page, "reservationSet")) {
            for (const auto item : list_of(reservation, "instancesSet")) {
                auto machine = read_machine(item);
                auto id = machine.id;
                found.insert_or_assign(std::move(id), std::move(machine));
            }
        }
    }));
    return found;
}

Called<Machines> find_tagged(Client& cloud, const std::string& tag, const std::vector<std::string>& values) {
    Parameters parameters{{"Filter.1.Name", "tag:" + tag}};
    add_list(parameters, "Filter.1.Value", values);
    return describe(cloud, std::move(parameters));
}

void add_tags(Parameters& to, const std::string& prefix, const Tags& tags) {
    std::size_t number = 0;
    for (const auto& [name, value] : tags) {
        ++number;
        to.emplace_back(fmt::format("{}.{}.Key", prefix, number), name);
        to.emplace_back(fmt::format("{}.{}.Value", prefix, number), value);
    }
}

void add_tag_specification(Parameters& to, int number, const std::string& resource, const Tags& tags) {
    if (tags.empty()) return;
    const auto prefix = fmt::format("TagSpecification.{}", number);
    to.emplace_back(prefix + ".ResourceType", resource);
    add_tags(to, prefix + ".Tag", tags);
}

Called<Machine> launch(Client& cloud, const Recipe& recipe) {
    Parameters wanted{{"ImageId", recipe.image}, {"InstanceType", recipe.type}, {"MinCount", "1"}, {"MaxCount", "1"}, {"ClientToken", recipe.token}};
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) wanted.emplace_back(name, value);
    };
    add("Placement.AvailabilityZone", recipe.zone);
    add("SubnetId", recipe.subnet);
    add_list(wanted, "SecurityGroupId", recipe.security_groups);
    add("KeyName", recipe.key);
    add("UserData", base64(recipe.user_data));
    add("IamInstanceProfile.Name", recipe.role);
    wanted.emplace_back("MetadataOptions.HttpEndpoint", "enabled");
    wanted.emplace_back("MetadataOptions.HttpTokens", "required");
    wanted.emplace_back("MetadataOptions.HttpPutResponseHopLimit", "1");
    wanted.emplace_back("MetadataOptions.InstanceMetadataTags", "enabled");
    if (recipe.spot) {
        wanted.emplace_back("InstanceMarketOptions.MarketType", "spot");
        wanted.emplace_back("InstanceMarketOptions.SpotOptions.SpotInstanceType", "one-time");
        add("InstanceMarketOptions.SpotOptions.MaxPrice", recipe.spot_price_max);
    } else {
        wanted.emplace_back("InstanceInitiatedShutdownBehavior", "stop");
    }
    if (recipe.encrypted || recipe.volume_gib > 0) {
        wanted.emplace_back("BlockDeviceMapping.1.DeviceName", recipe.root_device);
        wanted.emplace_back("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true");
        if (recipe.encrypted) wanted.emplace_back("BlockDeviceMapping.1.Ebs.Encrypted", "true");
        add("BlockDeviceMapping.1.Ebs.KmsKeyId", recipe.encryption_key);
        if (recipe.volume_gib > 0) wanted.emplace_back("BlockDeviceMapping.1.Ebs.VolumeSize", std::to_string(recipe.volume_gib));
    }
    add_tag_specification(wanted, 1, "instance", recipe.tags);
    add_tag_specification(wanted, 2, "volume", recipe.tags);
    const auto answer = TRY(cloud.call("RunInstances", wanted));
    const auto instances = list_of(answer.result(), "instancesSet");
    if (instances.empty()) return tl::make_unexpected(Fault{.text = "the answer of RunInstances names no instance", .perhaps_done = true});
    return read_machine(instances.front());
}

Called<Launched> launch_or_fall_back(Client& cloud, Recipe recipe) {
    auto made = launch(cloud, recipe);
    if (made) return Launched{std::move(*made), {}};
    if (!recipe.spot || !is_about_spot(made.error())) return tl::make_unexpected(made.error());
    recipe.spot = false;
    recipe.token += "-od";                // another request: the same token with other words is refused
    return Launched{TRY(launch(cloud, recipe)), made.error().text};
}

Called<void> set_tags(Client& cloud, const std::vector<std::string>& resources, const Tags& tags) {
    Parameters wanted;
    add_list(wanted, "ResourceId", resources);
    add_tags(wanted, "Tag", tags);
    TRY(cloud.call("CreateTags", wanted));
    return {};
}

Called<void> change_state(Client& cloud, const char* action, const std::vector<std::string>& ids) {
    Parameters wanted;
    add_list(wanted, "InstanceId", ids);
    TRY(cloud.call(action, wanted));
    return {};
}

}  // namespace berth::aws
