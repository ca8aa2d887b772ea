// SPDX-License-Identifier: Apache-2.0
// berth wait: until a workspace is ready or released; exit 124 when it is not in time.
#include "base/clock.hpp"
#include "cli/workspace_columns.hpp"
#include "cli/workspace_command.hpp"

namespace berth::cli {

namespace {

struct Flags : WorkspaceFlags {
    std::string what = "ready";
    std::string timeout = "2m";
};

Result<Exit> run(const Shared& shared, const Flags& flags) {
    const auto look = TRY(shared.look());
    const auto at_most = TRY(duration_flag("--timeout", flags.timeout));
    auto [gateway, id] = TRY(find_workspace(shared, flags));
    const auto states = flags.what == "ready" ? std::vector<std::string>{"active"}
                                              : std::vector<std::string>{"stopped", "destroyed"};
    const auto seen = TRY(wait_for_state(gateway, id, states, at_most));
    print(TRY(render_one(workspace_columns(RealClock{}.now()), seen, "workspace", look)));
    return Exit::ok;
}

}  // namespace

void add_wait(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("wait", "Workspaces", "Wait until a workspace is ready, or released",
                                 "berth wait web-shop --for=ready --timeout 60s");
    add_workspace_flags(command, *flags);
    command->add_option("--for", flags->what, "what to wait for")
        ->check(CLI::IsMember({"ready", "released"}))
        ->capture_default_str();
    command->add_option("--timeout", flags->timeout, "at most that long; then exit 124")->capture_default_str();
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
