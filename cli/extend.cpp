// SPDX-License-Identifier: Apache-2.0
// berth extend: move the end of a lease. Absolute and never backwards, so that repeating it is safe.
#include <algorithm>

#include "base/clock.hpp"
#include "cli/instances.hpp"
#include "cli/workspace_command.hpp"

namespace berth::cli {

namespace {

struct Flags : WorkspaceFlags {
    std::string by;
    std::string until;
    std::string instance;
};

Result<Instant> wanted_end(const Flags& flags, Instant now) {
    if (!flags.until.empty()) return from_rfc3339(flags.until);
    return now + TRY(duration_flag("--ttl", flags.by));
}

// --instance-id names a host's instance; with one workspace on it, that is the one.
Result<std::string> workspace_on(GatewayClient& gateway, const std::string& instance) {
    std::vector<std::string> hosts;
    for (const auto& host : TRY(gateway.hosts())) {
        if (text_at(host, "instance") == instance) hosts.push_back(text_at(host, "host"));
    }
    std::vector<std::string> found;
    for (const auto& workspace : TRY(gateway.workspaces())) {
        const auto state = text_at(workspace, "state");
        const bool there = std::find(hosts.begin(), hosts.end(), text_at(workspace, "host")) != hosts.end();
        if (there && (state == "active" || state == "starting")) found.push_back(text_at(workspace, "workspace"));
    }
    if (found.size() == 1) return found.front();
    return fail(found.empty() ? ErrorKind::not_found : ErrorKind::conflict,
                "instance {} holds {} running workspaces; name one workspace instead (see `berth list -o wide`)", instance,
                found.size());
}

Result<Exit> run(const Shared& shared, const Flags& flags) {
    const auto end = TRY(wanted_end(flags, RealClock{}.now()));
    if (flags.instance.empty() == flags.name.empty()) {
        return fail(ErrorKind::invalid, "name the workspace, or its machine with --instance-id");
    }
    if (is_of_ec2(shared, flags.instance)) return extend_instance(shared, flags.instance, end - RealClock{}.now());
    auto gateway = TRY(GatewayClient::find(shared));
    const auto id = flags.instance.empty() ? TRY(gateway.resolve(flags.name, flags.user.empty() ? own_user() : flags.user))
                                           : TRY(workspace_on(gateway, flags.instance));
    const auto answer = TRY(gateway.extend(id, end));
    if (const auto* waiting = find(answer, "waiting"); waiting != nullptr) {
        return report(shared, id, fmt::format("is stopped and waits for a free slot, place {}; `berth wait {}` follows it", text_at(*waiting, "place"), id), answer);
    }
    const auto now_ends = text_at(answer, "expires_at");
    return report(shared, id, "lasts until " + (now_ends.empty() ? to_rfc3339(end) : now_ends), answer);
}

}  // namespace

void add_extend(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("extend", "Workspaces", "Move the end of a lease; starts a stopped workspace again",
                                 "berth extend web-shop 4h");
    add_workspace_flags(command, *flags);
    command->get_option("workspace")->required(false);
    auto* by = command->add_option("length,--ttl,--duration", flags->by, "from now, as 90m or 4h");
    auto* until = command->add_option("--until", flags->until, "an instant, as 2026-11-21T18:00:00Z")->excludes(by);
    by->excludes(until);
    command->add_option("--instance-id", flags->instance, "an instance of `berth create`, or the workspace on this machine");
    commands.add_output(command, {"table", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags]() -> Result<Exit> {
        if (flags->by.empty() && flags->until.empty()) return fail(ErrorKind::invalid, "say how long, as in `berth extend web-shop 4h`, or with --until");
        return run(commands.shared(), *flags);
    });
}

}  // namespace berth::cli
