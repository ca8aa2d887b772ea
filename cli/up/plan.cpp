// SPDX-License-Identifier: Apache-2.0
#include "cli/up/plan.hpp"

#include <algorithm>
#include <filesystem>

namespace berth::cli {

namespace {

void set_number(std::vector<Setting>& to, const std::optional<std::uint32_t>& value, const char* section,
                const char* key, const char* flag) {
    if (value) to.push_back({section, key, fmt::format("{}", *value), flag});
}

}  // namespace

Result<Setting> parse_set(const std::string& text) {
    const auto equals = text.find('=');
    const auto dot = text.rfind('.', equals);
    if (equals == std::string::npos || dot == std::string::npos || dot == 0 || dot + 1 == equals) {
        return fail(ErrorKind::invalid, "--set wants section.key=value, as in --set reaper.period=1s; it got '{}'", text);
    }
    return Setting{text.substr(0, dot), text.substr(dot + 1, equals - dot - 1), text.substr(equals + 1), "--set"};
}

Result<std::vector<Setting>> settings_of(const UpFlags& flags) {
    std::vector<Setting> settings;
    set_number(settings, flags.port, "gateway", "port", "--port");
    set_number(settings, flags.hosts_max, "pool.default", "hosts_max", "--hosts-max");
    set_number(settings, flags.buffer, "pool.default", "buffer", "--buffer");
    set_number(settings, flags.slots, "pool.default", "slots_per_host", "--slots");
    if (!flags.image.empty()) settings.push_back({"docker", "image", flags.image, "--image"});
    for (const auto& text : flags.sets) settings.push_back(TRY(parse_set(text)));
    return settings;
}

std::string environment_name(const Setting& setting) {
    std::string name = "BERTH_" + setting.section + "_" + setting.key;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
        return std::isalnum(c) != 0 ? static_cast<char>(std::toupper(c)) : '_';
    });
    return name;
}

std::vector<std::string> known_sections() {
    return {"allocator", "broker", "compat", "docker", "edge", "front", "gateway", "hostagent", "instances", "ledger", "oidc", "pool", "projector", "provider", "proxy", "reaper", "scaler"};
}

std::string named_socket(const std::string& docker_host) {
    constexpr std::string_view scheme = "unix://";
    return docker_host.starts_with(scheme) ? docker_host.substr(scheme.size()) : std::string{};
}

std::vector<std::string> sockets_to_ask(const std::string& docker_host, const std::string& runtime_dir,
                                        const std::string& private_socket) {
    if (auto named = named_socket(docker_host); !named.empty()) return {std::move(named)};
    std::vector<std::string> sockets;
    sockets.push_back(private_socket);  // ours of an earlier run: its containers are there
    sockets.push_back("/var/run/docker.sock");
    sockets.push_back("/run/podman/podman.sock");
    if (!runtime_dir.empty()) sockets.push_back(runtime_dir + "/podman/podman.sock");
    std::vector<std::string> once;
    for (auto& socket : sockets) {
        if (std::find(once.begin(), once.end(), socket) == once.end()) once.push_back(std::move(socket));
    }
    return once;
}

