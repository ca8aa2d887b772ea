// SPDX-License-Identifier: Apache-2.0
#include "gateway/fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <tuple>
#include <vector>

#include "base/ids.hpp"
#include "gateway/json.hpp"

namespace berth::gateway {

namespace {

constexpr std::size_t text_max = 200;
constexpr std::size_t id_max = 128;
constexpr std::size_t words_max = 500;
constexpr std::size_t long_text_max = 4'000;
constexpr std::size_t query_max = 4'096;
constexpr double exact_max = 9'007'199'254'740'992.0;      // up to which a double has every whole number
constexpr std::uint64_t duration_max_ms = 366ULL * 24 * 3'600'000;

Problem wrong(std::string_view field, std::string text, Refusal refusal = Refusal::bad_field) {
    return {422, ErrorKind::invalid, fmt::format("field '{}': {}", field, text), std::string{field}, refusal};
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// JSON's own rule, so that bodies and queries are judged alike.
bool is_utf8(std::string_view text) {
    try {
        std::ignore = Json(std::string{text}).dump();
        return true;
    } catch (const Json::type_error&) {
        return false;
    }
}

// Characters, not bytes.
std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xc0) != 0x80; }));
}

bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= id_max && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == ':' || c == '@' || c == '/' || c == '-';
    });
}

std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string_view wanted_type(FieldKind kind) {
    return kind == FieldKind::duration_ms || kind == FieldKind::number ? "a whole number" : "a string";
}

// What this JSON value says, as text; nothing when it has another type than the rule wants.
std::optional<std::string> plain(const Json& value, FieldKind kind) {
    if (kind == FieldKind::duration_ms || kind == FieldKind::number) {
        if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
        // 847.0 is a whole number too, by JSON Schema; many languages write one so.
        const auto number = value.is_number_float() ? value.get<double>() : -1.0;
        if (number < 0 || number > exact_max || number != std::floor(number)) return std::nullopt;
        return std::to_string(static_cast<std::uint64_t>(number));
    }
    if (!value.is_string()) return std::nullopt;
    return value.get<std::string>();
}

std::string list_of(std::span<const FieldRule> rules) {
    std::string list;
    for (const auto& rule : rules) list += (list.empty() ? "" : ", ") + std::string{rule.name};
    return list.empty() ? "none" : list;
}

std::optional<Problem> missing_in(const Fields& fields, std::span<const FieldRule> rules) {
    for (const auto& rule : rules) {
        if (rule.need == Need::required && !fields.text(rule.name)) return wrong(rule.name, "is missing");
    }
    return std::nullopt;
}

const FieldRule* rule_of(std::span<const FieldRule> rules, std::string_view name) {
    const auto at = std::find_if(rules.begin(), rules.end(), [&](const FieldRule& rule) { return rule.name == name; });
    return at == rules.end() ? nullptr : &*at;
}

// A name that a stranger chose, as far as it may stand in an answer.
std::string shown(const std::string& key) { return is_id(key) ? key : std::string{"?"}; }

// Looks over the parser's shoulder for what a parsed value no longer tells.
struct BodyWatch {
    std::size_t depth_max;
    bool deep = false;
    std::optional<std::string> twice;
    std::vector<std::set<std::string, std::less<>>> open;  // keys seen in each object that is open

    bool take(int depth, Json::parse_event_t event, const Json& value) {
        using Event = Json::parse_event_t;
        if (event == Event::object_start || event == Event::array_start) {
            deep = deep || static_cast<std::size_t>(depth) >= depth_max;
        }
        if (deep) return false;
        if (event == Event::object_start) open.emplace_back();
        if (event == Event::object_end && !open.empty()) open.pop_back();
        if (event == Event::key && !open.empty() && !open.back().insert(value.get<std::string>()).second && !twice) {
            twice = value.get<std::string>();
        }
        return true;
    }
};

}  // namespace

std::optional<std::string> Fields::text(std::string_view name) const {
    const auto at = values_.find(name);
    return at == values_.end() ? std::nullopt : std::optional{at->second};
}
std::optional<std::uint64_t> Fields::number(std::string_view name) const {
    const auto value = text(name);
    return value ? number_in(*value) : std::nullopt;
}
std::optional<Duration> Fields::duration(std::string_view name) const {
    const auto value = number(name);
    return value ? std::optional{Duration{static_cast<Duration::rep>(*value)}} : std::nullopt;
}
std::optional<Instant> Fields::instant(std::string_view name) const {
    const auto value = text(name);
    if (!value) return std::nullopt;
    const auto at = from_rfc3339(*value);
    return at ? std::optional{*at} : std::nullopt;
}

