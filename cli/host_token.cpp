// SPDX-License-Identifier: Apache-2.0
// berth host-token: the one command by which a new machine joins; what such tokens there are, and their end.
#include "base/clock.hpp"
#include "cli/gateway_client.hpp"
#include "cli/text.hpp"
#include "http/client.hpp"

namespace berth::cli {

namespace {

struct HostTokenFlags {
    std::string pool;
    std::string ttl = "1h";
    std::uint32_t uses = 1;
    std::string note;
    std::string id;
};

Result<Exit> mint(const Shared& shared, const HostTokenFlags& flags) {
    const auto look = TRY(shared.look());
    const auto ttl = TRY(duration_flag("--ttl", flags.ttl));
    auto gateway = TRY(GatewayClient::find(shared));
    Json body = {{"ttl_ms", ttl.count()}, {"uses", flags.uses}};
    if (!flags.pool.empty()) body["pool"] = flags.pool;
    if (!flags.note.empty()) body["note"] = flags.note;
    const auto made = TRY(gateway.mint_host_token(body));
    switch (look.format) {
        case Format::json: print(to_pretty_json(made)); return Exit::ok;
        case Format::yaml: print(to_yaml(made)); return Exit::ok;
        case Format::name: print(text_at(made, "token") + "\n"); return Exit::ok;
        default: break;
    }
    remark(fmt::format("For {} machine{} of pool {}, until {}; shown this once ({}). On the new machine:", flags.uses, flags.uses == 1 ? "" : "s",
                       text_at(made, "pool"), text_at(made, "expires_at"), text_at(made, "id")));
    print(text_at(made, "command") + "\n");
    if (http::is_loopback(text_at(made, "url"))) {
        remark(fmt::format("{} is this machine's own: let the gateway listen where others reach it ([gateway] listen_address), and say how they "
                           "do ([gateway] public_url)", text_at(made, "url")));
    }
    return Exit::ok;
}

Result<Exit> list(const Shared& shared, const HostTokenFlags&) {
    const auto look = TRY(shared.look());
    auto gateway = TRY(GatewayClient::find(shared));
    std::vector<Json> rows;
    for (auto& token : TRY(gateway.tokens())) {
        if (text_at(token, "role") == "host") rows.push_back(token);
    }
    const auto now = RealClock{}.now();
    const auto text = [](const char* key) { return [key](const Json& row) { return text_at(row, key); }; };
    const std::vector<Column> columns{{"TOKEN", text("id")},
                                      {"POOL", text("pool")},
                                      {"USED", [](const Json& row) { return text_at(row, "used") + "/" + text_at(row, "uses_max"); }, Shown::always, Align::right},
                                      {"ENDS", [now](const Json& row) {
                                           const auto at = from_rfc3339(text_at(row, "expires_at"));
                                           return at ? relative(*at, now) : std::string{};
                                       }},
                                      {"NOTE", text("note")}};
    print(TRY(render_rows(columns, rows, "id", look)));
    return Exit::ok;
}

Result<Exit> revoke(const Shared& shared, const HostTokenFlags& flags) {
    auto gateway = TRY(GatewayClient::find(shared));
    TRY(gateway.revoke_token(flags.id));
    remark(flags.id + " enrols nobody any more; machines that came with it stay, until `berth hosts end`");
    return Exit::ok;
}

}  // namespace

void add_host_token(Commands& commands) {
    auto flags = std::make_shared<HostTokenFlags>();
    auto verb = std::make_shared<Result<Exit> (*)(const Shared&, const HostTokenFlags&)>(mint);
    auto* command = commands.add("host-token", "Machines", "Print the one command that makes a machine a host of a pool",
                                 "berth host-token --pool lab --ttl 1h --uses 3\n  berth host-token list\n  berth host-token revoke t-1f0c8a");
    command->add_option("--pool", flags->pool, "the pool that it joins; default: the only one, or 'default'")->type_name("NAME");
    command->add_option("--ttl", flags->ttl, "no new machine after that (1h)")->type_name("TIME");
    command->add_option("--uses", flags->uses, "for so many machines (1)")->type_name("N");
    command->add_option("--note", flags->note, "what it is for")->type_name("TEXT");
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    command->require_subcommand(0, 1);
    auto* all = command->add_subcommand("list", "The tokens by which machines may come, without their text");
    all->fallthrough();
    all->callback([verb] { *verb = list; });
    all->footer("\nExample:\n  berth host-token list");
    auto* end = command->add_subcommand("revoke", "End one: no machine comes with it any more");
    end->fallthrough();
    end->add_option("token", flags->id, "its id, as `berth host-token list` shows it")->required();
    end->callback([verb] { *verb = revoke; });
    end->footer("\nExample:\n  berth host-token revoke t-1f0c8a");
    commands.set_action(command, [&commands, flags, verb] { return (*verb)(commands.shared(), *flags); });
}

}  // namespace berth::cli
