// SPDX-License-Identifier: Apache-2.0
// berth config: what is set and where, and the document of all settings.
#include "cli/gateway_client.hpp"
#include "cli/up/config_file.hpp"
#include "settings/catalog.hpp"

namespace berth::cli {

namespace {

struct Flags {
    std::string file;
    bool all = false;
    bool origin = false;
};

std::vector<Column> setting_columns(bool origin) {
    const auto text = [](const char* key) { return [key](const Json& row) { return text_at(row, key); }; };
    std::vector<Column> columns{{"SETTING", text("setting")}, {"VALUE", text("value")}};
    if (origin) columns.push_back({"ORIGIN", text("origin")});
    columns.push_back({"TYPE", text("type"), Shown::wide});
    columns.push_back({"MEANING", text("meaning"), Shown::wide});
    return columns;
}

/// Each section that the catalog has; of pools, those that the file names, or [pool.default].
std::vector<std::string> sections_of(const Config& config) {
    std::vector<std::string> names;
    for (const auto& pool : config.names_below("pool")) names.push_back("pool." + pool);
    if (names.empty()) names.push_back("pool.default");
    for (const auto& section : settings_catalog()) {
        if (!section.name.starts_with("pool.")) names.emplace_back(section.name);
    }
    return names;
}

Result<Exit> view(const Shared& shared, const Flags& flags) {
    const auto look = TRY(shared.look());
    const auto file = config_file(flags.file);
    const auto config = TRY(Config::load(file));
    const auto sections = sections_of(config);
    TRY(check_settings(config, sections));
    std::vector<Json> rows;
    for (const auto& name : sections) {
        const auto* section = find_settings(name);
        if (section == nullptr) continue;
        for (const auto& row : section->rows) {
            const auto setting = config.find(name, row.key);
            if (!setting && !flags.all) continue;
            rows.push_back({{"setting", fmt::format("{}.{}", name, row.key)}, {"value", setting ? setting->value : row.by_default},
                            {"origin", setting ? setting->origin : "default"}, {"type", row.type}, {"meaning", row.meaning}});
        }
    }
    print(TRY(render_rows(setting_columns(flags.origin), rows, "setting", look)));
    if (rows.empty() && look.format == Format::table) {
        remark(fmt::format("nothing is set{}; `berth config view --all` shows the defaults", file.empty() ? "" : " in " + file));
    }
    return Exit::ok;
}

}  // namespace

void add_config(Commands& commands) {
    auto flags = std::make_shared<Flags>();
    auto document = std::make_shared<bool>(false);
    auto* command = commands.add("config", "System", "What is set, and where it is set; or the document of all settings",
                                 "berth config view --origin\n  berth config document > berth.toml");
    command->require_subcommand(1);
    commands.add_output(command, {"table", "wide", "json", "yaml", "name"});
    auto* shown = command->add_subcommand("view", "What is set: by the environment, or by the file that `berth up` would read");
    shown->fallthrough();
    shown->add_option("--config", flags->file, "that file instead")->type_name("FILE");
    shown->add_flag("--origin", flags->origin, "also where: file and line, or the variable");
    shown->add_flag("-a,--all", flags->all, "also what is left at its default");
    command->add_subcommand("document", "All settings with their defaults and meanings, as a file to copy from")->callback([document] { *document = true; });
    commands.set_action(command, [&commands, flags, document]() -> Result<Exit> {
        if (!*document) return view(commands.shared(), *flags);
        print(settings_document());
        return Exit::ok;
    });
}

}  // namespace berth::cli