std::optional<Problem> Fields::put(const FieldRule& rule, std::string value) {
    if (values_.contains(rule.name)) return wrong(rule.name, "is there twice", Refusal::duplicate);
    switch (rule.kind) {
        case FieldKind::name:
        case FieldKind::project: {
            if (const auto checked = check_name(rule.name, value); !checked) return wrong(rule.name, checked.error().text);
            if (rule.kind == FieldKind::project && is_reserved(value)) {
                return wrong(rule.name, fmt::format("'{}' is a word of this API and can not name a project", value));
            }
            break;
        }
        case FieldKind::id:
            if (!is_id(value)) return wrong(rule.name, fmt::format("an id is 1 to {} of [a-zA-Z0-9._:@/-]", id_max));
            break;
        case FieldKind::text:
            if (has_control(value)) return wrong(rule.name, "holds a control character");
            if (!is_utf8(value)) return wrong(rule.name, "is no UTF-8 text");
            if (characters(value) > text_max) return wrong(rule.name, fmt::format("is over {} characters", text_max));
            break;
        case FieldKind::long_text:
            if (has_control(value) || !is_utf8(value) || value.size() > long_text_max) return wrong(rule.name, fmt::format("up to {} plain characters", long_text_max));
            break;
        case FieldKind::words:
            if (has_control(value) || !is_utf8(value) || value.size() > words_max) return wrong(rule.name, fmt::format("up to {} plain characters", words_max));
            break;
        case FieldKind::duration_ms: {
            const auto length = number_in(value);
            if (!length) return wrong(rule.name, "is not a whole number of milliseconds");
            if (*length > duration_max_ms) return wrong(rule.name, "is over a year");
            break;
        }
        case FieldKind::number:
            if (!number_in(value)) return wrong(rule.name, "is not a whole number");
            break;
        case FieldKind::instant:
            if (const auto at = from_rfc3339(value); !at) return wrong(rule.name, at.error().text);
            break;
    }
    values_.emplace(rule.name, std::move(value));
    return std::nullopt;
}

FieldsOrProblem read_body(std::string_view body, std::size_t depth_max, std::span<const FieldRule> rules, Unknown unknown) {
    FieldsOrProblem out;
    const auto refuse_with = [&](Problem problem) {
        out.problem = std::move(problem);
        return out;
    };
    auto json = Json::object();
    if (!body.empty()) {
        const auto bad = [](std::string text, Refusal refusal) { return Problem{400, ErrorKind::invalid, std::move(text), "", refusal}; };
        BodyWatch watch{depth_max, false, std::nullopt, {}};
        const auto look = [&](int depth, Json::parse_event_t event, Json& value) { return watch.take(depth, event, value); };
        json = Json::parse(body, look, false);
        if (watch.deep) return refuse_with(bad(fmt::format("the body is nested deeper than {}", depth_max), Refusal::too_deep));
        // Parsers differ on which of the two counts, so neither does.
        if (watch.twice) return refuse_with(bad(fmt::format("field '{}' is there twice", shown(*watch.twice)), Refusal::duplicate));
        if (json.is_discarded()) return refuse_with(bad("the body is not valid JSON", Refusal::bad_json));
        if (!json.is_object()) return refuse_with(bad("the body is not a JSON object", Refusal::bad_json));
    }
    for (const auto& [key, value] : json.items()) {
        const auto* rule = rule_of(rules, key);
        if (!rule && unknown == Unknown::ignored) continue;
        if (!rule) {
            return refuse_with(wrong(shown(key), fmt::format("is not known here; known are: {}", list_of(rules)), Refusal::unknown_field));
        }
        if (value.is_null() && rule->need == Need::optional) continue;
        auto text = plain(value, rule->kind);
        if (!text) return refuse_with(wrong(key, fmt::format("has to be {}", wanted_type(rule->kind))));
        if (auto problem = out.fields.put(*rule, std::move(*text))) return refuse_with(std::move(*problem));
    }
    out.problem = missing_in(out.fields, rules);
    return out;
}

FieldsOrProblem read_query(std::string_view query, std::span<const FieldRule> rules, Unknown unknown) {
    FieldsOrProblem out;
    if (query.size() > query_max) {
        out.problem = Problem{414, ErrorKind::invalid, fmt::format("the query is over {} bytes", query_max), "", Refusal::too_large};
        return out;
    }
    while (!query.empty()) {
        const auto end = query.find('&');
        const auto pair = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        const auto key = percent_decoded(pair.substr(0, equals), true);
        auto value = equals == std::string_view::npos ? std::optional{std::string{}} : percent_decoded(pair.substr(equals + 1), true);
        const auto* rule = key ? rule_of(rules, *key) : nullptr;
        if (!rule && unknown == Unknown::ignored) continue;
        if (!rule || !value) {
            const auto name = key ? shown(*key) : std::string{"?"};
            out.problem = rule ? wrong(name, "is not percent-encoded text")
                               : wrong(name, fmt::format("is not known in this query; known are: {}", list_of(rules)), Refusal::unknown_field);
            return out;
        }
        if ((out.problem = out.fields.put(*rule, std::move(*value)))) return out;
    }
    out.problem = missing_in(out.fields, rules);
    return out;
}

}  // namespace berth::gateway
