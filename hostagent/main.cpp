// SPDX-License-Identifier: Apache-2.0
// berth-hostagent: makes each slot of one machine match its order, and tells what is there.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/diagnostics.hpp"
#include "base/exit.hpp"
#include "hostagent/begin.hpp"
#include "hostagent/end_notice.hpp"
#include "hostagent/join.hpp"
#include "hostagent/process.hpp"
#include "hostagent/trial.hpp"
#include "shell/inside.hpp"
#include "shell/watchdog.hpp"

namespace {

using berth::hostagent::Flags;

constexpr berth::Duration end_patience{1'000};

berth::Result<void> run(const Flags& given) {
    const auto flags = TRY(berth::hostagent::with_host_file(given));
    const auto level = TRY(berth::parse_log_level(flags.log_level));
    berth::start_diagnostics("berth-hostagent", flags.host_id, level);
    const auto folder = TRY(berth::hostagent::HostFolder::take(flags.state));
    const auto config = TRY(berth::Config::load(flags.config));
    const auto settings = TRY(berth::hostagent::read_settings(config));
    if (flags.try_start) {
        const auto took = TRY(berth::hostagent::try_start(flags, settings));
        std::printf("started and removed in %lld ms\n", static_cast<long long>(took.count()));
        return {};
    }
    if (flags.end_environments) return berth::hostagent::end_environments(flags, settings);

    const berth::RealClock clock;
    berth::bus::ZmqLoop loop(clock);
    loop.on_termination([&loop] {
        berth::tell_service_manager("STOPPING=1");
        loop.stop();
    });
    berth::shell::keep_watchdog(loop);
    // Its look inside; a folder with a long name goes without.
    const auto inside = berth::shell::Inside::open(loop, flags.state, "hostagent");
    if (!inside) berth::log_warn("inside.closed", {{"why", inside.error().text}});
    auto parts = TRY(berth::hostagent::gather_parts(flags, settings, *folder));
    const auto process = TRY(berth::hostagent::Process::open(loop, std::move(parts), folder->ready()));
    berth::tell_service_manager("READY=1");        // it waits for its engine and for the control plane by itself
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

berth::Result<void> join_and_run(berth::hostagent::JoinFlags flags, const std::string& wait) {
    berth::start_diagnostics("berth-hostagent", flags.name, TRY(berth::parse_log_level(flags.log_level)));
    if (!wait.empty()) flags.wait = TRY(berth::parse_duration(wait));
    auto joined = TRY(berth::hostagent::join(flags));
    if (!flags.run) {
        std::printf("%s joined pool %s. Start its agent: berth-hostagent --state %s\n", joined.flags.host_id.c_str(), joined.flags.pool.c_str(),
                    joined.flags.state.c_str());
        return {};
    }
    const auto agent = joined.flags;
    const berth::hostagent::JoinWatch watch(std::move(joined));
    return run(agent);
}

int join_main(int argc, char** argv) {
    CLI::App app{"Makes this machine a host of a control plane elsewhere, and runs its agent.", "berth-hostagent join"};
    berth::hostagent::JoinFlags flags;
    std::string wait;
    bool only_enrol = false;
    app.add_option("--url", flags.url, "the gateway")->required();
    app.add_option("--token", flags.token, "a host's token; better not on a machine that others use: --token-file, $BERTH_HOST_TOKEN");
    app.add_option("--token-file", flags.token_file, "file that holds the token");
    app.add_option("--ca-file", flags.ca_file, "PEM of a private CA that vouches for the gateway");
    app.add_option("--name", flags.name, "the host's id; default: this machine's name");
    app.add_option("--pool", flags.pool, "refuse a token of another pool");
    app.add_option("--state", flags.state, "this host's own folder; default /var/lib/berth-host, ~/.local/state/berth-host");
    app.add_option("--homes", flags.homes, "folder of the users' homes; default <state>/homes");
    app.add_option("--engine", flags.engine, "docker or process; default: as the pool's hosts have it");
    app.add_option("--public-ip", flags.public_ip, "where browsers reach the proxy; default: the address toward the gateway");
    app.add_option("--private-ip", flags.private_ip, "where other hosts reach this one");
    app.add_option("--proxy-port", flags.proxy_port, "where the proxy listens; 9480");
    app.add_option("--slots", flags.slots, "how many workspaces fit here; default: as the pool says");
    app.add_option("--wait", wait, "how long for a gateway that is not there; default 1m");
    app.add_option("--set", flags.sets, "section.key=value, over what the control plane says");
    app.add_option("--log-level", flags.log_level, "debug, info, warn or error");
    app.add_flag("--no-run,--once", only_enrol, "enrol only; `berth-hostagent --state DIR` runs it later");
    app.footer("Example: berth-hostagent join --url https://berth.example.org --token-file ./token --name box-1");
    CLI11_PARSE(app, argc, argv);
    // It would stand in the list of processes for as long as the agent lives (I30).
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--token" && i + 1 < argc) std::fill_n(argv[i + 1], std::strlen(argv[i + 1]), '*');
        if (word.starts_with("--token=")) std::fill_n(argv[i] + 8, word.size() - 8, '*');
    }
    flags.run = !only_enrol;
    return berth::exit_with("berth-hostagent", join_and_run(std::move(flags), wait));
}

}  // namespace

int main(int argc, char** argv) {
    berth::hostagent::keep_end_signal();
    if (argc > 1 && std::string_view{argv[1]} == "join") return join_main(argc - 1, argv + 1);
    CLI::App app{"Makes each slot of this machine match its order, and tells what is there."};
    Flags flags;
    app.add_option("--config", flags.config, "TOML file; [hostagent] and [docker] are read");
    app.add_option("--state", flags.state, "this host's own folder")->required();
    app.add_option("--host-id", flags.host_id, "the name of this host, of its key and of its topics; default: as <state>/host.toml says");
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
    app.add_flag("--try-start", flags.try_start, "start an environment with a home, remove both, and say how long it took; needs --homes");
    app.footer("Example: berth-hostagent --state ~/.local/state/berth/hosts/h-1 --host-id h-1 --pool default "
               "--bus ~/.local/state/berth/bus.toml --keys ~/.local/state/berth/keys --homes ~/.local/state/berth/homes");
    CLI11_PARSE(app, argc, argv);
    return berth::exit_with("berth-hostagent", run(flags));
}
