// SPDX-License-Identifier: Apache-2.0
// How one value stands in msgpack, for every kind of field that a message may have. The only
// header that includes msgpack; included by codec.cpp and by the few files that keep records of
// their own (ledger rows, the host's local KV).
#pragma once

#include <map>
#include <msgpack.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "events/codec.hpp"
#include "events/ledger.hpp"

namespace berth::wire {

using Packer = msgpack::packer<msgpack::sbuffer>;

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_map : std::false_type {};
template <class K, class V>
struct is_map<std::map<K, V>> : std::true_type {};
template <class T>
struct is_number : std::false_type {};
template <class Tag>
struct is_number<Number<Tag>> : std::true_type {};
template <class T>
struct is_id : std::false_type {};
template <class Tag>
struct is_id<Id<Tag>> : std::true_type {};

void put_text(Packer& to, std::string_view text);
Result<std::string> get_text(const msgpack::object& from);
Result<std::uint64_t> get_decimal(const msgpack::object& from);
void put_fact_record(Packer& to, const FactRecord& record);
Result<FactRecord> get_fact_record(const msgpack::object& from);
void put_reason(Packer& to, const Reason& reason);
Result<Reason> get_reason(const msgpack::object& from);
/// The value of `key`; null when absent. `from` is a map with text keys.
const msgpack::object* find_key(const msgpack::object& from, std::string_view key);
/// One whole value, with nothing after it; maps have text keys, each once; text is UTF-8.
Result<msgpack::object_handle> parse(std::string_view bytes, const DecodeLimits& limits);

template <class T>
void put(Packer& to, const T& value);
template <class T>
Result<T> get(const msgpack::object& from);

template <Reflected T>
void put_struct(Packer& to, const T& value) {
    std::apply(
        [&](const auto&... field) {
            std::uint32_t count = 0;
            [[maybe_unused]] const auto present = [&](const auto& member) {
                if constexpr (is_optional<std::decay_t<decltype(member)>>::value) return member.has_value();
                return true;
            };
            ((count += present(value.*field.member) ? 1 : 0), ...);
            to.pack_map(count);
            (
                [&] {
                    if (!present(value.*field.member)) return;
                    put_text(to, field.name);
                    put(to, value.*field.member);
                }(),
                ...);
        },
        T::fields());
}

template <Reflected T>
Result<T> get_struct(const msgpack::object& from) {
    if (from.type != msgpack::type::MAP) return fail(ErrorKind::invalid, "expected a map");
    T value{};
    Result<void> outcome;
    std::apply(
        [&](const auto&... field) {
            (
                [&] {
                    if (!outcome) return;
                    using Member = std::decay_t<decltype(value.*field.member)>;
                    const auto* found = find_key(from, field.name);
                    if (!found || (found->is_nil() && is_optional<Member>::value)) {
                        if (!is_optional<Member>::value) {
                            outcome = fail(ErrorKind::invalid, "field '{}' is missing", field.name);
                        }
                        return;
                    }
                    auto got = get<Member>(*found);
                    if (got) {
                        value.*field.member = std::move(*got);
                    } else {
                        outcome = fail(got.error().kind, "field '{}': {}", field.name, got.error().text);
                    }
                }(),
                ...);
        },
        T::fields());
    if (!outcome) return fail(outcome.error());
    return value;
}

template <class T>
void put(Packer& to, const T& value) {
    if constexpr (std::is_same_v<T, bool> || std::is_floating_point_v<T>) {
        to.pack(value);
    } else if constexpr (std::is_integral_v<T>) {
        static_assert(sizeof(T) <= 4 || std::is_same_v<T, std::uint64_t>);
        to.pack(value);
    } else if constexpr (std::is_same_v<T, std::string>) {
        put_text(to, value);
    } else if constexpr (is_id<T>::value) {
        put_text(to, value.value);
    } else if constexpr (is_number<T>::value) {
        put_text(to, fmt::format("{}", value.value));
    } else if constexpr (std::is_same_v<T, Instant>) {
        put_text(to, to_rfc3339(value));
    } else if constexpr (std::is_same_v<T, Duration>) {
        to.pack_int64(value.count());
    } else if constexpr (std::is_same_v<T, FactRecord>) {
        put_fact_record(to, value);
    } else if constexpr (NamedEnum<T>) {
        put_text(to, to_string(value));
    } else if constexpr (is_optional<T>::value) {
        put(to, *value);
    } else if constexpr (is_vector<T>::value) {
        to.pack_array(static_cast<std::uint32_t>(value.size()));
        for (const auto& item : value) put(to, item);
    } else if constexpr (is_map<T>::value) {
        to.pack_map(static_cast<std::uint32_t>(value.size()));
        for (const auto& [key, item] : value) {
            put(to, key);
            put(to, item);
        }
    } else {
        put_struct(to, value);
    }
}

template <class T>
Result<T> get(const msgpack::object& from) {
    if constexpr (std::is_same_v<T, bool>) {
        if (from.type != msgpack::type::BOOLEAN) return fail(ErrorKind::invalid, "expected true or false");
        return from.via.boolean;
    } else if constexpr (std::is_floating_point_v<T>) {
        if (from.type == msgpack::type::FLOAT32 || from.type == msgpack::type::FLOAT64) return from.via.f64;
        if (from.type == msgpack::type::POSITIVE_INTEGER) return static_cast<T>(from.via.u64);
        if (from.type == msgpack::type::NEGATIVE_INTEGER) return static_cast<T>(from.via.i64);
        return fail(ErrorKind::invalid, "expected a number");
    } else if constexpr (std::is_integral_v<T>) {
        if (from.type != msgpack::type::POSITIVE_INTEGER) return fail(ErrorKind::invalid, "expected a whole number");
        const auto narrow = static_cast<T>(from.via.u64);
        if (narrow != from.via.u64) return fail(ErrorKind::invalid, "{} is too large", from.via.u64);
        return narrow;
    } else if constexpr (std::is_same_v<T, std::string>) {
        return get_text(from);
    } else if constexpr (is_id<T>::value) {
        return T{TRY(get_text(from))};
    } else if constexpr (is_number<T>::value) {
        return T{TRY(get_decimal(from))};
    } else if constexpr (std::is_same_v<T, Instant>) {
        return from_rfc3339(TRY(get_text(from)));
    } else if constexpr (std::is_same_v<T, Duration>) {
        constexpr std::uint64_t longest = std::uint64_t{366} * 86'400'000;
        if (from.type != msgpack::type::POSITIVE_INTEGER || from.via.u64 > longest) {
            return fail(ErrorKind::invalid, "expected a number of milliseconds, at most 366 days");
        }
        return Duration{static_cast<std::int64_t>(from.via.u64)};
    } else if constexpr (std::is_same_v<T, FactRecord>) {
        return get_fact_record(from);
    } else if constexpr (NamedEnum<T>) {
        const auto name = TRY(get_text(from));
        if (const auto value = enum_from<T>(name)) return *value;
        return fail(ErrorKind::invalid, "'{}' is not one of the known words", name.substr(0, 40));
    } else if constexpr (is_optional<T>::value) {
        return T{TRY(get<typename T::value_type>(from))};
    } else if constexpr (is_vector<T>::value) {
        if (from.type != msgpack::type::ARRAY) return fail(ErrorKind::invalid, "expected an array");
        T items;
        items.reserve(from.via.array.size);
        for (std::uint32_t i = 0; i < from.via.array.size; ++i) {
            items.push_back(TRY(get<typename T::value_type>(from.via.array.ptr[i])));
        }
        return items;
    } else if constexpr (is_map<T>::value) {
        if (from.type != msgpack::type::MAP) return fail(ErrorKind::invalid, "expected a map");
        T items;
        for (std::uint32_t i = 0; i < from.via.map.size; ++i) {
            const auto& entry = from.via.map.ptr[i];
            auto key = TRY(get<typename T::key_type>(entry.key));
            items.emplace(std::move(key), TRY(get<typename T::mapped_type>(entry.val)));
        }
        return items;
    } else {
        return get_struct<T>(from);
    }
}

template <class T>
Bytes to_bytes(const T& value) {
    msgpack::sbuffer buffer;
    Packer packer(buffer);
    put(packer, value);
    return {buffer.data(), buffer.size()};
}

template <class T>
Result<T> from_bytes(std::string_view bytes, const DecodeLimits& limits) {
    const auto handle = TRY(parse(bytes, limits));
    return get<T>(handle.get());
}

}  // namespace berth::wire
