// SPDX-License-Identifier: Apache-2.0
// The flags of `berth up`.
#include <filesystem>

#include "cli/command.hpp"
#include "cli/up/config_file.hpp"
#include "cli/up/up.hpp"

namespace berth::cli {

void add_up(Commands& commands) {
    auto flags = std::make_shared<UpFlags>();
    auto engine = std::make_shared<std::string>("auto");
    auto* command = commands.add("up", "System", "Run the whole system on this machine, in the foreground",
                                 "berth up --buffer 1 --slots 4 --set pool.default.idle_after_ms=30m\n\n"
                                 "Environment: BERTH_STATE, BERTH_CONFIG, DOCKER_HOST (unix://…), BERTH_<SECTION>_<KEY>");
    command->add_option("--config", flags->config, "settings (default: $BERTH_CONFIG, ~/.config/berth/berth.toml, /etc/berth/berth.toml)")
        ->type_name("FILE");
    command->add_option("--port", flags->port, "of the gateway (default 9092)")->check(CLI::Range(0, 65535));
    command->add_option("--engine", *engine, "what runs workspaces")
        ->check(CLI::IsMember({"auto", "docker", "process"}))
        ->capture_default_str();
    command->add_option("--hosts-max", flags->hosts_max, "at most that many local hosts")->check(CLI::Range(1, 1000));
    command->add_option("--buffer", flags->buffer, "ready slots to keep")->check(CLI::Range(0, 100000));
    command->add_option("--slots", flags->slots, "workspaces per host")->check(CLI::Range(1, 1000));
    command->add_option("--image-tar", flags->image_tar, "root file system to import when the image is missing")
        ->check(CLI::ExistingFile)
        ->type_name("FILE");
    command->add_option("--image", flags->image, "name of the workspace image")->type_name("NAME");
    command->add_option("--set", flags->sets, "one setting, may be repeated")->type_name("SECTION.KEY=VALUE");
    command->add_option("--log-level", flags->log_level, "of the processes")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    commands.set_action(command, [&commands, flags, engine]() -> Result<Exit> {
        flags->state = TRY(commands.shared().state_folder());
        flags->config = config_file(flags->config);
        flags->engine = *engine == "auto"     ? EngineWanted::automatic
                        : *engine == "docker" ? EngineWanted::docker
                                              : EngineWanted::process;
        if (!flags->image_tar.empty()) flags->image_tar = std::filesystem::absolute(flags->image_tar).string();
        return run_up(*flags);
    });
}

}  // namespace berth::cli
