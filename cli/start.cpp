// SPDX-License-Identifier: Apache-2.0
// berth start: bring a stopped workspace back, with its files.
#include "base/clock.hpp"
#include "cli/workspace_columns.hpp"
#include "cli/workspace_command.hpp"

namespace berth::cli {

namespace {

struct Flags : WorkspaceFlags {
    std::string wait = "2m";
    bool no_wait = false;
};

Result<Exit> run(const Shared& shared, const Flags& flags) {
    const auto look = TRY(shared.look());
    const auto at_most = TRY(duration_flag("--wait", flags.wait));
    auto [gateway, id] = TRY(find_workspace(shared, flags));
    const auto answer = TRY(gateway.start(id));
    if (flags.no_wait) return report(shared, id, "is being started", answer);
    const auto state = TRY(wait_for_state(gateway, id, {"active"}, at_most));
    print(TRY(render_one(workspace_columns(RealClock{}.now()), state, "workspace", look)));
    return Exit::ok;
}

}  // namespace

void add_start(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("start", "Workspaces", "Start a stopped workspace again", "berth start web-shop");
    add_workspace_flags(command, *flags);
    auto* wait = command->add_option("--wait", flags->wait, "wait until it is ready, at most that long")->capture_default_str();
    command->add_flag("--no-wait", flags->no_wait, "do not wait")->excludes(wait);
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
