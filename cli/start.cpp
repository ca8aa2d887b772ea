// SPDX-License-Identifier: Apache-2.0
// berth start: bring a stopped workspace back, with its files.
#include "base/about.hpp"
#include "base/clock.hpp"
#include "cli/claiming.hpp"
#include "cli/instances.hpp"
#include "cli/text.hpp"
#include "cli/workspace_columns.hpp"
#include "cli/workspace_command.hpp"

namespace berth::cli {

namespace {

struct Flags : WorkspaceFlags {
    std::string wait = "2m";
    bool no_wait = false;
    std::string instance;
};

// The claim expired with its wait: nothing is left that could start it.
bool ended_by_itself(const Error& error) { return error.kind == ErrorKind::no_capacity; }

// Waiting for a start is waiting for a claim: a place in line, a reason, and an end, after which nothing starts
// by surprise.
Result<Exit> run(const Shared& shared, const Flags& flags) {
    if (flags.name.empty() == flags.instance.empty()) return fail(ErrorKind::invalid, "name the workspace, or an instance of `berth create` with --instance-id");
    if (!flags.instance.empty()) return start_instance(shared, flags.instance, flags.no_wait);
    const auto look = TRY(shared.look());
    const auto at_most = TRY(duration_flag("--wait", flags.wait));
    auto [gateway, id] = TRY(find_workspace(shared, flags));
    if (flags.no_wait) {
        const auto answer = TRY(gateway.start(id));
        if (text_at(answer, "state") == "active") return report(shared, id, "runs", answer);
        const auto* waiting = find(answer, "waiting");
        if (waiting == nullptr) return report(shared, id, "is being started", answer);
        const auto until = from_rfc3339(text_at(*waiting, "deadline"));
        return report(shared, id, fmt::format("waits for a free slot, place {}{}; `berth wait {}` follows it", text_at(*waiting, "place"),
                                              until ? ", " + about(*until - RealClock{}.now()) + " at most" : std::string{}, id), answer);
    }
    const auto before = TRY(gateway.workspace(id));
    const auto state = text_at(before, "state");
    if (state == "destroying" || state == "destroyed") {
        return fail(ErrorKind::conflict, "{} is {}; `berth claim {}` makes a new one", id, state, shell_quoted(text_at(before, "project")));
    }
    if (state != "active") {
        const ClaimOrder order{text_at(before, "user"), text_at(before, "project"), text_at(before, "pool"), new_claim_key(), {}, at_most};
        const auto claimed = claim_and_narrate(gateway, order);
        if (!claimed) return fail(claimed.error().kind, "{}{}", claimed.error().text, ended_by_itself(claimed.error()) ? "; it does not start later by itself" : "");
        TRY(check_claimed(*claimed));
    }
    const auto now_is = TRY(gateway.workspace(id));
    print(TRY(render_one(workspace_columns(RealClock{}.now()), now_is, "workspace", look)));
    return Exit::ok;
}

}  // namespace

void add_start(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("start", "Workspaces", "Start a stopped workspace again",
                                 "berth start web-shop --wait 30s\n\nExit: 3 nothing became free in time (and it does not start later), 124 not ready in time");
    add_workspace_flags(command, *flags);
    command->get_option("workspace")->required(false);
    command->add_option("--instance-id", flags->instance, "an instance of `berth create`; `berth extend` gives it time again");
    auto* wait = command->add_option("--wait", flags->wait, "wait until it is ready, at most that long")->capture_default_str();
    command->add_flag("--no-wait", flags->no_wait, "do not wait")->excludes(wait);
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
