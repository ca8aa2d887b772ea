// SPDX-License-Identifier: Apache-2.0
// From the fields of a policy struct to rows of the catalog.
#pragma once

#include <cstdlib>
#include <initializer_list>

#include "base/check.hpp"
#include "settings/catalog.hpp"

namespace berth {

struct Meaning {
    std::string_view key;
    std::string_view text;
};

/// "1h", "90s", "250ms": the largest unit that leaves nothing over.
std::string length_as_toml(Duration length);
std::string text_as_toml(std::string_view text);

namespace detail {

template <class T>
struct is_optional_setting : std::false_type {};
template <class T>
struct is_optional_setting<std::optional<T>> : std::true_type {};

template <class T>
std::string type_name() {
    if constexpr (is_optional_setting<T>::value) return type_name<typename T::value_type>();
    else if constexpr (std::is_same_v<T, bool>) return "true or false";
    else if constexpr (std::is_arithmetic_v<T>) return "number";
    else if constexpr (std::is_same_v<T, Duration>) return "length of time";
    else if constexpr (std::is_same_v<T, std::vector<std::string>>) return "list";
    else if constexpr (NamedEnum<T>) {
        std::string words;
        for (const auto word : enum_names(T{})) words += (words.empty() ? "" : "|") + std::string{word};
        return words;
    } else {
        return "text";
    }
}

template <class T>
std::string as_toml(const T& value) {
    if constexpr (is_optional_setting<T>::value) return as_toml(value.value_or(typename T::value_type{}));
    else if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
    else if constexpr (std::is_arithmetic_v<T>) return fmt::format("{}", value);
    else if constexpr (std::is_same_v<T, Duration>) return text_as_toml(length_as_toml(value));
    else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
        std::string list;
        for (const auto& one : value) list += (list.empty() ? "" : ", ") + text_as_toml(one);
        return "[" + list + "]";
    } else if constexpr (NamedEnum<T>) return text_as_toml(to_string(value));
    else if constexpr (requires { value.value; }) return text_as_toml(value.value);
    else return text_as_toml(value);
}

template <class T>
Result<void> check_as(const Config::Setting& setting, std::string_view key) {
    if constexpr (is_optional_setting<T>::value) {
        return check_as<typename T::value_type>(setting, key);
    } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        std::int64_t wide = 0;
        TRY(read_value(setting, key, wide));
        if (static_cast<std::int64_t>(static_cast<T>(wide)) != wide || (std::is_unsigned_v<T> && wide < 0)) {
            return fail(ErrorKind::invalid, "{}: {} = {} is out of range", setting.origin, key, wide);
        }
        return {};
    } else if constexpr (NamedEnum<T>) {
        if (enum_from<T>(setting.value)) return {};
        return fail(ErrorKind::invalid, "{}: {} = '{}' is none of {}", setting.origin, key, setting.value, type_name<T>());
    } else if constexpr (requires(T to) { read_value(setting, key, to); }) {
        T to{};
        return read_value(setting, key, to);
    } else {
        return {};
    }
}

}  // namespace detail

/// All fields of the struct but `left_out`, in their order.
template <Reflected Policy>
void add(SettingsSection& section, std::initializer_list<Meaning> meanings, std::string_view left_out = {}, const Policy& defaults = {}) {
    std::size_t used = 0;
    const auto row = [&](const auto& field) {
        using T = std::decay_t<decltype(defaults.*field.member)>;
        if (field.name == left_out) return;
        std::string_view meaning;
        for (const auto& one : meanings) {
            if (one.key != field.name) continue;
            meaning = one.text;
            ++used;
        }
        section.rows.push_back({field.name, detail::type_name<T>(), detail::as_toml(defaults.*field.member), meaning,
                                [key = field.name](const Config::Setting& setting) { return detail::check_as<T>(setting, key); }});
    };
    std::apply([&](const auto&... field) { (row(field), ...); }, Policy::fields());
    check(used == meanings.size(), "each meaning is of a key that there is");
}

}  // namespace berth
