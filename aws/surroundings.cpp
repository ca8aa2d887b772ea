// SPDX-License-Identifier: Apache-2.0
#include "aws/surroundings.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/outside_text.hpp"

namespace berth::aws {

namespace {

constexpr std::size_t key_chars_max = 16 * 1024;

tl::unexpected<Fault> wrong(FaultClass kind, std::string text) { return tl::make_unexpected(Fault{.kind = kind, .text = std::move(text)}); }

std::string hex_of_sha256(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) return {};
    std::string hex;
    for (unsigned i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
    return hex;
}

/// The blob of an OpenSSH key begins with its algorithm's name, after its length.
bool blob_is_of(const std::string& blob, const std::string& algorithm) {
    std::string raw(blob.size() / 4 * 3 + 4, '\0');
    const bool whole = algorithm == "ssh-ed25519" ? blob.size() == 68 : blob.size() >= 180;     // of RSA at least 1024 bits
    if (!whole || blob.size() % 4 != 0) return false;
    const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(raw.data()), reinterpret_cast<const unsigned char*>(blob.data()), static_cast<int>(blob.size()));
    if (length < 4 + static_cast<int>(algorithm.size())) return false;
    const auto named = static_cast<std::size_t>(static_cast<unsigned char>(raw[2])) * 256 + static_cast<unsigned char>(raw[3]);
    return raw[0] == 0 && raw[1] == 0 && named == algorithm.size() && raw.compare(4, named, algorithm) == 0;
}

bool fits(const std::string& architecture, const std::vector<std::string>& architectures) {
    return architectures.empty() || std::find(architectures.begin(), architectures.end(), architecture) != architectures.end();
}

Called<std::vector<Image>> list_images(Client& cloud, const Parameters& parameters) {
    std::vector<Image> found;
    TRY(cloud.pages("DescribeImages", parameters, [&](Node page) {
        for (const auto item : list_of(page, "imagesSet")) {
            Image image{text_of(item, "imageId"), text_of(item, "name"), text_of(item, "imageOwnerId"), text_of(item, "architecture"), text_of(item, "rootDeviceName"), 0,
                        text_of(item, "creationDate")};
            for (const auto disk : list_of(item, "blockDeviceMapping")) {
                if (text_of(disk, "deviceName") == image.root_device) image.root_gib = number_of(disk, "ebs/volumeSize");
            }
            found.push_back(std::move(image));
        }
    }));
    return found;
}

struct SecurityGroup {
    std::string id;
    std::string name;
    bool lets_in = false;                 // it has a rule
};
Called<std::vector<SecurityGroup>> list_groups(Client& cloud, const Parameters& parameters) {
    std::vector<SecurityGroup> found;
    TRY(cloud.pages("DescribeSecurityGroups", parameters, [&](Node page) {
        for (const auto item : list_of(page, "securityGroupInfo")) {
            found.push_back({text_of(item, "groupId"), text_of(item, "groupName"), !list_of(item, "ipPermissions").empty()});
        }
    }));
    return found;
}

Called<std::string> default_vpc(Client& cloud) {
    std::string id;
    TRY(cloud.pages("DescribeVpcs", {{"Filter.1.Name", "is-default"}, {"Filter.1.Value.1", "true"}}, [&](Node page) {
        for (const auto item : list_of(page, "vpcSet")) id = text_of(item, "vpcId");
    }));
    if (id.empty()) return wrong(FaultClass::configuration, fmt::format("region {} has no default VPC: make one (`aws ec2 create-default-vpc`), or name a subnet in [instances]", cloud.setup().region));
    return id;
}

Called<void> let_in(Client& cloud, const std::string& group, const std::vector<std::string>& from) {
    Parameters rule{{"GroupId", group}, {"IpPermissions.1.IpProtocol", "tcp"}, {"IpPermissions.1.FromPort", "22"}, {"IpPermissions.1.ToPort", "22"}};
    std::size_t v4 = 0, v6 = 0;
    for (const auto& range : from) {
        if (range.find(':') == std::string::npos) rule.emplace_back(fmt::format("IpPermissions.1.IpRanges.{}.CidrIp", ++v4), range);
        else rule.emplace_back(fmt::format("IpPermissions.1.Ipv6Ranges.{}.CidrIpv6", ++v6), range);
    }
    if (v4 + v6 == 0) return {};
    const auto done = cloud.call("AuthorizeSecurityGroupIngress", rule);
    if (!done && done.error().code != "InvalidPermission.Duplicate") return tl::make_unexpected(done.error());
    return {};
}

}  // namespace

