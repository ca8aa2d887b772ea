// SPDX-License-Identifier: Apache-2.0
// Instances with a time to live on the command line: `berth create` without a project, and what the other verbs do when
// they are given --instance-id. All that is known of one stands in its tags on EC2 (instances/).
#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"
#include "instances/rental.hpp"

namespace berth::cli {

struct InstanceFlags {
    std::string provider;
    std::string instance_type;
    std::string zone;
    std::string public_key;               // a file, or the key itself
    std::string image;
    std::string ssh_user;
    std::string security_group;
    std::string name;
    bool spot = false;
    bool encrypt = false;
    // These the command has for claims, too.
    std::string duration;
    std::string key;
    bool no_wait = false;

    /// The first flag of an instance that was given; empty: none.
    std::string first_given() const;
};
void add_instance_flags(CLI::App* command, InstanceFlags& flags);

/// Whether that id is EC2's and of no machine of the berth that runs here.
bool is_of_ec2(const Shared& shared, const std::string& id);
/// Something was made from this state folder.
bool has_made_instances(const Shared& shared);

Result<Exit> create_instance(const Shared& shared, const InstanceFlags& flags);
Result<Exit> show_instance(const Shared& shared, const std::string& id);
Result<Exit> list_instances(const Shared& shared, const std::vector<std::string>& regions, bool all);
Result<Exit> extend_instance(const Shared& shared, const std::string& id, Duration by);
Result<Exit> stop_instance(const Shared& shared, const std::string& id);
Result<Exit> start_instance(const Shared& shared, const std::string& id, bool no_wait);

/// [instances] of the configuration that `berth up` would read.
Result<instances::Policy> instances_policy();
/// <state>/instances.regions: where to look, beside what is configured. A hint and nothing more.
std::vector<std::string> hinted_regions(const Shared& shared);
/// Waits, but no longer than until Ctrl-C.
void pause_or_interrupt(Duration wait);

}  // namespace berth::cli
