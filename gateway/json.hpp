// SPDX-License-Identifier: Apache-2.0
// Any reflected value as JSON: ids as text, 64-bit numbers as decimal text, instants as RFC 3339,
// durations as milliseconds. An absent optional is left out; an instant that never was is null.
// Heavy: for .cpp files only.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>
#include <vector>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::gateway {

using Json = nlohmann::ordered_json;

namespace detail {
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
}  // namespace detail

template <class T>
Json json_of(const T& value) {
    if constexpr (std::is_same_v<T, Instant>) {
        return value == Instant{} ? Json(nullptr) : Json(to_rfc3339(value));
    } else if constexpr (std::is_same_v<T, Duration>) {
        return value.count();
    } else if constexpr (NamedEnum<T>) {
        return std::string{to_string(value)};
    } else if constexpr (detail::is_optional<T>::value) {
        return value ? json_of(*value) : Json(nullptr);
    } else if constexpr (detail::is_vector<T>::value) {
        auto list = Json::array();
        for (const auto& item : value) list.push_back(json_of(item));
        return list;
    } else if constexpr (Reflected<T>) {
        auto object = Json::object();
        const auto put = [&](std::string_view name, const auto& member) {
            if constexpr (detail::is_optional<std::decay_t<decltype(member)>>::value) {
                if (!member) return;
            }
            object[std::string{name}] = json_of(member);
        };
        std::apply([&](const auto&... field) { (put(field.name, value.*field.member), ...); }, T::fields());
        return object;
    } else if constexpr (requires { { value.value } -> std::convertible_to<std::string>; }) {
        return value.value;                       // an Id
    } else if constexpr (requires { { value.value } -> std::convertible_to<std::uint64_t>; }) {
        return std::to_string(value.value);       // a Number
    } else {
        return value;
    }
}

/// Compact text; broken UTF-8 becomes the replacement character.
inline std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace berth::gateway
