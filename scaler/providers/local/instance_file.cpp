// SPDX-License-Identifier: Apache-2.0
#include "scaler/providers/local/instance_file.hpp"


#include <nlohmann/json.hpp>

#include "os/files.hpp"

namespace berth::scaler {

namespace {

using Json = nlohmann::json;

LocalInstance from(const Json& json) {
    LocalInstance instance;
    instance.host = json.at("host").get<std::string>();
    instance.launch.value = json.at("launch").get<std::string>();
    instance.incarnation.value = json.at("incarnation").get<std::string>();
    instance.pool.value = json.at("pool").get<std::string>();
    instance.slots = json.at("slots").get<std::uint32_t>();
    instance.address = json.at("address").get<std::string>();
    instance.proxy_port = json.at("proxy_port").get<std::uint32_t>();
    instance.state = enum_from<InstanceState>(json.at("state").get<std::string>()).value();
    instance.protected_from_scale_in = json.at("protected").get<bool>();
    instance.launched_at = from_rfc3339(json.at("launched_at").get<std::string>()).value();
    if (json.contains("ended_at")) instance.ended_at = from_rfc3339(json.at("ended_at").get<std::string>()).value();
    return instance;
}

}  // namespace

Result<LocalInstance> read_instance(const std::string& path) {
    const auto text = TRY(os::read_file(path));
    try {
        return from(Json::parse(text));
    } catch (const std::exception& error) {  // of the JSON library, an enum or a date
        return fail(ErrorKind::corrupt, "{} is no instance of ours ({}): put it right, or move its folder away", path, error.what());
    }
}

Result<void> write_instance(const std::string& path, const LocalInstance& instance) {
    Json json{{"host", instance.host},
              {"launch", instance.launch.value},
              {"incarnation", instance.incarnation.value},
              {"pool", instance.pool.value},
              {"slots", instance.slots},
              {"address", instance.address},
              {"proxy_port", instance.proxy_port},
              {"state", std::string{to_string(instance.state)}},
              {"protected", instance.protected_from_scale_in},
              {"launched_at", to_rfc3339(instance.launched_at)}};
    if (instance.ended_at) json["ended_at"] = to_rfc3339(*instance.ended_at);
    return os::write_file(path, json.dump(2) + "\n");
}

Instance to_instance(const LocalInstance& instance) {
    return {.instance = instance.host,
            .incarnation = instance.incarnation,
            .launch = instance.launch,
            .pool = instance.pool,
            .state = instance.state,
            .launched_at = instance.launched_at,
            .protected_from_scale_in = instance.protected_from_scale_in};
}

}  // namespace berth::scaler
