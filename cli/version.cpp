// SPDX-License-Identifier: Apache-2.0
// berth version.
#include "cli/command.hpp"

namespace berth::cli {

void add_version(Commands& commands) {
    auto* command = commands.add("version", "Help", "Print the version", "berth version -o json");
    commands.add_output(command, {"table", "json"});
    commands.set_action(command, [&commands]() -> Result<Exit> {
        const auto look = TRY(commands.shared().look());
        print(look.format == Format::json ? to_pretty_json({{"version", BERTH_VERSION}}) : "berth " BERTH_VERSION "\n");
        return Exit::ok;
    });
}

}  // namespace berth::cli
