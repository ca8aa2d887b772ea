// SPDX-License-Identifier: Apache-2.0
// berth hosts and berth pools: the machines, how many of them there should be, and what an operator
// may do with one: keep new workspaces away, empty it, end it.
#include "base/clock.hpp"
#include "cli/gateway_client.hpp"
#include "cli/interrupt.hpp"
#include "cli/text.hpp"
#include "cli/pool_report.hpp"
#include "cli/workspace_columns.hpp"

namespace berth::cli {

namespace {

constexpr Duration look_again{500};

struct HostFlags {
    std::string name;
    std::string why = "asked on the command line";
    std::string wait;
    std::string by;
    bool force = false;
    bool undo = false;
};

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
    if (look.format != Format::table && look.format != Format::wide) return Exit::ok;
    for (const auto& pool : pools) {
        for (const auto& [text, way] : provider_says(pool)) remark(fmt::format("{}: {}", printable(text_at(pool, "pool")), printable(text)));
    }
    return Exit::ok;
}

/// "h-1 is cordoned" on stderr; with -o json the host on stdout.
Result<Exit> report(const Shared& shared, const std::string& id, const std::string& said, const Json& host) {
    const auto look = TRY(shared.look());
    switch (look.format) {
        case Format::json: print(to_pretty_json(host)); break;
        case Format::yaml: print(to_yaml(host)); break;
        case Format::name: print(id + "\n"); break;
        default: remark(fmt::format("{} {}", id, said));
    }
    return Exit::ok;
}

std::size_t held_slots(const Json& host) {
    std::size_t held = 0;
    const auto* slots = find(host, "slots");
    if (slots == nullptr || !slots->is_array()) return 0;
    for (const auto& slot : *slots) held += text_at(slot, "workspace").empty() ? 0 : 1;
    return held;
}

/// What keeps this host; empty when it is as wanted. `host` is null when it is known no more.
using Keeps = std::string (*)(const Json& host);

std::string keeps_from_end(const Json& host) {
    if (host.is_null() || text_at(host, "liveness") == "gone") return {};
    const auto waits = text_at(host, "waits_for");
    return waits.empty() ? "it is not ending any more" : waits;
}
std::string keeps_from_empty(const Json& host) {
    if (host.is_null() || held_slots(host) == 0) return {};
    return fmt::format("{} slots are not empty yet", held_slots(host));
}

Result<Json> wait_for(GatewayClient& gateway, const std::string& id, Keeps keeps, Duration at_most) {
    RealClock clock;
    const auto begun = clock.now();
    Spinner spinner;
    while (true) {
        auto seen = gateway.host(id);
        if (!seen && seen.error().kind != ErrorKind::not_found) return fail(seen.error());
        const Json host = seen ? std::move(*seen) : Json();
        const auto what = keeps(host);
        if (what.empty()) return host;
        const auto waited = clock.now() - begun;
        if (Interrupt::seen()) return fail(ErrorKind::timeout, "interrupted; {}: {}", id, what);
        if (waited >= at_most) return fail(ErrorKind::timeout, "{} after {}: {}. `berth why {}` says why", id, to_text(at_most), what, id);
        spinner.show(fmt::format("{:>6}  {}: {}", elapsed(waited), id, what));
        gateway.http().turn(std::min(look_again, at_most - waited));
    }
}

Result<Exit> run_cordon(const Shared& shared, const HostFlags& flags) {
    auto gateway = TRY(GatewayClient::find(shared));
    return report(shared, flags.name, "is cordoned: nothing new lands there. `berth hosts uncordon` undoes it",
                  TRY(gateway.cordon(flags.name, flags.why)));
}

Result<Exit> run_uncordon(const Shared& shared, const HostFlags& flags) {
    auto gateway = TRY(GatewayClient::find(shared));
    return report(shared, flags.name, "is open: workspaces may land there again", TRY(gateway.uncordon(flags.name, flags.why)));
}

Result<Exit> run_drain(const Shared& shared, const HostFlags& flags) {
    auto gateway = TRY(GatewayClient::find(shared));
    std::optional<Instant> by;
    if (!flags.by.empty()) by = TRY(moment_flag("--by", flags.by, RealClock{}.now()));
    auto host = TRY(gateway.drain(flags.name, flags.why, by));
    if (by && flags.wait.empty()) {
        return report(shared, flags.name, fmt::format("is cordoned; its {} workspaces stop at {}, and are told. `berth hosts uncordon` undoes it",
                                                      held_slots(host), to_rfc3339(*by)), host);
    }
    if (flags.wait.empty()) {
        const auto held = held_slots(host);
        return report(shared, flags.name, held == 0 ? "is cordoned and empty" : fmt::format("is cordoned; {} workspaces on it are being stopped", held), host);
    }
    const auto at_most = TRY(duration_flag("--wait", flags.wait));
    host = TRY(wait_for(gateway, flags.name, keeps_from_empty, at_most));
    return report(shared, flags.name, "is cordoned and empty", host);
}

Result<Exit> run_end(const Shared& shared, const HostFlags& flags) {
    auto gateway = TRY(GatewayClient::find(shared));
    const auto answer = TRY(gateway.end_host(flags.name, flags.undo ? "undo" : flags.force ? "force" : "wait", flags.why));
    const bool changed = text_at(answer, "changed") != "0";
    if (flags.undo) return report(shared, flags.name, changed ? "is not ended after all" : "was not being ended", answer);
    const auto waits = text_at(answer, "waits_for");
    if (waits.empty()) return report(shared, flags.name, "is gone", answer);
    if (flags.wait.empty()) return report(shared, flags.name, "is being ended: " + waits, answer);
    const auto at_most = TRY(duration_flag("--wait", flags.wait));
    return report(shared, flags.name, "is gone", TRY(wait_for(gateway, flags.name, keeps_from_end, at_most)));
}

}  // namespace

