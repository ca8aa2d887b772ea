// SPDX-License-Identifier: Apache-2.0
#include "base/config.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <toml++/toml.h>

#include "base/nearest_word.hpp"
#include "base/outside_text.hpp"

namespace berth {

namespace {

std::string env_name(std::string_view section, std::string_view key) {
    std::string name = "BERTH_";
    for (const auto part : {section, std::string_view{"_"}, key}) {
        for (const char c : part) {
            name += std::isalnum(static_cast<unsigned char>(c))
                        ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                        : '_';
        }
    }
    return name;
}

std::string text_of(const toml::node& node) {
    if (const auto* array = node.as_array()) {
        std::string joined;
        for (const auto& item : *array) joined += (joined.empty() ? "" : ",") + text_of(item);
        return joined;
    }
    if (const auto* text = node.as_string()) return text->get();
    std::ostringstream out;
    node.visit([&](const auto& value) {
        if constexpr (toml::is_value<decltype(value)>) out << value;
    });
    return out.str();
}

}  // namespace

Result<Config> Config::load(const std::string& path) {
    if (path.empty()) return Config{};
    std::ifstream file(path);
    if (!file) return fail(ErrorKind::not_found, "cannot read the configuration file {}", path);
    std::ostringstream text;
    text << file.rdbuf();
    return parse(text.str(), path);
}

Result<Config> Config::parse(std::string_view toml_text, const std::string& name) {
    Config config;
    try {
        const auto table = toml::parse(toml_text, name);
        const auto walk = [&](const auto& self, const toml::table& part, const std::string& section) -> void {
            for (const auto& [key, node] : part) {
                const std::string word{key.str()};
                if (const auto* below = node.as_table()) {
                    self(self, *below, section.empty() ? word : section + "." + word);
                } else {
                    config.set(section, word, text_of(node),
                               fmt::format("{}:{}", name, node.source().begin.line));
                }
            }
        };
        walk(walk, table, "");
    } catch (const toml::parse_error& error) {
        return fail(ErrorKind::invalid, "{}:{}: {}", name, error.source().begin.line,
                    std::string{error.description()});
    }
    return config;
}

void Config::set(std::string_view section, std::string_view key, std::string value, std::string origin) {
    sections_[std::string{section}][std::string{key}] = Setting{std::move(value), std::move(origin)};
}

std::optional<Config::Setting> Config::find(std::string_view section, std::string_view key) const {
    std::optional<Setting> found;
    if (const auto at = sections_.find(section); at != sections_.end()) {
        if (const auto entry = at->second.find(key); entry != at->second.end()) found = entry->second;
    }
    if (found && found->origin.starts_with("--")) return found;
    const auto name = env_name(section, key);
    if (std::getenv(name.c_str()) != nullptr) return Setting{environment_text(name.c_str()), name};
    return found;
}

std::vector<std::string> Config::names_below(std::string_view section) const {
    std::vector<std::string> names;
    const std::string prefix = std::string{section} + ".";
    for (const auto& [name, keys] : sections_) {
        if (name.starts_with(prefix) && name.find('.', prefix.size()) == std::string::npos) names.push_back(name.substr(prefix.size()));
    }
    return names;
}

Result<void> Config::refuse_unknown(std::string_view section,
                                    const std::vector<std::string_view>& known) const {
    const auto at = sections_.find(section);
    if (at == sections_.end()) return {};
    for (const auto& [key, setting] : at->second) {
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        const auto near = nearest_word(key, {known.begin(), known.end()});
        return fail(ErrorKind::invalid, "{}: unknown key '{}' in [{}]{}", setting.origin, key, section,
                    near ? fmt::format("; did you mean '{}'?", *near) : std::string{});
    }
    return {};
}

Result<void> read_value(const Config::Setting& from, std::string_view key, bool& to) {
    if (from.value == "true" || from.value == "1") return to = true, Result<void>{};
    if (from.value == "false" || from.value == "0") return to = false, Result<void>{};
    return fail(ErrorKind::invalid, "{}: {} must be true or false, not '{}'", from.origin, key, from.value);
}

Result<void> read_value(const Config::Setting& from, std::string_view key, std::int64_t& to) {
    const auto* end = from.value.data() + from.value.size();
    const auto [stop, error] = std::from_chars(from.value.data(), end, to);
    if (error == std::errc{} && stop == end) return {};
    return fail(ErrorKind::invalid, "{}: {} must be a whole number, not '{}'", from.origin, key, from.value);
}

Result<void> read_value(const Config::Setting& from, std::string_view key, double& to) {
    const auto* end = from.value.data() + from.value.size();
    const auto [stop, error] = std::from_chars(from.value.data(), end, to);
    if (error == std::errc{} && stop == end) return {};
    return fail(ErrorKind::invalid, "{}: {} must be a number, not '{}'", from.origin, key, from.value);
}

Result<void> read_value(const Config::Setting& from, std::string_view, std::string& to) {
    to = from.value;
    return {};
}

Result<void> read_value(const Config::Setting& from, std::string_view key, Duration& to) {
    auto parsed = parse_duration(from.value);
    if (!parsed) return fail(ErrorKind::invalid, "{}: {}: {}", from.origin, key, parsed.error().text);
    to = *parsed;
    return {};
}

Result<void> read_value(const Config::Setting& from, std::string_view key, std::optional<Duration>& to) {
    Duration length{0};
    TRY(read_value(from, key, length));
    to = length;
    return {};
}

Result<void> read_value(const Config::Setting& from, std::string_view, std::vector<std::string>& to) {
    to.clear();
    std::string word;
    std::istringstream words(from.value);
    while (std::getline(words, word, ',')) {
        if (!word.empty()) to.push_back(word);
    }
    return {};
}

}  // namespace berth
