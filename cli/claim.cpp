// SPDX-License-Identifier: Apache-2.0
// berth claim: get or make the workspace of (user, project), and say what happens until it is ready.
#include <fmt/format.h>

#include "base/about.hpp"
#include "base/clock.hpp"
#include "cli/browser.hpp"
#include "cli/claiming.hpp"
#include "cli/instances.hpp"
#include "cli/text.hpp"
#include "cli/workspace_columns.hpp"

namespace berth::cli {

namespace {

constexpr Duration length_slack{90'000};  // of a lease's length, before it is another one than was asked for

struct ClaimFlags {
    std::string project;
    std::string user;
    std::string pool;
    std::string ttl;
    std::string wait;
    std::string key;
    bool no_wait = false;
    bool open = false;
};

// Says what became of a wish for another length, where it was not met as asked.
void tell_of_length(const Json& claimed, const ClaimOrder& order, Instant now) {
    const auto end = from_rfc3339(text_at(claimed, "lease_expires_at"));
    if (!order.ttl || !end) return;
    const auto left = *end - now;
    if (left + length_slack < *order.ttl) {
        remark(fmt::format("asked for {}; it lasts {}, which is as long as its pool gives (see `berth pools`)", to_text(*order.ttl), about(left)));
    } else if (left > *order.ttl + length_slack) {
        remark(fmt::format("asked for {}; it ran already and keeps its later end, in {}: a lease is never shortened, `berth stop` ends it",
                           to_text(*order.ttl), about(left)));
    }
}

Result<Exit> run_claim(const Shared& shared, const ClaimFlags& flags) {
    ClaimOrder order{flags.user.empty() ? own_user() : flags.user, flags.project, flags.pool, flags.key, {}, {}};
    if (order.key.empty()) order.key = new_claim_key();
    if (!flags.ttl.empty()) order.ttl = TRY(duration_flag("--ttl", flags.ttl));
    if (!flags.wait.empty()) order.wait = TRY(duration_flag("--wait", flags.wait));
    if (flags.no_wait) order.wait = Duration{0};
    const auto look = TRY(shared.look());
    auto gateway = TRY(GatewayClient::find(shared));
    const auto claimed = TRY(claim_and_narrate(gateway, order));
    const auto good = check_claimed(claimed);
    const auto now = RealClock{}.now();
    // A person reads the error; a script gets the whole answer too.
    if (good || look.format == Format::json || look.format == Format::yaml) {
        print(TRY(render_one(claim_columns(now), claimed, "workspace", look)));
    }
    if (!good) return fail(good.error());
    if (text_at(claimed, "state") != "granted") {
        remark("not ready yet; wait for it with:\n  " + resume_command(order));
        return Exit::no_capacity;
    }
    tell_of_length(claimed, order, now);
    if (!flags.open) return Exit::ok;
    const auto link = text_at(claimed, "link");
    if (link.empty()) return fail(ErrorKind::unavailable, "its host gave no link; `berth open {}` asks for another", flags.project);
    return open_in_browser(link, LinkGoes::to_stderr);
}

}  // namespace

namespace {

// What claim and create have in common.
CLI::Option* add_claim_flags(CLI::App* command, ClaimFlags& flags) {
    auto* project = command->add_option("project", flags.project, "the project's name");
    command->add_option("--user", flags.user, "whose workspace (default: $USER)");
    command->add_option("--pool", flags.pool, "from this pool");
    command->add_option("--ttl,--duration", flags.ttl, "length of the lease, as 90m or 8h; of a running one, its end moves later");
    auto* wait = command->add_option("--wait", flags.wait, "how long to wait, as 2m");
    command->add_flag("--no-wait", flags.no_wait, "answer at once, with the reason when nothing is free")->excludes(wait);
    command->add_option("--idempotency-key", flags.key, "asking again with this key gives the same answer");
    command->add_flag("--open", flags.open, "open it in the browser");
    return project;
}

}  // namespace

void add_claim(Commands& commands) {
    auto flags = std::make_shared<ClaimFlags>();
    auto* command = commands.add("claim", "Workspaces", "Get or make the workspace of a project, and wait until it is ready",
                                 "berth claim web-shop --ttl 4h --open\n\nEnvironment: USER (default of --user)\n"
                                 "Exit: 3 nothing free, 6 this key's outcome is over, 124 not ready in time, 130 let go (the claim goes on)");
    add_claim_flags(command, *flags)->required();
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags] { return run_claim(commands.shared(), *flags); });
}

// With a project it is a claim; without one it makes an instance of its own, as `instance-manager` did.
void add_create(Commands& commands) {
    auto flags = std::make_shared<ClaimFlags>();
    auto instance = std::make_shared<InstanceFlags>();
    auto* command = commands.add("create", "Workspaces", "With a project: claim its workspace. Without: make an EC2 instance with a time to live",
                                 "berth create --instance-type t3.micro --duration 2h --public-key ~/.ssh/id_ed25519.pub\n  berth create web-shop --ttl 4h\n\n"
                                 "Exit: 3 no capacity, quota or budget, 4 credentials or rights, 124 not up in time (it goes on)");
    add_claim_flags(command, *flags);
    add_instance_flags(command, *instance);
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags, instance]() -> Result<Exit> {
        if (flags->project.empty()) {
            instance->duration = flags->ttl;
            instance->no_wait = flags->no_wait;
            instance->key = flags->key;
            return create_instance(commands.shared(), *instance);
        }
        if (!instance->provider.empty() && instance->provider != "local") {
            return fail(ErrorKind::invalid, "--provider {} with a project: a claim takes a pool's machines, whatever provider they are of; name the pool with --pool (see `berth pools`)",
                        instance->provider);
        }
        if (const auto given = instance->first_given(); !given.empty()) return fail(ErrorKind::invalid, "{} is of an instance of its own; leave the project '{}' out", given, flags->project);
        return run_claim(commands.shared(), *flags);
    });
}

}  // namespace berth::cli
