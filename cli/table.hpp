// SPDX-License-Identifier: Apache-2.0
// Tables for people, and the same rows for scripts. A command says what its rows are, as JSON, and
// which columns of them a person sees; -o and --columns choose from that. Pure: returns text.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/reflect.hpp"
#include "base/result.hpp"

namespace berth::cli {

using Json = nlohmann::ordered_json;

BERTH_ENUM(Format, table, wide, json, yaml, name, cloudevents)
BERTH_ENUM(Shown, always, wide,
           when_any)                                // one that some row has something in
BERTH_ENUM(Align, left, right)

struct Column {
    std::string title;                              // also its name in --columns, in lower case
    std::function<std::string(const Json&)> cell;
    Shown shown = Shown::always;
    Align align = Align::left;
};

struct Look {
    Format format = Format::table;
    std::vector<std::string> columns;               // of --columns; empty = the command's own choice
    bool colour = false;
    std::size_t width = 0;                          // of the terminal; 0: no terminal, any width
};

/// The whole output for these rows, ending in a line break. A table that is wider than the terminal
/// becomes one block of lines per row. `name_key` is what -o name prints.
/// An unknown column is an error that lists the known ones.
Result<std::string> render_rows(const std::vector<Column>& columns, const std::vector<Json>& rows,
                                const std::string& name_key, const Look& look);

/// One thing: for table and wide, "title  value" lines.
Result<std::string> render_one(const std::vector<Column>& columns, const Json& row, const std::string& name_key,
                               const Look& look);

/// A small honest YAML: block maps and lists, every text that could be mistaken is quoted.
std::string to_yaml(const Json& value);
std::string to_pretty_json(const Json& value);

/// The text at a key, "" when it is absent or null; numbers and booleans as they are written.
std::string text_at(const Json& row, std::string_view key);
const Json* find(const Json& row, std::string_view key);

}  // namespace berth::cli
