// SPDX-License-Identifier: Apache-2.0
// berth-projector: what the ledger says, where others read it: Redis, DynamoDB.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>

#include "base/diagnostics.hpp"
#include "base/exit.hpp"
#include "os/files.hpp"
#include "projector/dynamo_sink.hpp"
#include "projector/machines_file.hpp"
#include "projector/process.hpp"
#include "projector/redis_sink.hpp"
#include "shell/serve.hpp"

namespace {

namespace projector = berth::projector;

const berth::shell::About about{.name = "projector", .role = berth::Role::tap,
                                .what = "Keeps pictures of hosts and workspaces where others read them: Redis, DynamoDB. It owns nothing.",
                                .reads = "[projector] is read"};

berth::Result<projector::Sinks> open_sinks(const projector::Policy& policy) {
    projector::Sinks sinks;
    if (!policy.redis.empty()) sinks[projector::PlaceKind::redis] = TRY(projector::RedisSink::open(policy));
    if (!policy.dynamodb.empty()) sinks[projector::PlaceKind::dynamodb] = std::make_unique<projector::DynamoSink>(policy);
    if (sinks.empty()) return berth::fail(berth::ErrorKind::invalid, "[projector] names no place: set redis, dynamodb, or both (docs/projector.md)");
    return sinks;
}

berth::Result<void> init(const projector::Policy& policy) {
    if (policy.dynamodb.empty()) return berth::fail(berth::ErrorKind::invalid, "[projector] dynamodb names no table; Redis needs no preparation");
    std::puts(TRY(projector::DynamoSink(policy).init()).c_str());
    return {};
}

berth::Result<void> export_machines(const projector::Policy& policy) {
    if (policy.dynamodb.empty()) return berth::fail(berth::ErrorKind::invalid, "[projector] dynamodb names no table");
    std::fputs(projector::to_machines_file(TRY(projector::DynamoSink(policy).read_all())).c_str(), stdout);
    return {};
}

// What berth looks after comes from the ledger; the rest of the table is other people's.
berth::Result<void> import_machines(const projector::Policy& policy, const std::string& file) {
    if (policy.dynamodb.empty()) return berth::fail(berth::ErrorKind::invalid, "[projector] dynamodb names no table");
    auto machines = projector::read_machines_file(TRY(berth::os::read_file(file, projector::machines_file_bytes_max)));
    if (!machines) return berth::fail(machines.error().kind, "{}: {}", file, machines.error().text);
    projector::DynamoSink sink(policy);
    std::size_t added = 0;
    for (const auto& [key, fields] : *machines) added += TRY(sink.add_foreign(key, fields)) ? 1 : 0;
    std::printf("%zu machines were written, %zu are berth's own and were left as they are\n", added, machines->size() - added);
    return {};
}

berth::Result<void> forget(const projector::Policy& policy) {
    for (const auto& [kind, sink] : TRY(open_sinks(policy))) {
        auto keys = TRY(sink->keys());
        const auto count = keys.size();
        TRY(sink->write({.place = kind, .set = {}, .removed = std::move(keys), .renewed = {}}));
        std::printf("%s: %zu entries were removed\n", std::string{berth::to_string(kind)}.c_str(), count);
    }
    return {};
}

berth::Result<void> run(const berth::shell::Flags& flags) {
    const auto ground = TRY(berth::shell::Ground::open(about, flags));
    auto policy = TRY(projector::read_policy(ground->config));
    auto sinks = TRY(open_sinks(policy));
    const auto endpoint = TRY(ground->connect());
    const projector::Process process(ground->loop, *endpoint, std::move(policy), std::move(sinks));
    ground->show([&] { return process.figures(ground->loop.now()); });
    ground->ready.serves();
    berth::log_info("ready");
    ground->loop.run();
    berth::log_info("stopped");
    return {};
}

berth::Result<void> do_command(const berth::shell::Flags& flags, const std::function<berth::Result<void>(const projector::Policy&)>& command) {
    const auto config = TRY(berth::Config::load(flags.config));
    return command(TRY(projector::read_policy(config)));
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{about.what};
    berth::shell::Flags flags;
    berth::shell::add_flags(app, about, flags);
    const auto* makes = app.add_subcommand("init", "Make the DynamoDB table with its index on status; one that is there is left as it is");
    const auto* forgets = app.add_subcommand("forget", "Remove the picture from every place; a projector that runs writes it anew");
    const auto* exports = app.add_subcommand("export", "Print the DynamoDB table's machines as JSON, also those of others");
    auto* imports = app.add_subcommand("import", "Write machines of such a file into the table, but for those that berth looks after");
    std::string file;
    imports->add_option("file", file, "[{\"instanceId\": …, \"status\": …}, …]")->required();
    app.require_subcommand(0, 1);
    app.footer("Example: berth-projector --config berth.toml --state ~/.local/state/berth");
    CLI11_PARSE(app, argc, argv);
    const auto import_it = [&](const projector::Policy& policy) { return import_machines(policy, file); };
    return berth::exit_with("berth-projector", makes->parsed()     ? do_command(flags, init)
                                               : forgets->parsed() ? do_command(flags, forget)
                                               : exports->parsed() ? do_command(flags, export_machines)
                                               : imports->parsed() ? do_command(flags, import_it)
                                                                   : run(flags));
}
