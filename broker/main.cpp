// SPDX-License-Identifier: Apache-2.0
// berth-broker: carries events and requests between peers whose keys it knows.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/clock.hpp"
#include "base/config.hpp"
#include "base/diagnostics.hpp"
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

    const auto run_dir = options.state + "/run";
    const auto ready = run_dir + "/broker.ready";
    std::error_code ignored;
    std::filesystem::create_directories(run_dir, ignored);
    std::filesystem::remove(ready, ignored);

    const berth::RealClock clock;
    berth::bus::Loop loop(clock);
    loop.on_termination([&loop] { loop.stop(); });
    const auto process = TRY(berth::broker::Process::open(loop, std::move(policy), options.state));
    std::ofstream{ready} << ::getpid() << "\n";
    berth::log_info("ready", {{"events_in", process->addresses().events_in},
                              {"events_out", process->addresses().events_out},
                              {"requests", process->addresses().requests}});
    loop.run();
    std::filesystem::remove(ready, ignored);
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
    if (const auto outcome = run(options); !outcome) {
        std::fprintf(stderr, "berth-broker: %s\n", outcome.error().text.c_str());
        return 1;
    }
    return 0;
}
