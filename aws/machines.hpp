// SPDX-License-Identifier: Apache-2.0
// EC2's machines: as they are listed, and as they are made of a recipe. A recipe's token makes the same machine
// once, however often it is called for; its tags are there from the machine's first moment, so that no crash
// leaves one that nobody knows.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aws/query.hpp"

namespace berth::aws {

using Tags = std::map<std::string, std::string>;

/// An instance as DescribeInstances has it.
struct Machine {
    std::string id;
    std::string state;                    // "running", "shutting-down", …
    std::string type;
    std::string zone;
    std::string image;
    std::string vpc;
    std::string key;                      // its key pair's name
    std::vector<std::string> security_groups;    // ids
    std::string public_address;
    std::string private_address;
    std::optional<Instant> launched_at;   // of its last start
    bool spot = false;
    std::string state_reason;             // "Server.SpotInstanceTermination: …", "Client.InvalidKMSKey…"
    std::string transition;               // "User initiated (2026-11-27 10:00:00 GMT)"
    Tags tags;

    std::string tag(const std::string& name) const;
};
using Machines = std::map<std::string, Machine>;

Machine read_machine(Node node);
/// All pages of DescribeInstances with these parameters.
Called<Machines> describe(Client& cloud, Parameters parameters);
/// Those with that tag's value, in any state that EC2 still lists.
Called<Machines> find_tagged(Client& cloud, const std::string& tag, const std::vector<std::string>& values);

struct Recipe {
    std::string token;                    // at most 60 characters
    std::string image;                    // "ami-…"
    std::string type;
    std::string zone;                     // empty: Amazon's choice, or the subnet's
    std::string subnet;                   // empty: the default one
    std::vector<std::string> security_groups;    // ids; none: the VPC's default one
    std::string key;                      // a key pair's name; empty: none
    std::string user_data;                // as it is
    std::string role;                     // an instance profile's name; empty: none
    bool spot = false;
    std::string spot_price_max;           // US dollars per hour; empty: up to the on-demand price
    bool encrypted = false;
    std::string encryption_key;           // of KMS; empty: the account's for EBS
    std::string root_device;              // "/dev/sda1"; needed for the next and for `encrypted`
    std::int64_t volume_gib = 0;          // 0: the image's
    Tags tags;                            // of it and of its volumes
};
/// RunInstances of one. Metadata only by tokens and not over a hop, tags readable from inside; a shutdown from inside
/// stops it, or ends a spot one, which can not be stopped.
Called<Machine> launch(Client& cloud, const Recipe& recipe);
/// As a spot machine when the recipe says so, and on demand when there is none to be had now: `why_not_spot` says it then.
struct Launched {
    Machine machine;
    std::string why_not_spot;
};
Called<Launched> launch_or_fall_back(Client& cloud, Recipe recipe);

Called<void> set_tags(Client& cloud, const std::vector<std::string>& resources, const Tags& tags);
/// StartInstances, StopInstances, TerminateInstances.
Called<void> change_state(Client& cloud, const char* action, const std::vector<std::string>& ids);

/// "Prefix.n.Key" and "Prefix.n.Value" of each.
void add_tags(Parameters& to, const std::string& prefix, const Tags& tags);
/// A TagSpecification of that kind of resource, as the given one of the call.
void add_tag_specification(Parameters& to, int number, const std::string& resource, const Tags& tags);
std::string base64(std::string_view bytes);

}  // namespace berth::aws
