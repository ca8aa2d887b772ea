// SPDX-License-Identifier: Apache-2.0
// berth claim: get or make the workspace of (user, project), and say what happens until it is ready.
#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/rng.hpp"
#include "cli/browser.hpp"
#include "cli/gateway_client.hpp"
#include "cli/interrupt.hpp"
#include "cli/narrate.hpp"
#include "cli/text.hpp"
#include "cli/workspace_columns.hpp"

namespace berth::cli {

namespace {

constexpr Duration turn_length{100};
constexpr Duration answer_patience{2'000};  // after the stream said how it ended
constexpr Duration link_patience{500};      // after it was granted; its host may be starting it anew

struct ClaimFlags {
    std::string project;
    std::string user;
    std::string pool;
    std::string ttl;
    std::string wait;
    std::string key;
    bool no_wait = false;
    bool open = false;
    // Flags of the older command line (requirements 23).
    std::string provider, instance_type, public_key, zone;
};

Result<void> refuse_cloud_flags(const ClaimFlags& flags) {
    const std::pair<const char*, const std::string*> cloud_only[] = {{"--instance-type", &flags.instance_type},
                                                                     {"--public-key", &flags.public_key},
                                                                     {"--availability-zone", &flags.zone}};
    if (!flags.provider.empty() && flags.provider != "local") {
        return fail(ErrorKind::invalid, "--provider {}: needs a pool of that provider; name it with --pool (see `berth pools`)",
                    flags.provider);
    }
    for (const auto& [name, value] : cloud_only) {
        if (!value->empty()) return fail(ErrorKind::invalid, "{} needs an aws pool; this berth runs local hosts (see `berth pools`)", name);
    }
    return {};
}

std::string resume_command(const ClaimOrder& order) {
    auto text = fmt::format("berth claim {} --user {} --idempotency-key {}", shell_quoted(order.project),
                            shell_quoted(order.user), shell_quoted(order.key));
    if (!order.pool.empty()) text += " --pool " + shell_quoted(order.pool);
    if (order.ttl) text += " --ttl " + to_text(*order.ttl);
    return text;
}

// Follows the stream while the request waits; the answer comes from the request alone.
Result<Json> claim_and_narrate(GatewayClient& gateway, const ClaimOrder& order) {
    RealClock clock;
    Narrator narrator(clock.now());
    ClaimFollower follower(order.key);
    Spinner spinner;
    std::optional<Result<Json>> outcome;
    std::optional<Instant> ended_at, granted_at;
    const auto say = [&](const Phase& phase) {
        if (const auto line = narrator.note(phase, clock.now())) {
            spinner.clear();
            remark(*line);
        }
    };
    StreamOrder stream;
    stream.types = "claim.,lease.granted,workspace.started,workspace.failed";
    gateway.start_events(
        stream,
        [&](const SseEvent& event) {
            const auto body = Json::parse(event.data, nullptr, false);
            const auto* data = find(body, "data");
            if (data == nullptr) return;
            if (const auto phase = follower.feed(event_name_of(event.type, body), *data)) say(*phase);
        },
        [](const Error&) {});  // without the stream the claim still gets its answer
    say({fmt::format("asking for {} of {}", order.project, order.user), ""});
    gateway.start_claim(order, [&](Result<Json> answer) { outcome = std::move(answer); });
    while (!outcome) {
        gateway.http().turn(turn_length);
        if (Interrupt::seen()) {
            spinner.clear();
            remark("let go; the claim goes on. Take it up again with:\n  " + resume_command(order));
            return fail(ErrorKind::timeout, "interrupted");
        }
        if (!outcome && follower.granted()) {
            if (!granted_at) granted_at = clock.now();
            if (clock.now() >= *granted_at + link_patience) say({"granted; waiting for its host", ""});
        }
        if (!outcome && follower.ended()) {
            if (!ended_at) ended_at = clock.now();
            if (clock.now() >= *ended_at + answer_patience) {
                outcome = fail(follower.ended()->kind, "{}; see `berth why {}`", follower.ended()->text, printable(follower.claim()));
            }
        }
        if (!outcome) spinner.show(narrator.waiting_line(clock.now()));
    }
    spinner.clear();
    if (*outcome && text_at(**outcome, "state") == "granted") say({"ready", ""});
    return std::move(*outcome);
}

Result<Exit> run_claim(const Shared& shared, const ClaimFlags& flags) {
    TRY(refuse_cloud_flags(flags));
    ClaimOrder order{flags.user.empty() ? own_user() : flags.user, flags.project, flags.pool, flags.key, {}, {}};
    if (order.key.empty()) order.key = "cli-" + random_hex(12);
    if (!flags.ttl.empty()) order.ttl = TRY(duration_flag("--ttl", flags.ttl));
    if (!flags.wait.empty()) order.wait = TRY(duration_flag("--wait", flags.wait));
    if (flags.no_wait) order.wait = Duration{0};
    const auto look = TRY(shared.look());
    auto gateway = TRY(GatewayClient::find(shared));
    const auto granted = TRY(claim_and_narrate(gateway, order));
    const auto state = text_at(granted, "state");
    if (state == "denied" || state == "failed" || state == "expired") {
        const auto kind = enum_from<ErrorKind>(text_at(granted, "kind")).value_or(ErrorKind::no_capacity);
        return fail(kind, "the claim ended {}: {}", state, text_at(granted, "text"));
    }
    print(TRY(render_one(claim_columns(RealClock{}.now()), granted, "workspace", look)));
    if (state != "granted") {
        remark("not ready yet; wait for it with:\n  " + resume_command(order));
        return Exit::no_capacity;
    }
    if (flags.open) return open_in_browser(text_at(granted, "link"));
    return Exit::ok;
}

}  // namespace

void add_claim(Commands& commands) {
    auto flags = std::make_shared<ClaimFlags>();
    auto* command = commands.add("claim", "Workspaces", "Get or make the workspace of a project, and wait until it is ready",
                                 "berth claim web-shop --ttl 4h --open\n\nEnvironment: USER (default of --user)\n"
                                 "Exit: 3 nothing free, 124 not ready in time, 130 let go (the claim goes on)");
    command->alias("create");
    command->add_option("project", flags->project, "the project's name")->required();
    command->add_option("--user", flags->user, "whose workspace (default: $USER)");
    command->add_option("--pool", flags->pool, "from this pool");
    command->add_option("--ttl,--duration", flags->ttl, "length of the lease, as 90m or 8h");
    auto* wait = command->add_option("--wait", flags->wait, "how long to wait, as 2m");
    command->add_flag("--no-wait", flags->no_wait, "answer at once, with the reason when nothing is free")->excludes(wait);
    command->add_option("--idempotency-key", flags->key, "asking again with this key gives the same answer");
    command->add_flag("--open", flags->open, "open it in the browser");
    command->add_option("--provider", flags->provider, "as in older versions; needs a pool of that provider");
    command->add_option("--instance-type", flags->instance_type, "only with an aws pool");
    command->add_option("--public-key", flags->public_key, "only with an aws pool");
    command->add_option("--availability-zone", flags->zone, "only with an aws pool");
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands, flags] { return run_claim(commands.shared(), *flags); });
}

}  // namespace berth::cli
