// SPDX-License-Identifier: Apache-2.0
#include "cli/up/known_settings.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <sstream>
#include <string>

namespace berth::cli {

namespace {

using Keys = std::map<std::string, std::string, std::less<>>;  // key → its default, as the file writes it

bool is_key(std::string_view word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '_'; });
}

// "[section]" lines, and below them "# key = default" lines.
std::map<std::string, Keys, std::less<>> read_example() {
    std::map<std::string, Keys, std::less<>> sections;
    std::istringstream lines{std::string{example_config()}};
    std::string line;
    Keys* section = nullptr;
    while (std::getline(lines, line)) {
        if (line.starts_with('[')) section = &sections[line.substr(1, line.find(']') - 1)];
        const auto equals = line.find(" = ");
        if (section == nullptr || !line.starts_with("# ") || equals == std::string::npos) continue;
        if (const auto key = line.substr(2, equals - 2); is_key(key)) (*section)[key] = line.substr(equals + 3);
    }
    return sections;
}

// [pool.gpu] takes the keys of [pool.default]; [provider.aws] only its own.
const Keys* keys_of(const std::string& section) {
    static const auto sections = read_example();
    const auto at = sections.find(section.starts_with("pool.") ? std::string{"pool.default"} : section);
    return at == sections.end() ? nullptr : &at->second;
}

Result<void> check_value(const Config::Setting& setting, const std::string& key, const std::string& by_default) {
    const auto end = by_default.find_first_of(" \t#");
    auto word = by_default.substr(0, end);
    if (word == "true" || word == "false") {
        bool to = false;
        return read_value(setting, key, to);
    }
    if (!word.empty() && std::isdigit(static_cast<unsigned char>(word.front()))) {
        double number = 0;  // a default of 1 may be of a fraction: whether it must be whole is its process's word
        return read_value(setting, key, number);
    }
    if (word.size() > 2 && word.front() == '"' && word.back() == '"' &&
        std::isdigit(static_cast<unsigned char>(word[1])) && parse_duration(word.substr(1, word.size() - 2))) {
        Duration length{0};
        return read_value(setting, key, length);
    }
    return {};
}

}  // namespace

Result<void> check_settings(const Config& config, const std::vector<std::string>& sections) {
    for (const auto& section : sections) {
        const auto* keys = keys_of(section);
        if (keys == nullptr) continue;
        std::vector<std::string_view> names;
        for (const auto& [key, by_default] : *keys) names.push_back(key);
        TRY(config.refuse_unknown(section, names));
        for (const auto& [key, by_default] : *keys) {
            if (const auto setting = config.find(section, key)) TRY(check_value(*setting, key, by_default));
        }
    }
    return {};
}

}  // namespace berth::cli
