// SPDX-License-Identifier: Apache-2.0
// berth list: the workspaces; with -w again each time that something about them changes.
#include <unistd.h>

#include <utility>

#include "base/clock.hpp"
#include "cli/gateway_client.hpp"
#include "cli/instances.hpp"
#include "cli/interrupt.hpp"
#include "cli/workspace_columns.hpp"

namespace berth::cli {

namespace {

constexpr Duration refresh{2'000};
constexpr Duration turn_length{200};

struct Flags {
    std::string user;
    std::string state;
    std::string pool;
    bool all = false;
    bool watch = false;
    std::string provider;
    std::vector<std::string> regions;
};

Result<std::vector<Json>> fetch(GatewayClient& gateway, const Flags& flags) {
    std::vector<Json> rows;
    for (const auto& workspace : TRY(gateway.workspaces())) {
        const auto state = text_at(workspace, "state");
        const bool wanted = (flags.user.empty() || text_at(workspace, "user") == flags.user) &&
                            (flags.pool.empty() || text_at(workspace, "pool") == flags.pool) &&
                            (flags.state.empty() ? flags.all || state != "destroyed" : state == flags.state);
        if (wanted) rows.push_back(workspace);
    }
    return rows;
}

Result<Exit> watch(GatewayClient& gateway, const Flags& flags, const Look& look) {
    const bool terminal = ::isatty(STDOUT_FILENO) == 1 && (look.format == Format::table || look.format == Format::wide);
    RealClock clock;
    bool stale = true;
    bool told = false;
    StreamOrder stream;
    stream.types = "workspace.,lease.";
    gateway.start_events(stream, [&](const SseEvent&) { stale = true; }, [](const Error&) {});
    std::string shown;
    Instant next_look;
    while (!Interrupt::seen() && !output_is_lost()) {
        if (stale || clock.now() >= next_look) {
            stale = false;
            next_look = clock.now() + refresh;
            const auto fetched = fetch(gateway, flags);
            if (Interrupt::seen()) break;
            if (!fetched && may_pass(fetched.error())) {         // its gateway is started anew, perhaps
                if (!std::exchange(told, true)) remark(fetched.error().text + "; looking again");
                gateway.http().turn(turn_length);
                continue;
            }
            const auto rows = TRY(fetched);
            told = false;
            const auto facts = Json(rows).dump();
            if (terminal || facts != shown) {
                print((terminal ? "\033[H\033[2J" : "") +
                      TRY(render_rows(workspace_columns(clock.now()), rows, "workspace", look)));
                shown = facts;
            }
        }
        gateway.http().turn(turn_length);
    }
    return output_is_lost() ? Exit::failed : Exit::interrupted;
}

Result<Exit> run(const Shared& shared, const Flags& flags) {
    const auto look = TRY(shared.look());
    if (!flags.provider.empty() && flags.provider != "aws") return fail(ErrorKind::invalid, "--provider {}: instances are made at aws only; workspaces are listed without it", flags.provider);
    auto found = GatewayClient::find(shared);
    if (!flags.provider.empty() || !flags.regions.empty() || (!found && has_made_instances(shared))) return list_instances(shared, flags.regions, flags.all);
    auto gateway = TRY(std::move(found));
    if (flags.watch) return watch(gateway, flags, look);
    const auto rows = TRY(fetch(gateway, flags));
    print(TRY(render_rows(workspace_columns(RealClock{}.now()), rows, "workspace", look)));
    if (rows.empty() && look.format == Format::table) remark("no workspaces; make one with `berth claim my-project`");
    return Exit::ok;
}

}  // namespace

void add_list(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("list", "Workspaces", "List workspaces", "berth list -w --user ada");
    command->alias("ls");
    command->add_flag("-w,--watch", flags->watch, "print again at each change, until Ctrl-C");
    command->add_option("--user", flags->user, "only of this user");
    command->add_option("--in", flags->state, "only in this state, as active or stopped");
    command->add_option("--pool", flags->pool, "only of this pool");
    command->add_flag("-a,--all", flags->all, "also what was destroyed lately");
    command->add_option("--provider", flags->provider, "aws: the instances of `berth create` instead; without a berth here they are what is listed");
    command->add_option("--region", flags->regions, "of instances: look there and nowhere else");
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
