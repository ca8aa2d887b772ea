// SPDX-License-Identifier: Apache-2.0
// berth-allocator: decides who gets which slot, and keeps the ledger of it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>

#include "allocator/archive.hpp"
#include "allocator/process.hpp"
#include "base/diagnostics.hpp"
#include "base/exit.hpp"
#include "events/pools_config.hpp"
#include "shell/serve.hpp"

namespace {

namespace allocator = berth::allocator;

const berth::shell::About about{.name = "allocator", .role = berth::Role::allocator,
                                .what = "Decides who gets which slot, and keeps the ledger of it. Without a command: serves.",
                                .reads = "[allocator], [ledger] and [pool.*] are read"};

struct Options {
    berth::shell::Flags flags;
    std::string import_file;
    std::uint64_t export_from = 1;
};

berth::Result<std::unique_ptr<allocator::SqliteLedger>> open_ledger(const Options& options,
                                                                    const allocator::ShellPolicy& policy) {
    return allocator::SqliteLedger::open({options.flags.state + "/ledger.sqlite", policy.ballast_mib << 20});
}

berth::Result<void> run(const Options& options) {
    const auto ground = TRY(berth::shell::Ground::open(about, options.flags));
    auto policy = TRY(berth::read_section<allocator::Policy>(ground->config, "allocator"));
    const auto shell_policy = TRY(berth::read_section<allocator::ShellPolicy>(ground->config, "ledger"));
    const auto pools = TRY(berth::read_pools(ground->config));
    const auto ledger = TRY(open_ledger(options, shell_policy));
    const auto endpoint = TRY(ground->connect());
    const auto process = TRY(allocator::Process::open(ground->loop, *endpoint, *ledger, std::move(policy), shell_policy, pools));
    endpoint->when_serving([&] {
        ground->ready.serves();
        berth::log_info("ready", {{"ledger", ledger->id()}, {"position", ledger->head()}, {"term", process->view().term}});
    });
    ground->loop.run();
    if (process->failure()) return berth::fail(*process->failure());
    berth::log_info("stopped", {{"position", ledger->head()}});
    return {};
}

berth::Result<void> run_export(const Options& options) {
    const auto ledger = TRY(open_ledger(options, {}));
    const auto last = TRY(allocator::export_ledger(*ledger, {options.export_from}, std::cout));
    std::fprintf(stderr, "exported facts %llu to %llu of ledger %s\n", static_cast<unsigned long long>(options.export_from),
                 static_cast<unsigned long long>(last.value), ledger->id().c_str());
    return {};
}

berth::Result<void> run_import(const Options& options) {
    std::ifstream from(options.import_file);
    if (!from) return berth::fail(berth::ErrorKind::not_found, "no file {}", options.import_file);
    const auto ledger = TRY(open_ledger(options, {}));
    const auto last = TRY(allocator::import_ledger(*ledger, from));
    std::fprintf(stderr, "imported %llu facts into %s\n", static_cast<unsigned long long>(last.value), ledger->id().c_str());
    return {};
}

berth::Result<void> run_verify(const Options& options) {
    const auto ledger = TRY(open_ledger(options, {}));
    const auto head = TRY(ledger->verify());
    const auto view = TRY(allocator::replay(*ledger));
    std::printf("ledger %s is whole: %llu facts, state %016llx\n", ledger->id().c_str(),
                static_cast<unsigned long long>(head.value), static_cast<unsigned long long>(berth::state_hash(view)));
    return {};
}

berth::Result<void> run_recover(const Options& options) {
    const auto ledger = TRY(open_ledger(options, {}));
    const auto before = ledger->id();
    const auto old_head = ledger->head();
    const auto fact = TRY(allocator::recover_ledger(*ledger, berth::RealClock{}.now()));
    std::printf("ledger %s (an old copy, up to position %llu) goes on as %s at position %llu\n"
                "next: start the allocator; each host registers again and tells what it holds. See docs/restore.md\n",
                before.c_str(), static_cast<unsigned long long>(old_head.value), ledger->id().c_str(),
                static_cast<unsigned long long>(fact.position.value));
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{about.what};
    Options options;
    berth::shell::add_flags(app, about, options.flags);
    auto* to_text = app.add_subcommand("export", "Print the ledger as JSON, one fact per line, while no allocator runs");
    to_text->add_option("--from", options.export_from, "first position");
    auto* from_text = app.add_subcommand("import", "Fill an empty ledger from an export");
    from_text->add_option("file", options.import_file, "what `export` printed")->required();
    auto* verify = app.add_subcommand("verify", "Check every checksum and the chain of hashes; print the state's hash");
    auto* recover = app.add_subcommand("recover", "Go on from an old copy of the ledger: hosts tell anew what they hold (docs/restore.md)");
    app.require_subcommand(0, 1);
    app.footer("Example: berth-allocator --state ~/.local/state/berth verify");
    CLI11_PARSE(app, argc, argv);
    const auto outcome = to_text->parsed()     ? run_export(options)
                         : from_text->parsed() ? run_import(options)
                         : verify->parsed()    ? run_verify(options)
                         : recover->parsed()   ? run_recover(options)
                                               : run(options);
    return berth::exit_with("berth-allocator", outcome);
}
