// SPDX-License-Identifier: Apache-2.0
// berth stop: the same as release; start brings it back.
#include "cli/workspace_command.hpp"

namespace berth::cli {

namespace {

Result<Exit> run(const Shared& shared, const EndingFlags& flags) {
    auto found = TRY(find_workspace(shared, flags));
    const auto answer = TRY(found.gateway.stop(found.id, flags.why));
    return finish_ending(shared, found, flags, answer, {"is being stopped", "is stopped", {"stopped", "destroyed"}});
}

}  // namespace

void add_stop(Commands& commands) {
    auto flags = std::make_shared<EndingFlags>();
    auto* command = commands.add("stop", "Workspaces", "Stop a workspace: its container goes, its files stay, `berth start` brings it back", "berth stop web-shop --wait 30s");
    add_ending_flags(command, *flags, "its slot is free");
    commands.add_output(command, {"table", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
