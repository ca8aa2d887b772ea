// SPDX-License-Identifier: Apache-2.0
// berth why: the causal chain of a workspace, host, pool, claim or launch, out of the ledger.
#include "base/clock.hpp"
#include "cli/chain.hpp"
#include "cli/gateway_client.hpp"
#include "cli/workspace_columns.hpp"

namespace berth::cli {

namespace {

struct Flags {
    std::string id;
    bool brief = false;
};

// A project's name stands for its workspace, or for the last claim of it when it never got one.
Result<std::string> subject_of(GatewayClient& gateway, const std::string& name) {
    if (auto id = gateway.resolve(name, own_user())) return id;
    std::string newest, accepted_at;
    for (const auto& claim : TRY(gateway.claims())) {
        const bool meant = text_at(claim, "key") == name || (text_at(claim, "project") == name && text_at(claim, "user") == own_user());
        if (!meant || text_at(claim, "accepted_at") < accepted_at) continue;
        newest = text_at(claim, "claim");
        accepted_at = text_at(claim, "accepted_at");
    }
    return newest.empty() ? name : newest;
}

Result<Exit> run(const Shared& shared, const Flags& flags) {
    const auto look = TRY(shared.look());
    auto gateway = TRY(GatewayClient::find(shared));
    auto subject = flags.id;
    auto facts = TRY(gateway.facts(subject));
    if (facts.empty()) {
        subject = TRY(subject_of(gateway, flags.id));
        if (subject != flags.id) facts = TRY(gateway.facts(subject));
    }
    if (facts.empty()) {
        return fail(ErrorKind::not_found, "nothing in the ledger is about '{}'; ids stand in `berth list`, `berth hosts` and `berth pools`",
                    flags.id);
    }
    if (look.format == Format::json) {
        print(to_pretty_json(facts));
    } else if (look.format == Format::yaml) {
        print(to_yaml(facts));
    } else {
        print(draw_chain(subject, {facts.begin(), facts.end()}, {look.colour, flags.brief ? Detail::brief : Detail::full}));
        // What no fact says: why it is not idle at this moment.
        const auto workspace = gateway.workspace(subject);
        const auto line = workspace ? used(*workspace, RealClock{}.now()) : std::string{};
        if (!line.empty()) print("used: " + line + "\n");
    }
    return Exit::ok;
}

}  // namespace

void add_why(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto* command = commands.add("why", "Events", "The causal chain of a workspace, host, pool, claim or launch", "berth why web-shop");
    command->add_option("id", flags->id, "any id, a claim's key, or a project of yours")->required();
    command->add_flag("--brief", flags->brief, "one line per fact");
    commands.add_output(command, {"table", "json", "yaml"});
    commands.set_action(command, [&commands, flags] { return run(commands.shared(), *flags); });
}

}  // namespace berth::cli
