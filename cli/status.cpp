// SPDX-License-Identifier: Apache-2.0
// berth status: the whole in a dozen lines: health, hosts, slots, workspaces, waiting claims.
#include <map>

#include "base/clock.hpp"
#include "cli/gateway_client.hpp"
#include "cli/instances.hpp"
#include "cli/text.hpp"
#include "cli/workspace_columns.hpp"

namespace berth::cli {

namespace {

std::string counts(const std::map<std::string, int>& of) {
    std::string text;
    for (const auto& [name, count] : of) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
    return text.empty() ? "none" : text;
}

Result<Exit> one_machine(GatewayClient& gateway, const std::string& instance, const Look& look) {
    for (const auto& host : TRY(gateway.hosts())) {
        if (text_at(host, "instance") == instance || text_at(host, "host") == instance) {
            print(TRY(render_one(host_columns(RealClock{}.now()), host, "host", look)));
            return Exit::ok;
        }
    }
    return fail(ErrorKind::not_found, "no machine {}; see `berth hosts -o wide`", instance);
}

Result<Exit> run(const Shared& shared, const std::string& instance) {
    if (is_of_ec2(shared, instance)) return show_instance(shared, instance);
    const auto look = TRY(shared.look());
    auto gateway = TRY(GatewayClient::find(shared));
    if (!instance.empty()) return one_machine(gateway, instance, look);
    const auto health = TRY(gateway.health());
    const auto hosts = TRY(gateway.hosts());
    const auto workspaces = TRY(gateway.workspaces());
    const auto pools = TRY(gateway.pools());
    Json all = {{"gateway", gateway.url()}, {"health", health}, {"pools", pools}, {"hosts", hosts}, {"workspaces", workspaces}};
    if (look.format != Format::table && look.format != Format::wide) {
        print(look.format == Format::yaml ? to_yaml(all) : to_pretty_json(all));
        return Exit::ok;
    }
    std::map<std::string, int> host_states, workspace_states, slot_uses;
    std::string troubles;
    for (const auto& host : hosts) {
        if (text_at(host, "liveness") == "gone") continue;
        if (const auto why = text_at(host, "impaired"); !why.empty()) troubles += fmt::format("trouble     {} can start nothing: {}\n", printable(text_at(host, "host")), printable(why));
        const auto admission = text_at(host, "admission");
        ++host_states[text_at(host, "liveness") + (admission.empty() || admission == "open" ? "" : " " + admission)];
        if (const auto* slots = find(host, "slots"); slots != nullptr && slots->is_array()) {
            for (const auto& slot : *slots) ++slot_uses[text_at(slot, "use")];
        }
    }
    for (const auto& workspace : workspaces) ++workspace_states[text_at(workspace, "state")];
    print(fmt::format("gateway     {} ({})\n", printable(gateway.url()), printable(text_at(health, "status"))) +
          fmt::format("hosts       {}\n", counts(host_states)) + fmt::format("slots       {}\n", counts(slot_uses)) +
          fmt::format("workspaces  {}\n", counts(workspace_states)) + troubles + "\n");
    print(TRY(render_rows(pool_columns(), {pools.begin(), pools.end()}, "pool", look)));
    return Exit::ok;
}

}  // namespace

void add_status(Commands& commands) {
    auto instance = std::make_shared<std::string>();
    auto* command = commands.add("status", "Machines", "The whole in a few lines", "berth status -o json");
    command->add_option("--instance-id", *instance, "only this machine, or this instance of `berth create`");
    commands.add_output(command, {"table", "wide", "json", "yaml"});
    commands.set_action(command, [&commands, instance] { return run(commands.shared(), *instance); });
}

}  // namespace berth::cli
