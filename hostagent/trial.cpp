// SPDX-License-Identifier: Apache-2.0
#include "hostagent/trial.hpp"

#include <filesystem>

#include "base/clock.hpp"
#include "base/rng.hpp"
#include "hostagent/home.hpp"
#include "hostagent/ports.hpp"

namespace berth::hostagent {

namespace {

const WorkspaceId trial_workspace{"berth-trial"};
constexpr std::size_t name_bytes = 4;

Result<void> named(std::string_view step, Result<void> outcome) {
    if (outcome) return outcome;
    return fail(outcome.error().kind, "{}: {}", step, outcome.error().text);
}

Result<void> remove_all(Engine& engine, Duration deadline) {
    for (const auto& found : TRY(engine.list())) TRY(engine.remove(found.container, found.slot, deadline));
    return {};
}

Result<void> start_and_remove(Engine& engine, const Flags& flags, const Settings& settings, std::uint32_t port) {
    const auto& policy = settings.core;
    const ContainerId container{fmt::format("{}-{}", flags.host_id, random_hex(name_bytes))};
    auto outcome = named("it could not be started", engine.prepare({.slot = 0, .container = container, .port = port, .deadline = policy.prepare_deadline}));
    if (!outcome) return outcome;
    outcome = named("its home could not be mounted", engine.bind({.slot = 0, .container = container, .workspace = trial_workspace, .epoch = {1},
                                                                  .user = {"doctor"}, .project = {"trial"},
                                                                  .home = flags.homes + "/" + trial_workspace.value, .deadline = policy.bind_deadline}));
    const auto removed = named("it could not be removed", engine.remove(container, 0, policy.remove_deadline));
    const auto erased = named("its home could not be removed", erase_home(flags.homes, trial_workspace));
    TRY(outcome);
    TRY(removed);
    return erased;
}

/// 0 where environments listen on a socket in their folder.
Result<std::uint32_t> port_for(const Engine& engine, const Flags& flags, const Settings& settings) {
    if (!engine.shared_folder({flags.host_id}).empty()) return 0;
    auto pool = make_port_pool(settings.core.port_first, settings.core.port_count, flags.host_id);
    for (std::uint32_t tries = 0; tries < settings.core.port_tries_max; ++tries) {
        const auto port = take_port(pool, {});
        if (port && port_is_free(*port)) return *port;
    }
    return fail(ErrorKind::limit, "no port is free from hostagent.port_first ({}) on", settings.core.port_first);
}

}  // namespace

Result<Duration> try_start(const Flags& flags, const Settings& settings) {
    if (flags.homes.empty()) return fail(ErrorKind::invalid, "--homes is missing; see --help");
    std::error_code error;
    std::filesystem::create_directories(flags.homes, error);
    const auto engine = TRY(open_engine(flags, settings));
    TRY(named("the container engine is not ready", engine->check_ready()));
    TRY(named("what an earlier trial left", remove_all(*engine, settings.core.remove_deadline)));
    const auto port = TRY(port_for(*engine, flags, settings));
    const RealClock clock;
    const auto begun = clock.now();
    TRY(start_and_remove(*engine, flags, settings, port));
    return clock.now() - begun;
}

}  // namespace berth::hostagent
