// SPDX-License-Identifier: Apache-2.0
// berth release: the lease ends, the container goes, the files stay.
#include "cli/workspace_command.hpp"

namespace berth::cli {

namespace {

Result<Exit> run(const Shared& shared, const EndingFlags& flags) {
    auto found = TRY(find_workspace(shared, flags));
    const auto answer = TRY(found.gateway.release(found.id, flags.why));
    return finish_ending(shared, found, flags, answer, {"is being released", "is released", {"stopped", "destroyed"}});
}

}  // namespace

void add_release(Commands& commands) {
    auto flags = std::make_shared<EndingFlags>();
    auto* command = commands.add("release", "Workspaces", "Give a workspace back: its container goes, its files stay", "berth release web-shop --wait 30s");
    add_ending_flags(command, *flags, "its slot is free");
    commands.add_output(command, {"table", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
