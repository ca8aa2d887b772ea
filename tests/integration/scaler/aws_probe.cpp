// SPDX-License-Identifier: Apache-2.0
// A provider of aws as the scaler's worker would call it, for tests in Python: the first line is the
// configuration (TOML in a JSON string), then a line of JSON in, a line of JSON out. "again" forgets all, as the
// next scaler does.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/diagnostics.hpp"
#include "scaler/providers/aws/asg.hpp"
#include "scaler/providers/aws/ec2.hpp"

namespace berth {
namespace {

using Json = nlohmann::json;

Json shown(const std::optional<scaler::ProviderError>& error) {
    return error ? Json{{"failure", to_string(error->failure)}, {"text", error->text}} : Json{};
}

struct Probe {
    RealClock clock;
    Config config;
    std::vector<PoolDefined> pools;
    std::unique_ptr<scaler::Provider> provider;

    Result<void> open() {
        auto policy = TRY(read_section<scaler::AwsPolicy>(config, "provider.aws"));
        pools = TRY(read_pools(config));
        const auto no_pause = [](Duration) {};     // between tries
        if (pools.front().provider == "aws-ec2") {
            provider = TRY(scaler::Ec2Provider::open(clock, std::move(policy), aws::own_environment(), config, pools, no_pause));
        } else {
            provider = TRY(scaler::AsgProvider::open(clock, std::move(policy), aws::own_environment(), config, pools, no_pause));
        }
        return {};
    }
    Json answer(const Json& asked) {
        const auto what = asked["do"].get<std::string>();
        if (what == "again") {
            const auto opened = open();
            return opened ? Json::object() : Json{{"error", opened.error().text}};
        }
        if (what == "list") return list();
        if (what == "launch") return launch(asked);
        if (what == "terminate") {
            const auto done = provider->terminate(asked["instance"], {});
            return {{"error", done ? Json{} : shown(done.error())}};
        }
        const auto names = asked["instances"].get<std::vector<std::string>>();
        Json shape = Json::array();
        for (const auto& [name, error] : what == "protect" ? provider->protect(names, scaler::Protection::on)
                                         : what == "start" ? provider->start(names)
                                                           : provider->stop(names)) {
            shape.push_back({{"instance", name}, {"error", shown(error)}});
        }
        return shape;
    }
    Json list() {
        const auto listed = provider->list();
        if (!listed) return {{"error", shown(listed.error())}};
        Json shape{{"instances", Json::array()}, {"troubles", Json::array()}, {"advice", Json::array()}, {"complete", listed->snapshot.complete}};
        for (const auto& one : listed->snapshot.instances) {
            shape["instances"].push_back({{"instance", one.instance}, {"launch", one.launch ? one.launch->value : ""}, {"pool", one.pool.value},
                                          {"state", to_string(one.state)}, {"protected", one.protected_from_scale_in},
                                          {"price", one.price ? one.price->microdollars_per_hour : 0}, {"notice", one.notice.value_or("")}});
        }
        for (const auto& one : listed->report.troubles) {
            shape["troubles"].push_back({{"failure", to_string(one.failure)}, {"text", one.text}, {"at", to_rfc3339(one.at)}, {"zone", one.zone.value_or("")}});
        }
        for (const auto& one : listed->report.advice) shape["advice"].push_back(one.text);
        return shape;
    }
    Json launch(const Json& asked) {
        std::vector<LaunchStarted> launches;
        for (const auto& [id, started] : asked["launches"].get<std::map<std::string, std::string>>()) {
            launches.push_back({{id}, {asked["pool"].get<std::string>()}, *from_rfc3339(started), *from_rfc3339(started) + Duration{300'000}});
        }
        Json shape = Json::array();
        for (const auto& one : provider->launch(launches, pools.front())) {
            shape.push_back({{"launch", one.launch.value}, {"instance", one.instance ? one.instance->instance : ""}, {"error", shown(one.error)}});
        }
        return shape;
    }
};

}  // namespace
}  // namespace berth

int main() {
    berth::start_diagnostics("aws_probe", "", berth::LogLevel::error);
    berth::Probe probe;
    std::string line;
    std::getline(std::cin, line);
    auto config = berth::Config::parse(nlohmann::json::parse(line).get<std::string>(), "test");
    if (config) probe.config = std::move(*config);
    const auto opened = config ? probe.open() : berth::Result<void>{berth::fail(config.error())};
    std::cout << nlohmann::json{{"error", opened ? "" : opened.error().text}}.dump() << std::endl;
    while (opened && std::getline(std::cin, line)) std::cout << probe.answer(nlohmann::json::parse(line)).dump() << std::endl;
}
