// SPDX-License-Identifier: Apache-2.0
// berth-allocator: decides who gets which slot, and keeps the ledger of it.
#include <CLI/CLI.hpp>
#include <string>

#include "allocator/commands.hpp"
#include "allocator/process.hpp"
#include "allocator/standby.hpp"
#include "base/diagnostics.hpp"
#include "base/exit.hpp"
#include "events/pools_config.hpp"
#include "shell/serve.hpp"

namespace {

namespace allocator = berth::allocator;

const berth::shell::About about{.name = "allocator", .role = berth::Role::allocator,
                                .what = "Decides who gets which slot, and keeps the ledger of it. Without a command: serves.",
                                .reads = "[allocator], [ledger] and [pool.*] are read"};

berth::Result<void> run(const berth::shell::Flags& flags, allocator::Patience patience) {
    const auto ground = TRY(berth::shell::Ground::open(about, flags));
    auto policy = TRY(berth::read_section<allocator::Policy>(ground->config, "allocator"));
    const auto shell_policy = TRY(berth::read_section<allocator::ShellPolicy>(ground->config, "ledger"));
    const auto pools = TRY(berth::read_pools(ground->config));
    const auto ledger = TRY(allocator::open_ledger(ground->config, flags.state, &ground->loop));
    std::optional<berth::View> known;
    if (!ledger->exclusive()) {
        known = TRY(allocator::wait_for_turn(ground->loop, [&] { ground->loop.run(); }, *ledger, shell_policy, patience));
        if (!known) return {};
    } else if (patience == allocator::Patience::standby) {
        return berth::fail(berth::ErrorKind::invalid, "{} is on this machine alone; a standby needs a store that both reach (docs/stores.md)", ledger->name());
    }
    const auto endpoint = TRY(ground->connect());
    const auto process = TRY(allocator::Process::open(ground->loop, *endpoint, *ledger, std::move(policy), shell_policy, pools, std::move(known)));
    auto beat = allocator::own_beat(ledger->writer());
    const auto say_so = [&] {
        ++beat.count;
        ledger->beat(to_text(beat));
    };
    say_so();
    ground->loop.every(shell_policy.beat, say_so);
    endpoint->when_serving([&] {
        ground->ready.serves();
        berth::log_info("ready", {{"ledger", ledger->id()}, {"store", ledger->name()}, {"position", ledger->head()}, {"term", process->view().term}});
    });
    ground->loop.run();
    ledger->end_beat();
    if (process->failure()) return berth::fail(*process->failure());
    berth::log_info("stopped", {{"position", ledger->head()}});
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{about.what};
    berth::shell::Flags flags;
    berth::shell::add_flags(app, about, flags);
    std::uint64_t export_from = 1;
    bool standby = false;
    app.add_flag("--standby", standby, "wait, with the whole state at hand, until the allocator that serves is gone; then serve");
    std::string import_file, init_at, move_from, move_to;
    auto* init = app.add_subcommand("init", "Make the table of a ledger in DynamoDB, with point-in-time recovery; one that is there is left as it is");
    init->add_option("--store", init_at, "dynamodb://TABLE, or dynamodb for the table berth-ledger; without it: [ledger] store");
    auto* to_text = app.add_subcommand("export", "Print the ledger as JSON, one fact per line");
    to_text->add_option("--from", export_from, "first position");
    auto* from_text = app.add_subcommand("import", "Fill an empty ledger from an export");
    from_text->add_option("file", import_file, "what `export` printed")->required();
    auto* verify = app.add_subcommand("verify", "Check every checksum and the chain of hashes; print the state's hash");
    auto* recover = app.add_subcommand("recover", "Go on from an old copy of the ledger: hosts tell anew what they hold (docs/restore.md)");
    auto* move = app.add_subcommand("move", "Copy the ledger to another store and compare both, while no allocator runs (docs/stores.md)");
    move->add_option("--from", move_from, "sqlite:…, redis://…, dynamodb://…")->required();
    move->add_option("--to", move_to, "an empty place, or one where a move broke off")->required();
    auto* adopt = app.add_subcommand("adopt", "Take over the ledger of a cluster that is no more, in a store that others can reach");
    app.require_subcommand(0, 1);
    app.footer("Example: berth-allocator --state ~/.local/state/berth verify");
    CLI11_PARSE(app, argc, argv);
    const allocator::Where where{flags.config, flags.state};
    const auto outcome = init->parsed()        ? allocator::run_init(where, init_at)
                         : to_text->parsed()   ? allocator::run_export(where, export_from)
                         : from_text->parsed() ? allocator::run_import(where, import_file)
                         : verify->parsed()    ? allocator::run_verify(where)
                         : recover->parsed()   ? allocator::run_recover(where)
                         : move->parsed()      ? allocator::run_move(where, move_from, move_to)
                         : adopt->parsed()     ? allocator::run_adopt(where)
                                               : run(flags, standby ? allocator::Patience::standby : allocator::Patience::none);
    return berth::exit_with("berth-allocator", outcome);
}
