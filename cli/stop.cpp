// SPDX-License-Identifier: Apache-2.0
// berth stop: the same as release; start brings it back.
#include "cli/instances.hpp"
#include "cli/workspace_command.hpp"

namespace berth::cli {

namespace {

Result<Exit> run(const Shared& shared, const EndingFlags& flags, const std::string& instance) {
    if (flags.name.empty() == instance.empty()) return fail(ErrorKind::invalid, "name the workspace, or an instance of `berth create` with --instance-id");
    if (!instance.empty()) return stop_instance(shared, instance);
    auto found = TRY(find_workspace(shared, flags));
    const auto answer = TRY(found.gateway.stop(found.id, flags.why));
    return finish_ending(shared, found, flags, answer, {"is being stopped", "is stopped", {"stopped", "destroyed"}});
}

}  // namespace

void add_stop(Commands& commands) {
    auto flags = std::make_shared<EndingFlags>();
    auto* command = commands.add("stop", "Workspaces", "Stop a workspace: its container goes, its files stay, `berth start` brings it back", "berth stop web-shop --wait 30s");
    auto instance = std::make_shared<std::string>();
    add_ending_flags(command, *flags, "its slot is free");
    command->get_option("workspace")->required(false);
    command->add_option("--instance-id", *instance, "an instance of `berth create`: it keeps its disk");
    commands.add_output(command, {"table", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags, instance] { return run(commands.shared(), *flags, *instance); });
}

}  // namespace berth::cli
