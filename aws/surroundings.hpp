// SPDX-License-Identifier: Apache-2.0
// What a machine needs around it: an image, a type that its zone has, a key pair, a security group. The last two berth
// makes when they are not there, marks them as its own, and removes them when no machine uses them.
#pragma once

#include <string>
#include <vector>

#include "aws/machines.hpp"

namespace berth::aws {

struct Image {
    std::string id;
    std::string name;
    std::string owner;
    std::string architecture;             // "x86_64", "arm64"
    std::string root_device;
    std::int64_t root_gib = 0;
    std::string created;                  // RFC 3339; the greatest is the newest
};
/// An id ("ami-…"), or the newest that is to be had of an owner and name: "099720109477/ubuntu/images/*24.04*", where the
/// owner is an account, "self" or "amazon" and the name may hold '*'. Its architecture has to be one of these.
Called<Image> find_image(Client& cloud, const std::string& wanted, const std::vector<std::string>& architectures);

/// The architectures of that type. `missing` or `configuration` when there is none of that name, and when the zone
/// has none of it: the zones that have are named.
Called<std::vector<std::string>> check_type(Client& cloud, const std::string& type, const std::string& zone);

struct PublicKey {
    std::string line;                     // "ssh-ed25519 AAAA… comment"
    std::string mark;                     // twelve hexadecimal digits of its SHA-256
};
/// One line of OpenSSH's; an error that says what it is instead. `origin` is the file's name, or "--public-key".
Result<PublicKey> read_public_key(std::string_view text, const std::string& origin);
/// Its key pair "<cluster>-<mark>"; the name.
Called<std::string> keep_key_pair(Client& cloud, const std::string& cluster, const PublicKey& key);

/// The group "<cluster>-ssh" of that VPC (empty: the default one): in on port 22 alone, from these; its id.
Called<std::string> keep_ssh_group(Client& cloud, const std::string& cluster, const std::string& vpc, const std::vector<std::string>& from);
/// By an id or a name.
Called<std::string> find_security_group(Client& cloud, const std::string& wanted);

/// Removes those groups and key pairs of ours that no machine of these uses; their names.
Called<std::vector<std::string>> drop_unused(Client& cloud, const std::string& cluster, const Machines& machines);

inline constexpr const char* cluster_tag = "berth:cluster";

}  // namespace berth::aws
