// SPDX-License-Identifier: Apache-2.0
// What the commands about one workspace have in common: they take its id, the beginning of one, or
// the project's name, and say what became of it.
#pragma once

#include "cli/command.hpp"
#include "cli/gateway_client.hpp"

namespace berth::cli {

struct WorkspaceFlags {
    std::string name;
    std::string user;
};

/// Adds the positional argument and --user.
void add_workspace_flags(CLI::App* command, WorkspaceFlags& flags);

/// Of the commands that end something of a workspace.
struct EndingFlags : WorkspaceFlags {
    std::string why = "asked on the command line";
    std::string wait;
};

/// add_workspace_flags, --why, and --wait until `until`.
void add_ending_flags(CLI::App* command, EndingFlags& flags, const std::string& until);

struct FoundWorkspace {
    GatewayClient gateway;
    std::string id;
};
Result<FoundWorkspace> find_workspace(const Shared& shared, const WorkspaceFlags& flags);

/// Waits until the workspace is in one of `states`; one that is not found any more is "destroyed".
Result<Json> wait_for_state(GatewayClient& gateway, const std::string& id, const std::vector<std::string>& states,
                            Duration at_most);

/// What an ending is called while it goes on and afterwards, and the states in which it is over.
struct Ending {
    std::string goes_on;                  // "is being stopped"
    std::string over;                     // "is stopped"
    std::vector<std::string> states;
};
/// After `answer`, the gateway's: reports it, or waits as --wait says and reports how it ended.
Result<Exit> finish_ending(const Shared& shared, FoundWorkspace& found, const EndingFlags& flags, const Json& answer,
                           const Ending& ending);

/// "demo-1 released" on stderr; with -o json the answer on stdout.
Result<Exit> report(const Shared& shared, const std::string& id, const std::string& said, const Json& answer);

}  // namespace berth::cli
