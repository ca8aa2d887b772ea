// SPDX-License-Identifier: Apache-2.0
// berth hold: do not stop this workspace for idleness until then. The pool caps how long.
#include "base/clock.hpp"
#include "cli/workspace_command.hpp"

namespace berth::cli {

namespace {

struct Flags : WorkspaceFlags {
    std::string length = "1h";
    std::string why;
};

Result<Exit> run(const Shared& shared, const Flags& flags) {
    const auto until = RealClock{}.now() + TRY(duration_flag("--for", flags.length));
    auto [gateway, id] = TRY(find_workspace(shared, flags));
    const auto answer = TRY(gateway.hold(id, until, flags.why.empty() ? "asked on the command line" : flags.why));
    const auto granted = text_at(answer, "hold_until");
    return report(shared, id, "is not stopped for idleness until " + (granted.empty() ? to_rfc3339(until) : granted), answer);
}

}  // namespace

void add_hold(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("hold", "Workspaces", "Do not stop a workspace for idleness for a while",
                                 "berth hold web-shop 2h --why 'a long test run'");
    add_workspace_flags(command, *flags);
    command->add_option("length,--for", flags->length, "for how long")->capture_default_str();
    command->add_option("--why", flags->why, "the reason that the ledger keeps");
    commands.add_output(command, {"table", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