Called<Image> find_image(Client& cloud, const std::string& wanted, const std::vector<std::string>& architectures) {
    const auto slash = wanted.find('/');
    const bool by_id = wanted.starts_with("ami-");
    if (!by_id && slash == std::string::npos) {
        return wrong(FaultClass::configuration, fmt::format("image '{}' is neither an id (ami-…) nor an owner and a name (099720109477/ubuntu/images/*24.04*)", wanted));
    }
    Parameters parameters;
    if (by_id) parameters.emplace_back("ImageId.1", wanted);
    else parameters = {{"Owner.1", wanted.substr(0, slash)}, {"Filter.1.Name", "name"}, {"Filter.1.Value.1", wanted.substr(slash + 1)},
                       {"Filter.2.Name", "state"}, {"Filter.2.Value.1", "available"}};
    auto found = TRY(list_images(cloud, parameters));
    const auto seen = found.size();
    std::erase_if(found, [&](const Image& image) { return !fits(image.architecture, architectures); });
    const auto newest = std::max_element(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.created < b.created; });
    if (newest == found.end()) {
        return wrong(FaultClass::missing, seen == 0 ? fmt::format("no image '{}' in region {}; check owner, name and region (`aws ec2 describe-images`)", wanted, cloud.setup().region)
                                                    : fmt::format("image '{}' is not of the machine's architecture ({}); name another image or type", wanted, fmt::join(architectures, ", ")));
    }
    return std::move(*newest);
}

Called<std::vector<std::string>> check_type(Client& cloud, const std::string& type, const std::string& zone) {
    std::vector<std::string> architectures;
    const auto known = cloud.pages("DescribeInstanceTypes", {{"InstanceType.1", type}}, [&](Node page) {
        for (const auto item : list_of(page, "instanceTypeSet")) {
            for (const auto one : list_of(item, "processorInfo/supportedArchitectures")) architectures.emplace_back(one.text().get());
        }
    });
    if (!known && known.error().code != "InvalidInstanceType") return tl::make_unexpected(known.error());
    if (architectures.empty()) return wrong(FaultClass::configuration, fmt::format("no machine type '{}' in region {}; `aws ec2 describe-instance-types` lists them", type, cloud.setup().region));
    if (zone.empty()) return architectures;
    std::set<std::string> zones;
    TRY(cloud.pages("DescribeInstanceTypeOfferings", {{"LocationType", "availability-zone"}, {"Filter.1.Name", "instance-type"}, {"Filter.1.Value.1", type}}, [&](Node page) {
        for (const auto item : list_of(page, "instanceTypeOfferingSet")) zones.insert(text_of(item, "location"));
    }));
    if (!zones.contains(zone)) {
        return wrong(FaultClass::configuration, fmt::format("zone {} has no {}; {}", zone, type,
                                                            zones.empty() ? fmt::format("no zone of region {} has it: take another type", cloud.setup().region)
                                                                          : fmt::format("these have: {}", fmt::join(zones, ", "))));
    }
    return architectures;
}

Result<PublicKey> read_public_key(std::string_view text, const std::string& origin) {
    const auto line = trimmed_outside(std::string{text});
    if (line.find("PRIVATE KEY") != std::string::npos) return fail(ErrorKind::invalid, "{} is a private key, which belongs to nobody but you; give its .pub", origin);
    if (line.find("BEGIN") != std::string::npos) return fail(ErrorKind::invalid, "{} is no OpenSSH public key but another format; `ssh-keygen -i -f FILE` converts it", origin);
    if (line.empty() || line.size() > key_chars_max || line.find('\n') != std::string::npos) return fail(ErrorKind::invalid, "{} is no public key: one line was expected, as in ~/.ssh/id_ed25519.pub", origin);
    const auto gap = line.find(' ');
    const auto algorithm = line.substr(0, gap);
    const auto blob = gap == std::string::npos ? std::string{} : line.substr(gap + 1, line.find(' ', gap + 1) - gap - 1);
    if (algorithm != "ssh-ed25519" && algorithm != "ssh-rsa") {
        return fail(ErrorKind::invalid, "{} is no public key that EC2 takes: it begins with '{}', not with ssh-ed25519 or ssh-rsa; `ssh-keygen -t ed25519` makes one", origin, algorithm.substr(0, 40));
    }
    if (!blob_is_of(blob, algorithm)) return fail(ErrorKind::invalid, "{} is a damaged public key: what follows {} is not one; copy the whole line", origin, algorithm);
    return PublicKey{line, hex_of_sha256(blob).substr(0, 12)};
}

