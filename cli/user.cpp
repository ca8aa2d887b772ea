// SPDX-License-Identifier: Apache-2.0
// berth user: who may come in, a sign-in link for a person, and the end of all that lets one in.
#include "base/clock.hpp"
#include "cli/gateway_client.hpp"
#include "cli/text.hpp"
#include "http/client.hpp"

namespace berth::cli {

namespace {

struct UserFlags {
    std::string user;
    std::string role = "user";
    std::string ttl;
    std::string note;
};

Result<Exit> invite(const Shared& shared, const UserFlags& flags) {
    const auto look = TRY(shared.look());
    Json body = {{"role", flags.role}};
    if (!flags.ttl.empty()) body["ttl_ms"] = TRY(duration_flag("--ttl", flags.ttl)).count();
    if (!flags.note.empty()) body["note"] = flags.note;
    auto gateway = TRY(GatewayClient::find(shared));
    const auto made = TRY(gateway.invite_user(flags.user, body));
    switch (look.format) {
        case Format::json: print(to_pretty_json(made)); return Exit::ok;
        case Format::yaml: print(to_yaml(made)); return Exit::ok;
        default: break;
    }
    remark(fmt::format("Signs one browser in as {} ({}), once, until {}; shown this once ({}):", text_at(made, "user"), text_at(made, "role"),
                       text_at(made, "expires_at"), text_at(made, "id")));
    print(text_at(made, "link") + "\n");
    if (http::is_loopback(text_at(made, "link"))) {
        remark("It works on this machine alone: say in [gateway] public_url how others reach the gateway");
    }
    return Exit::ok;
}

Result<Exit> list(const Shared& shared, const UserFlags&) {
    const auto look = TRY(shared.look());
    auto gateway = TRY(GatewayClient::find(shared));
    const auto users = TRY(gateway.users());
    const auto now = RealClock{}.now();
    const auto text = [](const char* key) { return [key](const Json& row) { return text_at(row, key); }; };
    const auto roles = [](const Json& row) {
        std::string words;
        const auto* all = find(row, "roles");
        for (const auto& role : all ? *all : Json::array()) words += (words.empty() ? "" : ", ") + role.get<std::string>();
        return words;
    };
    const std::vector<Column> columns{{"USER", text("user")},
                                      {"ROLES", roles},
                                      {"BROWSERS", text("sessions"), Shown::always, Align::right},
                                      {"TOKENS", text("tokens"), Shown::always, Align::right},
                                      {"LINKS", text("links"), Shown::always, Align::right},
                                      {"WORKSPACES", [](const Json& row) { return text_at(row, "active") + "/" + text_at(row, "workspaces"); }, Shown::always, Align::right},
                                      {"SIGNED IN", [now](const Json& row) {
                                           const auto at = from_rfc3339(text_at(row, "signed_in_at"));
                                           return at ? relative(*at, now) : std::string{};
                                       }}};
    print(TRY(render_rows(columns, {users.begin(), users.end()}, "user", look)));
    return Exit::ok;
}

Result<Exit> end(const Shared& shared, const UserFlags& flags) {
    auto gateway = TRY(GatewayClient::find(shared));
    const auto ended = TRY(gateway.end_user(flags.user));
    remark(fmt::format("{}: {} sessions, sign-in links and tokens ended; workspaces stay, until `berth destroy`", flags.user, text_at(ended, "ended")));
    return Exit::ok;
}

}  // namespace

void add_user(Commands& commands) {
    auto flags = std::make_shared<UserFlags>();
    auto verb = std::make_shared<Result<Exit> (*)(const Shared&, const UserFlags&)>(list);
    auto* command = commands.add("user", "People", "Who may come in; a sign-in link for a person",
                                 "berth user invite ada --ttl 1h\n  berth user list\n  berth user end ada");
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    command->require_subcommand(0, 1);
    auto* make = command->add_subcommand("invite", "Print a link that signs one browser in, once");
    make->fallthrough();
    make->add_option("user", flags->user, "the person's name here")->required();
    make->add_option("--role", flags->role, "user or operator")->check(CLI::IsMember({"user", "operator"}))->capture_default_str();
    make->add_option("--ttl", flags->ttl, "the link works for so long (gateway.invite_ttl)")->type_name("TIME");
    make->add_option("--note", flags->note, "what it is for")->type_name("TEXT");
    make->callback([verb] { *verb = invite; });
    make->footer("\nExample:\n  berth user invite ada --role operator");
    auto* all = command->add_subcommand("list", "Who may come in, and who has workspaces");
    all->fallthrough();
    all->callback([verb] { *verb = list; });
    all->footer("\nExample:\n  berth user list -o json");
    auto* over = command->add_subcommand("end", "End all sessions, sign-in links and tokens of a user");
    over->fallthrough();
    over->add_option("user", flags->user, "whose")->required();
    over->callback([verb] { *verb = end; });
    over->footer("\nExample:\n  berth user end ada");
    commands.set_action(command, [&commands, flags, verb] { return (*verb)(commands.shared(), *flags); });
}

}  // namespace berth::cli