void add_hosts(Commands& commands) {
    auto all = std::make_shared<bool>(false);
    auto flags = std::make_shared<HostFlags>();
    auto verb = std::make_shared<Result<Exit> (*)(const Shared&, const HostFlags&)>(nullptr);
    auto* command = commands.add("hosts", "Machines", "List hosts: liveness, slots in use, load; cordon, drain or end one",
                                 "berth hosts -o wide\n  berth hosts end h-12 --wait 5m");
    command->add_flag("-a,--all", *all, "also those that are gone");
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    command->require_subcommand(0, 1);
    const auto add = [&](const std::string& name, const std::string& meaning, Result<Exit> (*run)(const Shared&, const HostFlags&)) {
        auto* sub = command->add_subcommand(name, meaning);
        sub->fallthrough();
        sub->add_option("host", flags->name, "its id or its instance's, as `berth hosts` shows it")->required();
        sub->add_option("--why", flags->why, "the reason that the ledger keeps");
        sub->callback([verb, run] { *verb = run; });
        return sub;
    };
    add("cordon", "Place nothing new there; what runs goes on", run_cordon)->footer("\nExample:\n  berth hosts cordon h-12 --why 'new kernel'");
    add("uncordon", "Place there again", run_uncordon)->footer("\nExample:\n  berth hosts uncordon h-12");
    auto* drain = add("drain", "Empty it: place nothing new there and stop what runs; files stay, and so does the host", run_drain);
    drain->add_option("--wait", flags->wait, "wait until it is empty, at most that long");
    drain->add_option("--by", flags->by, "its workspaces stop then, and are told before: 22:00, 30m, or a time with its date");
    drain->footer("\nExample:\n  berth hosts drain h-12 --wait 2m\n  berth hosts drain h-12 --by 22:00 --why 'new kernel'");
    auto* end = add("end", "End it, with its machine, once its workspaces are over; survives every restart", run_end);
    auto* force = end->add_flag("--force", flags->force,
                                "stop its workspaces now; of a silent host without a provider: it is your word that the machine is off");
    end->add_flag("--undo", flags->undo, "do not end it after all; possible until it is empty and its seal is asked for")->excludes(force);
    end->add_option("--wait", flags->wait, "wait until it is gone, at most that long");
    end->footer("\nExample:\n  berth hosts end h-12 --force --why 'broken disk' --wait 5m");
    commands.set_action(command, [&commands, all, flags, verb] {
        return *verb != nullptr ? (*verb)(commands.shared(), *flags) : run_hosts(commands.shared(), *all);
    });
}

void add_pools(Commands& commands) {
    auto* command = commands.add("pools", "Machines", "List pools: hosts, ready and leased slots, buffer", "berth pools -o json");
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    commands.set_action(command, [&commands] { return run_pools(commands.shared()); });
}

}  // namespace berth::cli
