// SPDX-License-Identifier: Apache-2.0
#include "gateway/enrolment.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "base/config.hpp"
#include "bus/keys.hpp"
#include "gateway/tokens.hpp"

namespace berth::gateway {

namespace {

constexpr std::array sections{"hostagent", "docker", "proxy"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> of_this_machine{
    {{"hostagent", "process_command"}, {"hostagent", "proxy_program"}, {"hostagent", "restic_program"}, {"hostagent", "end_notice_file"},
     {"docker", "socket"}, {"docker", "cluster"},
     {"docker", "image_tar"}, {"proxy", "listen_address"}, {"proxy", "tls_certificate"}, {"proxy", "tls_key"}, {"proxy", "port_moves"}}};

bool is_of_this_machine(std::string_view section, std::string_view key) {
    return std::any_of(of_this_machine.begin(), of_this_machine.end(),
                       [&](const auto& one) { return one.first == section && one.second == key; });
}

// Goes into TOML, and into a Location.
bool is_plain(std::string_view url) {
    return !url.empty() && std::all_of(url.begin(), url.end(), [](unsigned char c) { return std::isalnum(c) != 0 || std::string_view{".:/[]-_"}.find(static_cast<char>(c)) != std::string_view::npos; });
}

std::string keys_of(const std::string& state) { return state + "/keys"; }

}  // namespace

Result<HostSettings> read_host_settings(const std::string& config) {
    HostSettings settings;
    if (config.empty()) return settings;
    toml::table root;
    try {
        root = toml::parse_file(config);
    } catch (const toml::parse_error& error) {
        return fail(ErrorKind::invalid, "{}:{}: {}", config, error.source().begin.line, std::string{error.description()});
    }
    for (const char* section : sections) {
        const auto* table = root[section].as_table();
        if (table == nullptr) continue;
        for (const auto& [key, node] : *table) {
            if (is_of_this_machine(section, key.str())) continue;
            std::ostringstream literal;
            node.visit([&](const auto& value) { literal << value; });
            settings[section][std::string{key.str()}] = literal.str();
        }
    }
    return settings;
}

Result<std::string> broker_for_hosts(const std::string& state, const std::string& asked_at) {
    const auto file = TRY(Config::load(state + "/bus.toml"));
    const auto setting = file.find("bus", "requests_hosts");
    if (!setting || setting->value.empty()) {
        return fail(ErrorKind::unavailable, "the broker listens to its own machine alone: set [broker] requests_hosts = \"tcp://0.0.0.0:9094\" "
                                            "in the configuration of the control plane and start it again");
    }
    const auto& address = setting->value;
    const auto port = address.substr(address.rfind(':'));
    for (const std::string_view any : {"tcp://0.0.0.0:", "tcp://[::]:", "tcp://*:"}) {
        if (address.starts_with(any)) return fmt::format("tcp://{}{}", asked_at, port);
    }
    return address;
}

Result<EnrolAnswer> enrol_machine(const std::string& state, const HostSettings& settings, const EnrolWish& wish) {
    const auto& host = wish.machine.host.value;
    EnrolAnswer answer{.requests = TRY(broker_for_hosts(state, wish.asked_at)), .broker_key = TRY(bus::load_broker_key(keys_of(state))),
                       .settings = settings};
    const auto known = TRY(bus::load_peers(keys_of(state)));
    const auto of_name = std::find_if(known.begin(), known.end(), [&](const auto& entry) { return entry.second.name == host; });
    if (of_name != known.end() && of_name->first != wish.public_key) {
        return fail(ErrorKind::conflict, "{0} is enrolled with another key: give this machine another name (--name); or, if it took the place of the "
                                         "old one, say that that is off (berth hosts end {0} --force) and join again", host);
    }
    // What the book will say of the key is known before a use of the token is taken.
    if (const auto of_key = known.find(wish.public_key); of_key != known.end() && of_key->second.name != host) {
        return fail(ErrorKind::conflict, "the key of {} is enrolled already, as {}: a machine has one name; remove its folder to start anew", host,
                    of_key->second.name);
    }
    if (auto& of_proxy = answer.settings["proxy"]; !of_proxy.contains("gateway_url") && is_plain(wish.gateway_url)) {
        of_proxy["gateway_url"] = "\"" + wish.gateway_url + "\"";
    }
    TRY(note_machine(state, wish.machine));
    answer.fresh = TRY(bus::enrol_key(keys_of(state), host, Role::host, wish.public_key));
    return answer;
}

Result<void> cut_off_machine(const std::string& state, const HostId& host) {
    const auto revoked = bus::revoke_key(keys_of(state), host.value);
    if (!revoked && revoked.error().kind != ErrorKind::not_found) return fail(revoked.error());
    return forget_machine(state, host);
}

}  // namespace berth::gateway
