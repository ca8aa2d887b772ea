// SPDX-License-Identifier: Apache-2.0
// berth-gateway: the HTTP API, the event streams and the dashboard.
#include <CLI/CLI.hpp>
#include <string>

#include "base/clock.hpp"
#include "base/config.hpp"
#include "base/diagnostics.hpp"
#include "base/exit.hpp"
#include "base/ready_file.hpp"
#include "gateway/process.hpp"

namespace {

struct Options {
    std::string config;
    std::string state;
    std::string log_level = "info";
};

berth::Result<void> run(const Options& options) {
    const auto level = TRY(berth::parse_log_level(options.log_level));
    berth::start_diagnostics("berth-gateway", "", level);
    const auto config = TRY(berth::Config::load(options.config));
    auto policy = TRY(berth::read_section<berth::gateway::Policy>(config, "gateway"));
    auto compat = TRY(berth::read_section<berth::gateway::CompatPolicy>(config, "compat"));

    const berth::ReadyFile ready(options.state, "gateway");

    const berth::RealClock clock;
    berth::bus::ZmqLoop loop(clock);
    loop.on_termination([&loop] { loop.stop(); });
    const auto process = TRY(berth::gateway::Process::open(loop, std::move(policy), std::move(compat), options.state));
    process->start();
    ready.serves();
    berth::log_info("ready", {{"url", process->url()}});
    loop.run();
    berth::log_info("stopped");
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Serves berth's HTTP API, event streams and dashboard."};
    Options options;
    app.add_option("--config", options.config, "TOML file; [gateway] and [compat] are read");
    app.add_option("--state", options.state, "state folder: bus.toml, keys/, tokens.json, run/")->required();
    app.add_option("--log-level", options.log_level, "debug, info, warn or error");
    app.footer("Example: berth-gateway --state ~/.local/state/berth");
    CLI11_PARSE(app, argc, argv);
    return berth::exit_with("berth-gateway", run(options));
}
