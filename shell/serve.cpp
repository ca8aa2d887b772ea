// SPDX-License-Identifier: Apache-2.0
#include "shell/serve.hpp"

#include <CLI/CLI.hpp>
#include <utility>

#include "base/diagnostics.hpp"
#include "base/exit.hpp"
#include "shell/watchdog.hpp"

namespace berth::shell {

void add_flags(CLI::App& app, const About& about, Flags& flags) {
    app.add_option("--config", flags.config, "TOML file; " + about.reads);
    app.add_option("--state", flags.state, "state folder: bus.toml, keys/, run/")->required();
    app.add_option("--log-level", flags.log_level, "debug, info, warn or error");
}

Ground::Ground(const About& about, Flags given, Config read)
    : flags(std::move(given)), config(std::move(read)), ready(flags.state, about.name), peer_{about.name, about.role} {
    loop.on_termination([this] {
        tell_service_manager("STOPPING=1");
        loop.stop();
    });
    keep_watchdog(loop);
}

Result<std::unique_ptr<Ground>> Ground::open(const About& about, const Flags& flags) {
    start_diagnostics("berth-" + about.name, "", TRY(parse_log_level(flags.log_level)));
    auto config = TRY(Config::load(flags.config));
    std::unique_ptr<Ground> ground{new Ground(about, flags, std::move(config))};
    auto inside = Inside::open(ground->loop, flags.state, about.name);
    if (!inside) log_warn("inside.closed", {{"why", inside.error().text}});
    else ground->inside_ = std::move(*inside);
    return ground;
}

void Ground::show(Figures figures) {
    if (inside_) inside_->show(std::move(figures));
}

Result<std::unique_ptr<bus::ZmqEndpoint>> Ground::connect() {
    return bus::ZmqEndpoint::open(loop, TRY(bus::read_connection(flags.state + "/bus.toml", flags.state + "/keys", peer_)));
}

int serve(int argc, char** argv, const About& about, const std::function<Result<void>(Ground&)>& run) {
    CLI::App app{about.what};
    Flags flags;
    add_flags(app, about, flags);
    app.footer("Example: berth-" + about.name + " --state ~/.local/state/berth");
    CLI11_PARSE(app, argc, argv);
    const auto outcome = [&]() -> Result<void> {
        const auto ground = TRY(Ground::open(about, flags));
        return run(*ground);
    }();
    return exit_with(("berth-" + about.name).c_str(), outcome);
}

}  // namespace berth::shell