Result<EngineChoice> choose_engine(EngineWanted wanted, const EngineFacts& facts) {
    if (wanted == EngineWanted::process) {
        return EngineChoice{EngineKind::use_process, "", "process: plain processes without a container, as asked"};
    }
    for (const auto& answer : facts.answers) {
        if (answer.api.empty()) continue;
        if (!facts.is_root) {
            return fail(ErrorKind::denied,
                        "the container engine at {} answers, but only root can mount homes into its containers. Use `sudo berth up`, or "
                        "`berth up --engine process`: plain processes of this user, NOT isolated from each other", answer.socket);
        }
        const auto whose = answer.socket == facts.private_socket ? " (ours, of an earlier run)" : "";
        return EngineChoice{EngineKind::use_docker, answer.socket,
                            fmt::format("docker at {}, API {}{}", answer.socket, answer.api, whose)};
    }
    std::string tried;
    for (const auto& answer : facts.answers) {
        if (facts.named && wanted == EngineWanted::docker) {
            return fail(ErrorKind::unavailable,
                        "the container engine that DOCKER_HOST names does not answer ({}: {}). Start it, unset DOCKER_HOST, or "
                        "use --engine process",
                        answer.socket, answer.problem.empty() ? "there is no socket" : answer.problem);
        }
        if (!answer.problem.empty()) tried += fmt::format("; {}: {}", answer.socket, answer.problem);
    }
    if (!facts.dockerd.empty() && facts.is_root && facts.other_dockerd != 0) {
        return fail(ErrorKind::conflict,
                    "a dockerd runs on this machine (pid {}), but not on a socket that was asked{}. A second one would take the "
                    "rules of its published ports away. Name its socket with DOCKER_HOST=unix://PATH, end it, or use --engine process",
                    facts.other_dockerd, tried);
    }
    if (!facts.dockerd.empty() && facts.is_root) {
        return EngineChoice{EngineKind::start_docker, facts.private_socket,
                            fmt::format("none answers{}; starting a private dockerd, which adds the bridge docker0 and its "
                                        "iptables rules", tried)};
    }
    const auto missing = facts.dockerd.empty() ? "no dockerd is installed (apt-get install docker.io)"
                                               : "only root can start a private dockerd";
    if (wanted == EngineWanted::docker) {
        return fail(ErrorKind::unavailable, "no container engine answers{}, and {}. Start one, or use --engine process",
                    tried, missing);
    }
    return EngineChoice{EngineKind::use_process, "",
                        fmt::format("process: no container engine answers{}, and {}. Workspaces run as plain "
                                    "processes of this user, NOT isolated from each other",
                                    tried, missing)};
}

std::vector<std::string> dockerd_arguments(const std::string& dockerd, const std::string& folder) {
    return {dockerd,
            "--data-root", folder + "/data",
            "--exec-root", folder + "/exec",
            "--pidfile", folder + "/docker.pid",
            "-H", "unix://" + folder + "/docker.sock",
            "--userland-proxy=false",
            "--log-level", "warn"};
}

std::vector<Service> services_of(const UpFlags& flags, const std::string& programs) {
    std::vector<Service> services;
    for (const std::string name : {"broker", "allocator", "gateway", "reaper", "scaler"}) {
        Service service{name,
                        {programs + "/berth-" + name, "--config", flags.state + "/berth.toml", "--state", flags.state},
                        flags.state + "/log/" + name + ".log",
                        flags.state + "/run/" + name + ".ready",
                        flags.state + "/run/" + name + ".pid"};
        if (!flags.log_level.empty()) {
            service.arguments.push_back("--log-level");
            service.arguments.push_back(flags.log_level);
        }
        services.push_back(std::move(service));
    }
    return services;
}

std::vector<std::string> ending_arguments(const std::string& state, const std::string& host, const std::string& programs) {
    return {programs + "/berth-hostagent", "--config", state + "/berth.toml", "--state", state + "/hosts/" + host,
            "--host-id", host, "--end-environments"};
}

std::vector<KeyWanted> keys_of_one_machine() {
    return {{"broker", Role::broker}, {"allocator", Role::allocator}, {"scaler", Role::scaler},
            {"reaper", Role::reaper}, {"gateway", Role::gateway},     {"cli", Role::client},  {"edge", Role::tap},
            {"projector", Role::tap}};
}

Result<std::string> state_folder(const std::string& flag, const std::map<std::string, std::string>& environment,
                                 const std::string& working_folder) {
    const auto from = [&](const char* name) {
        const auto at = environment.find(name);
        return at == environment.end() ? std::string{} : at->second;
    };
    std::string folder = flag;
    if (folder.empty()) folder = from("BERTH_STATE");
    if (folder.empty() && !from("XDG_STATE_HOME").empty()) folder = from("XDG_STATE_HOME") + "/berth";
    if (folder.empty() && !from("HOME").empty()) folder = from("HOME") + "/.local/state/berth";
    if (folder.empty()) {
        return fail(ErrorKind::invalid, "no place for the state: give --state DIR, or set BERTH_STATE or HOME");
    }
    auto path = std::filesystem::path(folder);
    if (path.is_relative()) path = std::filesystem::path(working_folder) / path;
    auto text = path.lexically_normal().string();
    while (text.size() > 1 && text.back() == '/') text.pop_back();
    return text;
}

}  // namespace berth::cli
