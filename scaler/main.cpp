// SPDX-License-Identifier: Apache-2.0
// berth-scaler: keeps as many hosts as the pools' policies want, from each pool's provider.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/config.hpp"
#include "base/diagnostics.hpp"
#include "base/exit.hpp"
#include "base/ready_file.hpp"
#include "bus/zmq_endpoint.hpp"
#include "events/pools_config.hpp"
#include "scaler/process.hpp"
#include "scaler/providers/local/local.hpp"
#include "scaler/worker.hpp"

namespace {

namespace scaler = berth::scaler;

constexpr berth::Duration stop_wait{1'000};

struct Options {
    std::string config;
    std::string state;
    std::string log_level = "info";
};

berth::Result<scaler::Providers> open_providers(const berth::Clock& clock, berth::bus::Loop& loop, const berth::Config& config, const Options& options) {
    auto policy = TRY(berth::read_section<scaler::LocalPolicy>(config, "provider.local"));
    const auto path = [](const std::string& name) { return name.empty() ? name : std::filesystem::absolute(name).lexically_normal().string(); };
    scaler::LocalSetup setup{path(options.state), path(options.config), options.log_level};
    scaler::Providers providers;
    providers["local"] = scaler::on_a_thread(loop, TRY(scaler::LocalProvider::open(clock, std::move(policy), std::move(setup))));
    for (const auto& pool : TRY(berth::read_pools(config))) {
        if (!providers.contains(pool.provider)) {
            return berth::fail(berth::ErrorKind::invalid, "[pool.{}] provider = \"{}\": only \"local\" is known", pool.pool.value, pool.provider);
        }
    }
    return providers;
}

berth::Result<void> run(const Options& options) {
    berth::start_diagnostics("berth-scaler", "", TRY(berth::parse_log_level(options.log_level)));
    const auto config = TRY(berth::Config::load(options.config));
    auto policy = TRY(berth::read_section<scaler::Policy>(config, "scaler"));

    const berth::ReadyFile ready(options.state, "scaler");

    const berth::RealClock clock;
    berth::bus::ZmqLoop loop(clock);
    loop.on_termination([&loop] { loop.stop(); });
    const auto providers = TRY(open_providers(clock, loop, config, options));
    auto connection = TRY(berth::bus::read_connection(options.state + "/bus.toml", options.state + "/keys",
                                                      {"scaler", berth::Role::scaler}));
    const auto endpoint = TRY(berth::bus::ZmqEndpoint::open(loop, std::move(connection)));
    const berth::Rng rng(std::stoull(berth::random_hex(8), nullptr, 16));
    scaler::Process process(loop, *endpoint, std::move(policy), rng, providers);
    endpoint->when_serving([&ready] {
        ready.serves();
        berth::log_info("ready");
    });
    loop.run();
    ready.ends();
    const bool idle = process.stop(stop_wait);
    berth::log_info("stopped", {{"provider", idle ? "idle" : "in the middle of a call, which the next scaler repeats"}});
    if (!idle) {                              // its thread cannot be joined
        if (process.failure()) std::fprintf(stderr, "berth-scaler: %s\n", process.failure()->text.c_str());
        ::_exit(process.failure() ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    if (process.failure()) return berth::fail(*process.failure());
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Keeps as many hosts as the pools want; gives back what is idle for long."};
    Options options;
    app.add_option("--config", options.config, "TOML file; [scaler], [provider.*] and [pool.*] are read");
    app.add_option("--state", options.state, "state folder: bus.toml, keys/, hosts/, run/")->required();
    app.add_option("--log-level", options.log_level, "debug, info, warn or error; local hosts get the same");
    app.footer("Example: berth-scaler --state ~/.local/state/berth");
    CLI11_PARSE(app, argc, argv);
    return berth::exit_with("berth-scaler", run(options));
}
