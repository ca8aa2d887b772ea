// SPDX-License-Identifier: Apache-2.0
#include "projector/picture.hpp"

#include <fmt/format.h>

namespace berth::projector {

namespace {

constexpr const char* version = "1";

std::string number(double share) { return fmt::format("{:.3f}", share); }

const Load* load_of(const Loads& loads, const HostView& host) {
    const auto at = loads.find(host.host);
    return at != loads.end() && at->second.incarnation == host.incarnation ? &at->second : nullptr;
}

/// In the words of who asks for a machine.
std::string status_of(const HostView& host) {
    if (host.liveness != Liveness::live) return "unreachable";
    if (host.admission == Admission::draining) return "draining";
    if (host.admission == Admission::cordoned) return "cordoned";
    if (host.impaired) return "impaired";
    return host.ready() > 0 ? "idle" : "used";
}

}  // namespace

Picture redis_picture(const View& view, const Loads& loads) {
    Picture picture;
    picture[head_key] = {{"version", version}, {"ledger", view.ledger}, {"position", std::to_string(view.position.value)}};
    for (const auto& [id, workspace] : view.workspaces) {
        if (workspace.state == WorkspaceState::destroyed) continue;
        picture["container:" + id.value] = {{"state", std::string{to_string(workspace.state)}},
                                            {"user", workspace.user.value},
                                            {"project", workspace.project.value},
                                            {"pool", workspace.pool.value},
                                            {"host", workspace.host.value},
                                            {"slot", std::to_string(workspace.slot)},
                                            {"epoch", std::to_string(workspace.epoch.value)},
                                            {"container", workspace.container.value},
                                            {"url", workspace.url},
                                            {"expires_at", to_rfc3339(workspace.expires_at)}};
        if (workspace.leased) {
            picture["user:" + workspace.user.value][workspace.project.value] =
                fmt::format("{} {} {}", id.value, workspace.host.value, workspace.container.value);
        }
    }
    for (const auto& [id, host] : view.hosts) {
        if (host.liveness == Liveness::gone) continue;
        auto& fields = picture["host:" + id.value] = {{"state", status_of(host)},
                                                      {"pool", host.pool.value},
                                                      {"instance", host.instance},
                                                      {"public_ip", host.public_ip},
                                                      {"private_ip", host.private_ip},
                                                      {"slots", std::to_string(host.slots.size())},
                                                      {"ready", std::to_string(host.ready())},
                                                      {"leased", std::to_string(host.count(SlotUse::leased))}};
        if (const auto* load = load_of(loads, host)) {
            fields["cpu"] = number(load->load.cpu);
            fields["memory"] = number(load->load.memory);
            fields["disk"] = number(load->load.disk);
            fields["containers"] = std::to_string(load->load.containers);
            fields["last_heartbeat"] = to_rfc3339(load->at);
        }
    }
    return picture;
}

Picture pool_picture(const View& view, const Loads& loads) {
    Picture picture;
    std::map<HostId, std::string> keys;
    for (const auto& [id, host] : view.hosts) {
        if (host.liveness == Liveness::gone) continue;
        const auto& key = keys[id] = host.instance.empty() ? id.value : host.instance;
        auto& fields = picture[key] = {{"status", status_of(host)}};
        if (!host.public_ip.empty()) fields["publicIp"] = host.public_ip;
        if (!host.private_ip.empty()) fields["privateIp"] = host.private_ip;
        if (const auto* load = load_of(loads, host)) fields["lastHeartbeat"] = to_rfc3339(load->at);
    }
    // Of a machine that several share, who has it longest.
    std::map<std::string, Instant> latest;
    for (const auto& [id, workspace] : view.workspaces) {
        const auto key = keys.find(workspace.host);
        if (!workspace.leased || key == keys.end()) continue;
        const auto known = latest.find(key->second);
        if (known != latest.end() && known->second >= workspace.expires_at) continue;
        latest[key->second] = workspace.expires_at;
        picture[key->second]["leaseExpiry"] = to_rfc3339(workspace.expires_at);
        picture[key->second]["userId"] = workspace.user.value;
    }
    return picture;
}

}  // namespace berth::projector
