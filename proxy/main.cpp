// SPDX-License-Identifier: Apache-2.0
// berth-proxy: lets browsers reach the workspaces of one host, each user their own.
#include <CLI/CLI.hpp>
#include <string>

#include "base/clock.hpp"
#include "base/config.hpp"
#include "base/diagnostics.hpp"
#include "base/exit.hpp"
#include "hostkv/local_kv.hpp"
#include "proxy/edge_main.hpp"
#include "proxy/place.hpp"
#include "proxy/process.hpp"

namespace {

struct Options {
    std::string config;
    std::string state;
    std::string host_id;
    std::string listen_address = "127.0.0.1";
    std::uint16_t port = 0;
    std::string log_level = "info";
    std::string gateway_url;
    bool edge = false;
    berth::proxy::EdgeOptions edge_of;
};

/// [proxy], and from [hostagent] what stands in the links that the agent hands out.
berth::Result<berth::proxy::Policy> read_policy(const Options& options) {
    auto config = TRY(berth::Config::load(options.config));
    for (const std::string key : {"apps_domain", "scheme", "public_domain", "public_port", "plain_port_first", "plain_port_count"}) {
        const auto links = config.find("hostagent", key);
        if (links && !config.find("proxy", key)) config.set("proxy", key, links->value, links->origin);
    }
    const auto gateway = config.find("gateway", "public_url");
    if (gateway && !config.find("proxy", "gateway_url")) {
        config.set("proxy", "gateway_url", gateway->value, gateway->origin);
    }
    if (!options.gateway_url.empty() && !config.find("proxy", "gateway_url")) config.set("proxy", "gateway_url", options.gateway_url, "--gateway-url");
    return berth::read_section<berth::proxy::Policy>(config, "proxy");
}

berth::Result<void> run(const Options& options) {
    if (options.edge) {
        berth::start_diagnostics("berth-proxy", options.edge_of.name, TRY(berth::parse_log_level(options.log_level)));
        auto edge = options.edge_of;
        edge.config = options.config;
        return berth::proxy::run_edge(edge);
    }
    for (const auto& [flag, value] : {std::pair{"--state", &options.state}, {"--host-id", &options.host_id}}) {
        if (value->empty()) return berth::fail(berth::ErrorKind::invalid, "{} is missing; see --help", flag);
    }
    const auto level = TRY(berth::parse_log_level(options.log_level));
    berth::start_diagnostics("berth-proxy", options.host_id, level);
    auto policy = TRY(read_policy(options));
    const auto place = TRY(berth::proxy::Place::take(options.state));
    const auto kv = TRY(berth::LocalKv::open(options.state + "/kv"));
    const berth::RealClock clock;
    const auto address = policy.listen_address.empty() ? options.listen_address : policy.listen_address;
    const berth::proxy::Listen at{address, {options.port, place->earlier_port()}};
    const auto process =
        TRY(berth::proxy::Process::open(std::move(policy), clock, *kv, berth::HostId{options.host_id}, *place, at));
    TRY(place->serves_at(process->port()));
    berth::log_info("ready", {{"address", address}, {"port", process->port()}});
    process->run();
    berth::log_info("stopped");
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Lets browsers reach the workspaces of one host, each user their own."};
    Options options;
    app.add_option("--config", options.config, "TOML file; [proxy] is read");
    app.add_option("--state", options.state, "the host's own folder: kv/, proxy.port, proxy.pid");
    app.add_option("--host-id", options.host_id, "the host whose tokens are good here");
    app.add_option("--listen-address", options.listen_address, "default 127.0.0.1; proxy.listen_address of the configuration wins");
    app.add_option("--port", options.port, "when it is free, else that of an earlier life, else any (proxy.port_moves)");
    app.add_option("--log-level", options.log_level, "debug, info, warn or error");
    app.add_option("--gateway-url", options.gateway_url, "leads back in who comes late; proxy.gateway_url or gateway.public_url of the configuration win");
    app.add_flag("--edge", options.edge, "be the front door of all hosts instead: one name, one certificate; [edge] is read");
    app.add_option("--bus", options.edge_of.bus, "with --edge: bus.toml of the broker");
    app.add_option("--keys", options.edge_of.keys, "with --edge: folder with <name>.key, of the role tap, and broker.pub");
    app.add_option("--name", options.edge_of.name, "with --edge: the name of its key");
    app.footer("Example: berth-proxy --state ~/.local/state/berth/hosts/h-1 --host-id h-1 --port 8080");
    CLI11_PARSE(app, argc, argv);
    return berth::exit_with("berth-proxy", run(options));
}
