// SPDX-License-Identifier: Apache-2.0
// berth open: a fresh one-use link to a running workspace, in the browser or on stdout.
#include "cli/browser.hpp"
#include "cli/workspace_command.hpp"

namespace berth::cli {

namespace {

struct Flags : WorkspaceFlags {
    bool print_only = false;
};

Result<Exit> run(const Shared& shared, const Flags& flags) {
    auto [gateway, id] = TRY(find_workspace(shared, flags));
    const auto answer = TRY(gateway.link(id));
    const auto look = TRY(shared.look());
    const auto link = text_at(answer, "link");
    if (link.empty()) return fail(ErrorKind::unavailable, "{} gave no link; `berth start {}` starts it if it is stopped", id, id);
    if (look.format == Format::json) {
        print(to_pretty_json(answer));
        return Exit::ok;
    }
    if (flags.print_only) {
        print(link + "\n");
        return Exit::ok;
    }
    return open_in_browser(link, LinkGoes::to_stdout);
}

}  // namespace

void add_open(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("open", "Workspaces", "Open a running workspace in the browser",
                                 "berth open web-shop --print\n\nEnvironment: BROWSER (else xdg-open)");
    add_workspace_flags(command, *flags);
    command->add_flag("--print", flags->print_only, "print the link instead; it works once, within 60 s");
    commands.add_output(command, {"table", "json"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
