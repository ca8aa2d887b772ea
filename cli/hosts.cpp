// SPDX-License-Identifier: Apache-2.0
// berth hosts and berth pools: the machines, and how many of them there should be.
#include "base/clock.hpp"
#include "cli/gateway_client.hpp"
#include "cli/workspace_columns.hpp"

namespace berth::cli {

namespace {

Result<Exit> run_hosts(const Shared& shared, bool all) {
    const auto look = TRY(shared.look());
    auto gateway = TRY(GatewayClient::find(shared));
    std::vector<Json> rows;
    for (const auto& host : TRY(gateway.hosts())) {
        if (all || text_at(host, "liveness") != "gone") rows.push_back(host);
    }
    print(TRY(render_rows(host_columns(RealClock{}.now()), rows, "host", look)));
    return Exit::ok;
}

Result<Exit> run_pools(const Shared& shared) {
    const auto look = TRY(shared.look());
    auto gateway = TRY(GatewayClient::find(shared));
    const auto pools = TRY(gateway.pools());
    print(TRY(render_rows(pool_columns(), {pools.begin(), pools.end()}, "pool", look)));
    return Exit::ok;
}

}  // namespace

void add_hosts(Commands& commands) {
    auto all = std::make_shared<bool>(false);
    auto* command = commands.add("hosts", "Machines", "List hosts: liveness, slots in use, load", "berth hosts -o wide");
    command->add_flag("-a,--all", *all, "also those that are gone");
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands, all] { return run_hosts(commands.shared(), *all); });
}

void add_pools(Commands& commands) {
    auto* command = commands.add("pools", "Machines", "List pools: hosts, ready and leased slots, buffer", "berth pools -o json");
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands] { return run_pools(commands.shared()); });
}

}  // namespace berth::cli
