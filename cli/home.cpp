// SPDX-License-Identifier: Apache-2.0
// berth home: the archives of a workspace's files, of pools with home_place = "archive". Which ones there are is
// in the ledger; their content is in the repository alone.
#include "base/clock.hpp"
#include "cli/interrupt.hpp"
#include "cli/narrate.hpp"
#include "cli/text.hpp"
#include "cli/workspace_command.hpp"

namespace berth::cli {

namespace {

constexpr Duration look_again{500};

struct Flags : WorkspaceFlags {
    std::string at;
    std::string snapshot;
    std::string why;
    std::string wait = "5m";
};

std::string size_of(const Json& row) {
    const auto* bytes = find(row, "bytes");
    if (bytes == nullptr || !bytes->is_number()) return {};
    const auto count = bytes->get<double>();
    return count < 1e9 ? fmt::format("{:.1f} MB", count / 1e6) : fmt::format("{:.2f} GB", count / 1e9);
}

/// Newest first; `next` marks the one that the next start brings back.
Result<std::vector<Json>> archives_of(GatewayClient& gateway, const std::string& id) {
    std::vector<Json> rows;
    std::string next;
    for (const auto& fact : TRY(gateway.facts(id))) {
        const auto type = text_at(fact, "type");
        const auto* data = find(fact, "data");
        const auto* archive = data == nullptr ? nullptr : find(*data, "archive");
        if (archive == nullptr || !archive->is_object() || (type != "home.archived" && type != "home.chosen")) continue;
        next = text_at(*archive, "snapshot");
        if (type == "home.chosen") continue;
        auto row = *archive;
        row["workspace"] = id;
        rows.insert(rows.begin(), std::move(row));
    }
    for (auto& row : rows) row["next"] = text_at(row, "snapshot") == next;
    return rows;
}

Result<Exit> run_list(const Shared& shared, const Flags& flags) {
    const auto look = TRY(shared.look());
    auto [gateway, id] = TRY(find_workspace(shared, flags));
    const auto now = RealClock{}.now();
    const std::vector<Column> columns{
        {"SAVED", [](const Json& row) { return text_at(row, "at"); }},
        {"AGO", [now](const Json& row) { return relative(from_rfc3339(text_at(row, "at")).value_or(Instant{}), now); }},
        {"SIZE", size_of, Shown::always, Align::right},
        {"WHEN", [](const Json& row) { return text_at(row, "last") == "true" ? std::string{"after it stopped"} : std::string{"while it ran"}; }},
        {"HOST", [](const Json& row) { return text_at(row, "host"); }},
        {"SNAPSHOT", [](const Json& row) { return text_at(row, "snapshot").substr(0, 16); }},
        {"NEXT", [](const Json& row) { return text_at(row, "next") == "true" ? std::string{"the next start brings it back"} : std::string{}; }, Shown::when_any},
        {"EPOCH", [](const Json& row) { return text_at(row, "epoch"); }, Shown::wide, Align::right}};
    const auto rows = TRY(archives_of(gateway, id));
    if (rows.empty() && look.format == Format::table) remark(fmt::format("{} has no archive of its files", id));
    print(TRY(render_rows(columns, rows, "snapshot", look)));
    return Exit::ok;
}

Result<Exit> run_save(const Shared& shared, const Flags& flags) {
    auto [gateway, id] = TRY(find_workspace(shared, flags));
    const RealClock clock;
    const auto begun = clock.now();
    const auto at_most = TRY(duration_flag("--wait", flags.wait));
    const auto archive_of = [](const Json& workspace) {
        const auto* archive = find(workspace, "archive");
        return archive == nullptr ? std::string{} : text_at(*archive, "snapshot");
    };
    const auto before = archive_of(TRY(gateway.workspace(id)));
    const auto asked = TRY(gateway.save_home(id));
    if (text_at(asked, "count") == "0") {
        return fail(ErrorKind::conflict, "{} is {}: what is not running is saved already", id, text_at(asked, "state"));
    }
    Spinner spinner;
    for (;;) {
        const auto seen = TRY(gateway.workspace(id));
        if (const auto now = archive_of(seen); !now.empty() && now != before) return report(shared, id, "is saved as snapshot " + now.substr(0, 16), seen);
        const auto* home = find(seen, "home");
        const auto text = home == nullptr ? std::string{} : text_at(*home, "text");
        const auto waited = clock.now() - begun;
        if (Interrupt::seen()) return fail(ErrorKind::timeout, "interrupted; the save goes on: berth home list {}", id);
        if (waited >= at_most) return fail(ErrorKind::timeout, "{} is not saved after {}{}", id, to_text(at_most), text.empty() ? "" : ": " + text);
        spinner.show(fmt::format("{:>6}  saving {}{}", elapsed(waited), id, text.empty() ? "" : ": " + text));
        gateway.http().turn(std::min(look_again, at_most - waited));
    }
}

Result<Exit> run_restore(const Shared& shared, const Flags& flags) {
    if (flags.at.empty() == flags.snapshot.empty()) return fail(ErrorKind::invalid, "name one of --at and --snapshot; berth home list shows them");
    auto [gateway, id] = TRY(find_workspace(shared, flags));
    std::optional<Instant> until;
    if (!flags.at.empty()) until = TRY(from_rfc3339(flags.at));
    const auto rows = TRY(archives_of(gateway, id));
    const auto chosen = std::find_if(rows.begin(), rows.end(), [&](const Json& row) {      // newest first
        if (!until) return text_at(row, "snapshot").starts_with(flags.snapshot);
        return from_rfc3339(text_at(row, "at")).value_or(*until + Duration{1}) <= *until;
    });
    if (chosen == rows.end()) return fail(ErrorKind::not_found, "{} has no archive {}; berth home list {} shows them", id, until ? "of before " + flags.at : flags.snapshot, id);
    Json body;
    for (const auto* key : {"snapshot", "epoch", "host", "at", "bytes"}) {
        if (const auto* value = find(*chosen, key)) body[key] = *value;
    }
    body["epoch"] = std::stoull(text_at(*chosen, "epoch"));
    if (!flags.why.empty()) body["why"] = flags.why;
    const auto answer = TRY(gateway.restore_home(id, body));
    return report(shared, id, fmt::format("gets its files as they were at {} at its next start: berth start {}", text_at(*chosen, "at"), id), answer);
}

}  // namespace

void add_home(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto verb = std::make_shared<Result<Exit> (*)(const Shared&, const Flags&)>(nullptr);
    auto* command = commands.add("home", "Workspaces", "The archives of a workspace's files: list them, save now, bring an older one back",
                                 "berth home list web-shop\n  berth home restore web-shop --at 2026-11-27T09:00:00Z");
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    command->require_subcommand(1);
    const auto add = [&](const std::string& name, const std::string& meaning, Result<Exit> (*run)(const Shared&, const Flags&)) {
        auto* sub = command->add_subcommand(name, meaning);
        sub->fallthrough();
        add_workspace_flags(sub, *flags);
        sub->callback([verb, run] { *verb = run; });
        return sub;
    };
    add("list", "What was archived, newest first", run_list);
    add("save", "Archive it now, while it runs", run_save)->add_option("--wait", flags->wait, "at most that long")->capture_default_str();
    auto* restore = add("restore", "Of a stopped one: its next start brings that archive back; later ones stay listed", run_restore);
    restore->add_option("--at", flags->at, "as they were at that time (RFC 3339)");
    restore->add_option("--snapshot", flags->snapshot, "that one; the beginning of its id is enough");
    restore->add_option("--why", flags->why, "the reason that the ledger keeps");
    commands.set_action(command, [&commands, flags, verb] { return (*verb)(commands.shared(), *flags); });
}

}  // namespace berth::cli
