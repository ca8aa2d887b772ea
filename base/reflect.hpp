// SPDX-License-Identifier: Apache-2.0
// Two macros that let a plain enum or struct be read field by field: once for the wire, once for
// JSON, once for test printers and documents. No other code lists the fields of a message again.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <tuple>

// clang-format off
#define BERTH_PARENS ()
#define BERTH_EXPAND(...) BERTH_EXPAND3(BERTH_EXPAND3(BERTH_EXPAND3(__VA_ARGS__)))
#define BERTH_EXPAND3(...) BERTH_EXPAND2(BERTH_EXPAND2(BERTH_EXPAND2(__VA_ARGS__)))
#define BERTH_EXPAND2(...) BERTH_EXPAND1(BERTH_EXPAND1(BERTH_EXPAND1(__VA_ARGS__)))
#define BERTH_EXPAND1(...) __VA_ARGS__
#define BERTH_EACH(macro, first, ...) __VA_OPT__(BERTH_EXPAND(BERTH_EACH_STEP(macro, first, __VA_ARGS__)))
#define BERTH_EACH_STEP(macro, first, next, ...) \
    macro(first, next) __VA_OPT__(, BERTH_EACH_AGAIN BERTH_PARENS (macro, first, __VA_ARGS__))
#define BERTH_EACH_AGAIN() BERTH_EACH_STEP
#define BERTH_FIELD(type, member) ::berth::Field{std::string_view{#member}, &type::member}
#define BERTH_NAME(type, member) std::string_view{#member}

/// Inside a struct, after its members: makes it comparable and readable by `fields()`.
#define BERTH_FIELDS(type, ...)                                            \
    static constexpr auto fields() {                                       \
        return std::tuple{BERTH_EACH(BERTH_FIELD, type, __VA_ARGS__)};     \
    }                                                                      \
    friend bool operator==(const type&, const type&) = default;
/// The same for a struct without members.
#define BERTH_NO_FIELDS(type)                                              \
    static constexpr auto fields() { return std::tuple{}; }                \
    friend bool operator==(const type&, const type&) = default;
/// At namespace scope: an enum class whose enumerators are also its words on the wire.
#define BERTH_ENUM(type, ...)                                              \
    enum class type { __VA_ARGS__ };                                       \
    constexpr auto enum_names(type) {                                      \
        return std::array{BERTH_EACH(BERTH_NAME, type, __VA_ARGS__)};      \
    }
// clang-format on

namespace berth {

template <class Struct, class Member>
struct Field {
    std::string_view name;
    Member Struct::*member;
};

template <class T>
concept Reflected = requires { T::fields(); };

template <class E>
concept NamedEnum = requires(E e) { enum_names(e); };

template <NamedEnum E>
constexpr std::string_view to_string(E value) {
    return enum_names(value)[static_cast<std::size_t>(value)];
}

template <NamedEnum E>
constexpr std::optional<E> enum_from(std::string_view name) {
    constexpr auto names = enum_names(E{});
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == name) return static_cast<E>(i);
    }
    return std::nullopt;
}

}  // namespace berth
