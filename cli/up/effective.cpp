// SPDX-License-Identifier: Apache-2.0
#include "cli/up/effective.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "base/config.hpp"
#include "base/nearest_word.hpp"
#include "cli/text.hpp"
#include "settings/catalog.hpp"

namespace berth::cli {

namespace {

Result<toml::table> parse(std::string_view text, const std::string& name) {
    try {
        return toml::parse(text, name);
    } catch (const toml::parse_error& error) {
        return fail(ErrorKind::invalid, "{}:{}: {}", name, error.source().begin.line, std::string{error.description()});
    }
}

// A value as TOML reads it (3, true, ["a"]), or else as text (1h, ghcr.io/x).
void put_value(toml::table& section, const std::string& key, const std::string& text) {
    if (auto parsed = parse("v = " + text, "--set"); parsed && parsed->size() == 1) {
        if (const auto* node = parsed->get("v"); node != nullptr && !node->is_table()) {
            section.insert_or_assign(key, *node);
            return;
        }
    }
    section.insert_or_assign(key, text);
}

Result<toml::table*> section_of(toml::table& root, const Setting& setting) {
    toml::table* at = &root;
    for (const auto& word : split(setting.section, '.')) {
        auto [entry, made] = at->insert(word, toml::table{});
        at = entry->second.as_table();
        if (at == nullptr) {
            return fail(ErrorKind::invalid, "{}: '{}' of {} is a value, not a section", setting.from, word, setting.section);
        }
    }
    return at;
}

Result<void> check_sections(const toml::table& root, const std::string& origin) {
    const auto known = known_sections();
    for (const auto& [key, node] : root) {
        const std::string name{key.str()};
        if (!node.is_table()) continue;
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        const auto near = nearest_word(name, known);
        std::string all;
        for (const auto& section : known) all += (all.empty() ? "" : ", ") + section;
        return fail(ErrorKind::invalid, "{}: no section [{}]{}; there are: {}", origin.empty() ? "--set" : origin, name,
                    near ? fmt::format("; did you mean [{}]?", *near) : std::string{}, all);
    }
    return {};
}

// "gateway", "pool.default": the tables that hold keys of their own.
std::vector<std::string> sections_of(const toml::table& root) {
    std::vector<std::string> names;
    for (const auto& [key, node] : root) {
        const auto* table = node.as_table();
        if (table == nullptr) continue;
        const std::string name{key.str()};
        names.push_back(name);
        for (const auto& [below, inner] : *table) {
            if (inner.is_table()) names.push_back(name + "." + std::string{below.str()});
        }
    }
    return names;
}

Result<void> check_keys(const toml::table& root, std::string_view user_toml, const std::string& origin,
                        const std::vector<Setting>& settings) {
    const auto sections = sections_of(root);
    const auto of_the_file = TRY(Config::parse(user_toml, origin));
    TRY(check_settings(of_the_file, sections));
    for (const auto& setting : settings) {  // one by one: the error names the flag that is wrong
        const auto& text = setting.value;
        const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
        Config one;
        one.set(setting.section, setting.key, quoted ? text.substr(1, text.size() - 2) : text, setting.from);
        TRY(check_settings(one, {setting.section}));
    }
    return {};
}

std::optional<Config::Setting> setting_in(std::string_view text, const std::string& section, const std::string& key) {
    const auto config = Config::parse(text, "berth.toml");
    return config ? config->find(section, key) : std::nullopt;
}

}  // namespace

Result<std::string> effective_config(std::string_view user_toml, const std::string& origin,
                                     const std::vector<Setting>& settings) {
    auto root = TRY(parse(user_toml, origin.empty() ? "(no file)" : origin));
    for (const auto& setting : settings) put_value(*TRY(section_of(root, setting)), setting.key, setting.value);
    TRY(check_sections(root, origin));
    TRY(check_keys(root, user_toml, origin, settings));
    std::ostringstream out;
    out << "# Written by `berth up` at each start; edits here are lost.\n# Made from "
        << (origin.empty() ? "the defaults" : origin);
    for (const auto& setting : settings) out << ", " << setting.from << " (" << setting.section << "." << setting.key << ")";
    out << ".\n\n" << toml::toml_formatter{root} << "\n";
    return out.str();
}

std::int64_t number_in(std::string_view toml, const std::string& section, const std::string& key, std::int64_t fallback) {
    const auto found = setting_in(toml, section, key);
    std::int64_t value = 0;
    return found && read_value(*found, key, value) ? value : fallback;
}

std::string text_in(std::string_view toml, const std::string& section, const std::string& key,
                    const std::string& fallback) {
    const auto found = setting_in(toml, section, key);
    return found ? found->value : fallback;
}

}  // namespace berth::cli
