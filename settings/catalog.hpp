// SPDX-License-Identifier: Apache-2.0
// The one catalog of settings: every section and key that a process reads, with its type, its default and
// what it means. `berth up` checks a configuration by it before it starts anything, `berth config view`
// shows what holds, and deploy/berth.toml, the document, is written from it (a test compares the two).
//
// Keys, types and defaults are those of the policy structs themselves, which each process reads by the same
// fields (base/config.hpp), so none can be missing here, and none can stand here that nothing reads. Only
// the meanings are written here; one of a key that is no field aborts at once.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.hpp"

namespace berth {

struct SettingRow {
    std::string_view key;
    std::string type;                     // "number", "length of time", "text", "true or false", "list", or the words: "slots|hosts"
    std::string by_default;               // as TOML: 15, "15s", true, ["a", "b"]
    std::string_view meaning;             // may be empty: the key says it
    /// An error that names origin, key and what would be right.
    std::function<Result<void>(const Config::Setting&)> check;
};
struct SettingsSection {
    std::string_view name;                // "pool.default" stands for each [pool.<name>]
    std::string_view about;
    std::vector<SettingRow> rows;
};

const std::vector<SettingsSection>& settings_catalog();
/// The rows of a section; nothing where no process reads one of that name.
const SettingsSection* find_settings(std::string_view section);
/// deploy/berth.toml: all of it as comments, to copy from.
std::string settings_document();
/// An error that names the first key of these sections that no process knows, or whose value is not of its type.
Result<void> check_settings(const Config& config, const std::vector<std::string>& sections);

}  // namespace berth
