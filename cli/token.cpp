// SPDX-License-Identifier: Apache-2.0
// berth token: tokens for programs, what there is, and their end.
#include "base/clock.hpp"
#include "cli/gateway_client.hpp"
#include "cli/text.hpp"

namespace berth::cli {

namespace {

struct TokenFlags {
    std::string user;
    std::string role = "user";
    std::string ttl;
    std::string note;
    std::string id;
};

Result<Exit> create(const Shared& shared, const TokenFlags& flags) {
    const auto look = TRY(shared.look());
    Json body = {{"role", flags.role}, {"user", flags.user.empty() ? own_user() : flags.user}};
    if (!flags.ttl.empty()) body["ttl_ms"] = TRY(duration_flag("--ttl", flags.ttl)).count();
    if (!flags.note.empty()) body["note"] = flags.note;
    auto gateway = TRY(GatewayClient::find(shared));
    const auto made = TRY(gateway.mint_token(body));
    switch (look.format) {
        case Format::json: print(to_pretty_json(made)); return Exit::ok;
        case Format::yaml: print(to_yaml(made)); return Exit::ok;
        default: break;
    }
    const auto ends = text_at(made, "expires_at");
    remark(fmt::format("A token of {} ({}){}; shown this once ({}):", text_at(made, "user"), text_at(made, "role"),
                       ends.empty() ? ", without an end" : ", until " + ends, text_at(made, "id")));
    print(text_at(made, "token") + "\n");
    return Exit::ok;
}

Result<Exit> list(const Shared& shared, const TokenFlags&) {
    const auto look = TRY(shared.look());
    auto gateway = TRY(GatewayClient::find(shared));
    const auto tokens = TRY(gateway.tokens());
    const auto now = RealClock{}.now();
    const auto text = [](const char* key) { return [key](const Json& row) { return text_at(row, key); }; };
    const auto when = [now](const char* key) {
        return [key, now](const Json& row) {
            const auto at = from_rfc3339(text_at(row, key));
            return at ? relative(*at, now) : std::string{};
        };
    };
    const std::vector<Column> columns{{"ID", text("id")},       {"KIND", text("kind")},         {"ROLE", text("role")}, {"USER", text("user")},
                                      {"MADE", when("created_at")}, {"ENDS", when("expires_at")}, {"NOTE", text("note")}};
    print(TRY(render_rows(columns, {tokens.begin(), tokens.end()}, "id", look)));
    return Exit::ok;
}

Result<Exit> revoke(const Shared& shared, const TokenFlags& flags) {
    auto gateway = TRY(GatewayClient::find(shared));
    TRY(gateway.revoke_token(flags.id));
    remark(flags.id + " lets nobody in any more");
    return Exit::ok;
}

}  // namespace

void add_token(Commands& commands) {
    auto flags = std::make_shared<TokenFlags>();
    auto verb = std::make_shared<Result<Exit> (*)(const Shared&, const TokenFlags&)>(list);
    auto* command = commands.add("token", "People", "Tokens for programs: make, list, end",
                                 "berth token create --user ada --note laptop --ttl 90d\n  berth token list\n  berth token revoke t-1f0c8a");
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    command->require_subcommand(0, 1);
    auto* make = command->add_subcommand("create", "Mint a token; its text is printed this once");
    make->fallthrough();
    make->add_option("--user", flags->user, "whose (default: you)")->type_name("NAME");
    make->add_option("--role", flags->role, "user or operator")->check(CLI::IsMember({"user", "operator"}))->capture_default_str();
    make->add_option("--ttl", flags->ttl, "over after that (never)")->type_name("TIME");
    make->add_option("--note", flags->note, "what it is for")->type_name("TEXT");
    make->callback([verb] { *verb = create; });
    make->footer("\nExample:\n  berth token create --user ci --ttl 90d");
    auto* all = command->add_subcommand("list", "Tokens, sign-in links and sessions, without their text");
    all->fallthrough();
    all->callback([verb] { *verb = list; });
    all->footer("\nExample:\n  berth token list");
    auto* end = command->add_subcommand("revoke", "End a token, a sign-in link or a session");
    end->fallthrough();
    end->add_option("id", flags->id, "as `berth token list` shows it")->required();
    end->callback([verb] { *verb = revoke; });
    end->footer("\nExample:\n  berth token revoke t-1f0c8a");
    commands.set_action(command, [&commands, flags, verb] { return (*verb)(commands.shared(), *flags); });
}

}  // namespace berth::cli
