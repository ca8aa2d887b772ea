// SPDX-License-Identifier: Apache-2.0
// berth-hostagent: makes each slot of one machine match its order, and tells what is there.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>

#include "base/clock.hpp"
#include "base/diagnostics.hpp"
#include "base/exit.hpp"
#include "hostagent/begin.hpp"
#include "hostagent/process.hpp"

namespace {

using berth::hostagent::Flags;

constexpr berth::Duration end_patience{1'000};

berth::Result<void> run(const Flags& flags) {
    const auto level = TRY(berth::parse_log_level(flags.log_level));
    berth::start_diagnostics("berth-hostagent", flags.host_id, level);
    const auto folder = TRY(berth::hostagent::HostFolder::take(flags.state));
    const auto config = TRY(berth::Config::load(flags.config));
    const auto settings = TRY(berth::hostagent::read_settings(config));
    if (flags.end_environments) return berth::hostagent::end_environments(flags, settings);

    const berth::RealClock clock;
    berth::bus::ZmqLoop loop(clock);
    loop.on_termination([&loop] { loop.stop(); });
    auto parts = TRY(berth::hostagent::gather_parts(flags, settings, *folder));
    const auto process = TRY(berth::hostagent::Process::open(loop, std::move(parts), folder->ready()));
    loop.run();
    const auto failure = process->failure();
    const bool idle = process->end(end_patience);
    berth::log_info("stopped", {{"calls_under_way", idle ? "none" : "some"}});
    // An engine call may take a minute; what it leaves is found and judged by the next life.
    if (!idle) {
        folder->ready().ends();
        std::_Exit(failure ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    if (failure) return berth::fail(*failure);
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Makes each slot of this machine match its order, and tells what is there."};
    Flags flags;
    app.add_option("--config", flags.config, "TOML file; [hostagent] and [docker] are read");
    app.add_option("--state", flags.state, "this host's own folder")->required();
    app.add_option("--host-id", flags.host_id, "the name of this host, of its key and of its topics")->required();
    app.add_option("--pool", flags.pool, "the pool that it belongs to");
    app.add_option("--bus", flags.bus, "bus.toml of the broker");
    app.add_option("--keys", flags.keys, "folder with <host id>.key and broker.pub");
    app.add_option("--homes", flags.homes, "folder of the users' homes");
    app.add_option("--launch", flags.launch, "the launch that made this host");
    app.add_option("--instance", flags.instance, "the provider's id; default: the host id");
    app.add_option("--engine", flags.engine, "docker or process; default: hostagent.engine");
    app.add_option("--public-ip", flags.public_ip, "where browsers reach the proxy; default 127.0.0.1");
    app.add_option("--private-ip", flags.private_ip, "where other hosts reach this one");
    app.add_option("--proxy-port", flags.proxy_port, "0: the proxy's own choice, kept");
    app.add_option("--slots", flags.slots, "how many workspaces fit here");
    app.add_option("--log-level", flags.log_level, "debug, info, warn or error");
    app.add_flag("--end-environments", flags.end_environments, "end all that this host started, keep what it remembers");
    app.footer("Example: berth-hostagent --state ~/.local/state/berth/hosts/h-1 --host-id h-1 --pool default "
               "--bus ~/.local/state/berth/bus.toml --keys ~/.local/state/berth/keys --homes ~/.local/state/berth/homes");
    CLI11_PARSE(app, argc, argv);
    return berth::exit_with("berth-hostagent", run(flags));
}
