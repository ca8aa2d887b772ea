// SPDX-License-Identifier: Apache-2.0
#include "cli/table.hpp"

#include <algorithm>

#include "cli/text.hpp"

namespace berth::cli {

namespace {

constexpr std::size_t gap = 3;  // blanks between two columns

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
        return c == ' ' ? '-' : static_cast<char>(std::tolower(c));
    });
    return text;
}

bool any_has(const Column& column, const std::vector<Json>& rows) {
    return std::any_of(rows.begin(), rows.end(), [&](const Json& row) { return !column.cell(row).empty(); });
}

Result<std::vector<const Column*>> choose(const std::vector<Column>& columns, const std::vector<Json>& rows, const Look& look) {
    std::vector<const Column*> chosen;
    for (const auto& wanted : look.columns) {
        const auto at = std::find_if(columns.begin(), columns.end(),
                                     [&](const Column& column) { return lower(column.title) == lower(wanted); });
        if (at == columns.end()) {
            std::string known;
            for (const auto& column : columns) known += (known.empty() ? "" : ", ") + lower(column.title);
            return fail(ErrorKind::invalid, "no column '{}'; there are: {}", wanted, known);
        }
        chosen.push_back(&*at);
    }
    if (!chosen.empty()) return chosen;
    for (const auto& column : columns) {
        if (column.shown == Shown::always || look.format == Format::wide || (column.shown == Shown::when_any && any_has(column, rows))) chosen.push_back(&column);
    }
    return chosen;
}

std::string cell_of(const Column& column, const Json& row) {
    auto text = printable(column.cell(row));
    return text.empty() ? "-" : text;
}

std::string padded(const std::string& text, std::size_t width, Align align) {
    const auto own = display_width(text);
    const std::string blanks(width > own ? width - own : 0, ' ');
    return align == Align::right ? blanks + text : text + blanks;
}

std::string bold(const std::string& text, bool colour) {
    return colour ? "\033[1m" + text + "\033[0m" : text;
}

std::string trimmed(std::string line) {
    while (!line.empty() && line.back() == ' ') line.pop_back();
    return line;
}

// "title  value" lines.
std::string render_block(const std::vector<const Column*>& columns, const Json& row, bool colour) {
    std::size_t widest = 0;
    for (const auto* column : columns) widest = std::max(widest, display_width(column->title));
    std::string out;
    for (const auto* column : columns) {
        out += bold(padded(lower(column->title), widest, Align::left), colour) + "  " + cell_of(*column, row) + "\n";
    }
    return out;
}

std::string render_blocks(const std::vector<const Column*>& columns, const std::vector<Json>& rows, bool colour) {
    std::string out;
    for (const auto& row : rows) out += (out.empty() ? "" : "\n") + render_block(columns, row, colour);
    return out;
}

std::string render_table(const std::vector<const Column*>& columns, const std::vector<Json>& rows, const Look& look) {
    std::vector<std::vector<std::string>> cells;
    std::vector<std::size_t> widths;
    for (const auto* column : columns) widths.push_back(display_width(column->title));
    for (const auto& row : rows) {
        auto& line = cells.emplace_back();
        for (std::size_t i = 0; i < columns.size(); ++i) {
            line.push_back(cell_of(*columns[i], row));
            widths[i] = std::max(widths[i], display_width(line.back()));
        }
    }
    std::size_t total = gap * (columns.size() - 1);
    for (const auto width : widths) total += width;
    if (look.width > 0 && total > look.width && !rows.empty()) return render_blocks(columns, rows, look.colour);
    const std::string between(gap, ' ');
    std::string head;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        head += (i == 0 ? "" : between) + padded(columns[i]->title, widths[i], columns[i]->align);
    }
    std::string out = bold(trimmed(head), look.colour) + "\n";
    for (const auto& line : cells) {
        std::string text;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            text += (i == 0 ? "" : between) + padded(line[i], widths[i], columns[i]->align);
        }
        out += trimmed(text) + "\n";
    }
    return out;
}

bool plain_in_yaml(const std::string& text) {
    if (text.empty() || text.size() > 120) return false;
    if (!std::isalpha(static_cast<unsigned char>(text.front())) && text.front() != '/') return false;
    for (const auto* word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
        if (lower(text) == word) return false;
    }
    return std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) || std::string_view{"_./@+-"}.find(static_cast<char>(c)) != std::string_view::npos;
    });
}

std::string yaml_scalar(const Json& value) {
    if (!value.is_string()) return value.dump();
    const auto& text = value.get_ref<const std::string&>();
    // A JSON string is a YAML double-quoted scalar.
    return plain_in_yaml(text) ? text : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void put_yaml(std::string& to, const Json& value, std::size_t depth) {
    const std::string indent(depth * 2, ' ');
    if (value.is_object()) {
        for (const auto& [key, item] : value.items()) {
            const auto name = plain_in_yaml(key) ? key : Json(key).dump();
            if (item.is_structured() && !item.empty()) {
                to += indent + name + ":\n";
                put_yaml(to, item, depth + 1);
            } else {
                to += indent + name + ": " + yaml_scalar(item) + "\n";
            }
        }
    } else if (value.is_array()) {
        for (const auto& item : value) {
            if (item.is_structured() && !item.empty()) {
                std::string below;
                put_yaml(below, item, depth + 1);
                below.replace(depth * 2, 2, "- ");
                to += below;
            } else {
                to += indent + "- " + yaml_scalar(item) + "\n";
            }
        }
    } else {
        to += indent + yaml_scalar(value) + "\n";
    }
}

}  // namespace

const Json* find(const Json& row, std::string_view key) {
    if (!row.is_object()) return nullptr;
    const auto at = row.find(std::string{key});
    return at == row.end() || at->is_null() ? nullptr : &*at;
}

std::string text_at(const Json& row, std::string_view key) {
    const auto* value = find(row, key);
    if (value == nullptr) return {};
    return value->is_string() ? value->get<std::string>() : value->dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_pretty_json(const Json& value) {
    return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string to_yaml(const Json& value) {
    if (value.is_structured() && value.empty()) return value.dump() + "\n";
    std::string out;
    put_yaml(out, value, 0);
    return out;
}

Result<std::string> render_rows(const std::vector<Column>& columns, const std::vector<Json>& rows,
                                const std::string& name_key, const Look& look) {
    const auto chosen = TRY(choose(columns, rows, look));
    switch (look.format) {
        case Format::json:
        case Format::cloudevents: return to_pretty_json(Json(rows));
        case Format::yaml: return to_yaml(Json(rows));
        case Format::name: {
            std::string names;
            for (const auto& row : rows) names += printable(text_at(row, name_key)) + "\n";
            return names;
        }
        case Format::table:
        case Format::wide: break;
    }
    return render_table(chosen, rows, look);
}

Result<std::string> render_one(const std::vector<Column>& columns, const Json& row, const std::string& name_key,
                               const Look& look) {
    const auto chosen = TRY(choose(columns, {row}, look));
    switch (look.format) {
        case Format::json:
        case Format::cloudevents: return to_pretty_json(row);
        case Format::yaml: return to_yaml(row);
        case Format::name: return printable(text_at(row, name_key)) + "\n";
        case Format::table:
        case Format::wide: break;
    }
    return render_block(chosen, row, look.colour);
}

}  // namespace berth::cli
