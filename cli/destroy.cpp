// SPDX-License-Identifier: Apache-2.0
// berth destroy: stop it and erase its files. Asks first on a terminal; refuses on a pipe without --yes.
#include <unistd.h>

#include <iostream>

#include "cli/text.hpp"
#include "cli/workspace_command.hpp"

namespace berth::cli {

namespace {

struct Flags : EndingFlags {
    bool yes = false;
};

Result<bool> is_sure(const std::string& id, const Json& workspace) {
    if (::isatty(STDIN_FILENO) != 1) {
        return fail(ErrorKind::invalid, "destroying {} erases its files for ever; say --yes to do it without being asked", id);
    }
    tell(fmt::format("{} ({} of {}): erase it and all its files? Type its project's name to go on: ", printable(id),
                     printable(text_at(workspace, "project")), printable(text_at(workspace, "user"))));
    std::string answer;
    std::getline(std::cin, answer);
    return answer == text_at(workspace, "project");
}

Result<Exit> run(const Shared& shared, const Flags& flags) {
    auto found = TRY(find_workspace(shared, flags));
    if (!flags.yes) {
        const auto workspace = TRY(found.gateway.workspace(found.id));
        if (!TRY(is_sure(found.id, workspace))) {
            remark("nothing was changed");
            return Exit::failed;
        }
    }
    const auto answer = TRY(found.gateway.destroy(found.id, flags.why));
    return finish_ending(shared, found, flags, answer, {"is being destroyed", "is destroyed", {"destroyed"}});
}

}  // namespace

void add_destroy(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("destroy", "Workspaces", "Stop a workspace and erase its files, for ever",
                                 "berth destroy web-shop --yes");
    command->alias("rm");
    add_ending_flags(command, *flags, "its files are erased");
    command->add_flag("-y,--yes", flags->yes, "do not ask");
    commands.add_output(command, {"table", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
