// SPDX-License-Identifier: Apache-2.0
// berth-reaper: finds what is over: idle, expired, silent, gone, orphaned.
#include <CLI/CLI.hpp>
#include <string>

#include "base/clock.hpp"
#include "base/config.hpp"
#include "base/diagnostics.hpp"
#include "base/exit.hpp"
#include "base/ready_file.hpp"
#include "bus/zmq_endpoint.hpp"
#include "reaper/process.hpp"

namespace {

struct Options {
    std::string config;
    std::string state;
    std::string log_level = "info";
};

berth::Result<void> run(const Options& options) {
    berth::start_diagnostics("berth-reaper", "", TRY(berth::parse_log_level(options.log_level)));
    const auto config = TRY(berth::Config::load(options.config));
    auto policy = TRY(berth::reaper::read_policy(config));

    const berth::ReadyFile ready(options.state, "reaper");

    const berth::RealClock clock;
    berth::bus::ZmqLoop loop(clock);
    loop.on_termination([&loop] { loop.stop(); });
    auto connection = TRY(berth::bus::read_connection(options.state + "/bus.toml", options.state + "/keys",
                                                      {"reaper", berth::Role::reaper}));
    const auto endpoint = TRY(berth::bus::ZmqEndpoint::open(loop, std::move(connection)));
    const berth::reaper::Process process(loop, *endpoint, std::move(policy));
    ready.serves();
    berth::log_info("ready");
    loop.run();
    berth::log_info("stopped");
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Finds what is over: idle or expired workspaces, silent and ended hosts, orphaned instances."};
    Options options;
    app.add_option("--config", options.config, "TOML file; [reaper] is read, and how often hosts speak");
    app.add_option("--state", options.state, "state folder: bus.toml, keys/, run/")->required();
    app.add_option("--log-level", options.log_level, "debug, info, warn or error");
    app.footer("Example: berth-reaper --state ~/.local/state/berth");
    CLI11_PARSE(app, argc, argv);
    return berth::exit_with("berth-reaper", run(options));
}