Called<std::string> keep_key_pair(Client& cloud, const std::string& cluster, const PublicKey& key) {
    const auto name = fmt::format("{}-{}", cluster, key.mark);
    Parameters wanted{{"KeyName", name}, {"PublicKeyMaterial", base64(key.line)}};
    add_tag_specification(wanted, 1, "key-pair", {{cluster_tag, cluster}});
    const auto done = cloud.call("ImportKeyPair", wanted);
    if (!done && done.error().code != "InvalidKeyPair.Duplicate") return tl::make_unexpected(done.error());
    return name;
}

Called<std::string> keep_ssh_group(Client& cloud, const std::string& cluster, const std::string& vpc, const std::vector<std::string>& from) {
    const auto name = fmt::format("{}-ssh", cluster);
    const auto where = vpc.empty() ? TRY(default_vpc(cloud)) : vpc;
    const Parameters that{{"Filter.1.Name", "group-name"}, {"Filter.1.Value.1", name}, {"Filter.2.Name", "vpc-id"}, {"Filter.2.Value.1", where}};
    auto known = TRY(list_groups(cloud, that));
    if (known.empty()) {
        Parameters wanted{{"GroupName", name}, {"GroupDescription", "ssh-to-instances-of-berth"}, {"VpcId", where}};
        add_tag_specification(wanted, 1, "security-group", {{cluster_tag, cluster}});
        const auto made = cloud.call("CreateSecurityGroup", wanted);
        if (made) known.push_back({text_of(made->result(), "groupId"), name, false});
        else if (made.error().code == "InvalidGroup.Duplicate") known = TRY(list_groups(cloud, that));     // somebody was faster
        else return tl::make_unexpected(made.error());
    }
    if (known.empty()) return wrong(FaultClass::broken, fmt::format("security group {} is there and is not listed; try again", name));
    if (!known.front().lets_in) TRY(let_in(cloud, known.front().id, from));
    return known.front().id;
}

Called<std::string> find_security_group(Client& cloud, const std::string& wanted) {
    const auto known = TRY(list_groups(cloud, {{"Filter.1.Name", wanted.starts_with("sg-") ? "group-id" : "group-name"}, {"Filter.1.Value.1", wanted}}));
    if (known.empty()) return wrong(FaultClass::missing, fmt::format("no security group '{}' in region {}; leave --security-group out and berth makes one", wanted, cloud.setup().region));
    return known.front().id;
}

Called<std::vector<std::string>> drop_unused(Client& cloud, const std::string& cluster, const Machines& machines) {
    std::set<std::string> used;
    for (const auto& [id, machine] : machines) {
        if (machine.state == "terminated") continue;
        used.insert(machine.security_groups.begin(), machine.security_groups.end());
        used.insert(machine.key);
    }
    const Parameters ours{{"Filter.1.Name", std::string{"tag:"} + cluster_tag}, {"Filter.1.Value.1", cluster}};
    std::vector<std::string> dropped;
    for (const auto& group : TRY(list_groups(cloud, ours))) {
        if (used.contains(group.id) || group.name != fmt::format("{}-ssh", cluster)) continue;
        const auto done = cloud.call("DeleteSecurityGroup", {{"GroupId", group.id}});
        if (done) dropped.push_back(group.name);
        else if (done.error().code != "DependencyViolation" && done.error().kind != FaultClass::missing) return tl::make_unexpected(done.error());
    }
    std::vector<std::string> keys;
    const auto pairs = TRY(cloud.call("DescribeKeyPairs", ours));
    for (const auto item : list_of(pairs.result(), "keySet")) keys.push_back(text_of(item, "keyName"));
    for (const auto& key : keys) {
        if (used.contains(key)) continue;
        TRY(cloud.call("DeleteKeyPair", {{"KeyName", key}}));
        dropped.push_back(key);
    }
    return dropped;
}

}  // namespace berth::aws
