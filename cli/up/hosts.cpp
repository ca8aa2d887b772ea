// SPDX-License-Identifier: Apache-2.0
#include "cli/up/hosts.hpp"

#include <algorithm>
#include <filesystem>

#include "cli/up/processes.hpp"
#include "os/mounts.hpp"

namespace berth::cli {

namespace {

std::vector<std::string> folders_in(const std::string& path) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
        if (entry.is_directory(error)) names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

std::vector<LocalHost> local_hosts(const std::string& state) {
    std::vector<LocalHost> hosts;
    for (const auto& name : folders_in(state + "/hosts")) {
        const auto folder = state + "/hosts/" + name;
        LocalHost host{name, {}, {}};
        if (const auto pid = running_pid(folder + "/agent.pid", "berth-hostagent")) host.agents.push_back(*pid);
        if (const auto pid = running_pid(folder + "/proxy.pid", "berth-proxy")) host.proxies.push_back(*pid);
        hosts.push_back(std::move(host));
    }
    return hosts;
}

std::vector<std::string> unmount_below(const std::string& folder) {
    std::vector<std::string> left;
    for (const auto& point : os::mounts_below(folder).value_or(std::vector<std::string>{})) {
        if (!os::unmount(point)) left.push_back(point);
    }
    return left;
}

}  // namespace berth::cli
