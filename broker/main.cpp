// SPDX-License-Identifier: Apache-2.0
// berth-broker: carries events and requests between peers whose keys it knows.
#include <CLI/CLI.hpp>
#include <string>

#include "base/clock.hpp"
#include "base/config.hpp"
#include "base/diagnostics.hpp"
#include "base/exit.hpp"
#include "base/ready_file.hpp"
#include "broker/process.hpp"

namespace {

struct Options {
    std::string config;
    std::string state;
    std::string log_level = "info";
};

berth::Result<void> run(const Options& options) {
    const auto level = TRY(berth::parse_log_level(options.log_level));
    berth::start_diagnostics("berth-broker", "", level);
    const auto config = TRY(berth::Config::load(options.config));
    auto policy = TRY(berth::read_section<berth::broker::Policy>(config, "broker"));

    const berth::ReadyFile ready(options.state, "broker");

    const berth::RealClock clock;
    berth::bus::ZmqLoop loop(clock);
    loop.on_termination([&loop] { loop.stop(); });
    const auto process = TRY(berth::broker::Process::open(loop, std::move(policy), options.state));
    ready.serves();
    berth::log_info("ready", {{"events_in", process->addresses().events_in},
                              {"events_out", process->addresses().events_out},
                              {"requests", process->addresses().requests}});
    loop.run();
    berth::log_info("stopped");
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Carries berth's events and requests between the peers whose keys it knows."};
    Options options;
    app.add_option("--config", options.config, "TOML file; [broker] is read");
    app.add_option("--state", options.state, "state folder: bus.toml, keys/, run/")->required();
    app.add_option("--log-level", options.log_level, "debug, info, warn or error");
    app.footer("Example: berth-broker --state ~/.local/state/berth");
    CLI11_PARSE(app, argc, argv);
    return berth::exit_with("berth-broker", run(options));
}
