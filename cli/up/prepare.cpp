// SPDX-License-Identifier: Apache-2.0
// berth prepare: what `berth up` does before it starts anything, for a control plane that something else starts
// (systemd, containers): folders, keys, the operator's token, and the settings that all its processes read.
#include "base/clock.hpp"
#include "bus/keys.hpp"
#include "cli/command.hpp"
#include "cli/up/config_file.hpp"
#include "cli/up/effective.hpp"
#include "cli/up/operator_token.hpp"
#include "cli/up/state.hpp"
#include "os/files.hpp"

namespace berth::cli {

namespace {

constexpr std::size_t config_bytes_max = 1024 * 1024;

Result<Exit> prepare(const UpFlags& flags) {
    std::string text;
    if (!flags.config.empty()) text = TRY(os::read_file(flags.config, config_bytes_max));
    const auto settings = TRY(settings_of(flags));
    const auto effective = TRY(effective_config(text, flags.config, settings));
    TRY(make_folders(flags.state));
    const auto lock = TRY(lock_state(flags.state));
    for (const auto& wanted : keys_of_one_machine()) TRY(bus::mint_key(flags.state + "/keys", wanted.name, wanted.role));
    TRY(mint_operator_token(flags.state, RealClock{}.now()));
    TRY(os::write_file(flags.state + "/berth.toml", effective, os::mode_of_secrets));
    remark(fmt::format("{} is ready: settings of {}", flags.state, flags.config.empty() ? "the defaults" : flags.config));
    return Exit::ok;
}

}  // namespace

void add_prepare(Commands& commands) {
    auto flags = std::make_shared<UpFlags>();
    auto* command = commands.add("prepare", "System", "Make keys, token and settings for a control plane that systemd starts",
                                 "berth --state /var/lib/berth prepare --config /etc/berth/berth.toml\n\n"
                                 "Repeating it changes nothing but the settings. A wrong setting is refused by its file and line.");
    command->add_option("--config", flags->config, "settings (default: $BERTH_CONFIG, ~/.config/berth/berth.toml, /etc/berth/berth.toml)")
        ->type_name("FILE");
    command->add_option("--set", flags->sets, "one setting, may be repeated")->type_name("SECTION.KEY=VALUE");
    commands.set_action(command, [&commands, flags]() -> Result<Exit> {
        flags->state = TRY(commands.shared().state_folder());
        flags->config = config_file(flags->config);
        return prepare(*flags);
    });
}

}  // namespace berth::cli
