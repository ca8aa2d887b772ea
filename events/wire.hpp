// SPDX-License-Identifier: Apache-2.0
// How one value stands in msgpack, for every kind of field that a message may have. Written straight into
// the bytes that leave, and read where it lies (events/reader.hpp). The only header that includes msgpack;
// included by codec.cpp and by the few files that keep records of their own (ledger rows, the host's local KV).
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <charconv>
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
#include "events/reader.hpp"

namespace berth::wire {

/// Appends msgpack to `to`, each value in its shortest form.
class Packer {
public:
    explicit Packer(Bytes& to) : to_(to) {}

    void nil() { byte(0xc0); }
    void boolean(bool value) { byte(value ? 0xc3 : 0xc2); }
    void natural(std::uint64_t value) {
        if (value < 0x80) byte(static_cast<unsigned char>(value));
        else if (value <= 0xff) sized<1>(0xcc, value);
        else if (value <= 0xffff) sized<2>(0xcd, value);
        else if (value <= 0xffff'ffff) sized<4>(0xce, value);
        else sized<8>(0xcf, value);
    }
    void whole(std::int64_t value) {
        if (value >= 0) return natural(static_cast<std::uint64_t>(value));
        if (value >= -0x20) byte(static_cast<unsigned char>(value));
        else if (value >= -0x80) sized<1>(0xd0, static_cast<std::uint64_t>(value));
        else if (value >= -0x8000) sized<2>(0xd1, static_cast<std::uint64_t>(value));
        else if (value >= -0x8000'0000LL) sized<4>(0xd2, static_cast<std::uint64_t>(value));
        else sized<8>(0xd3, static_cast<std::uint64_t>(value));
    }
    void real(double value);
    void text(std::string_view value) {
        const auto size = value.size();
        if (size < 32) {                         // as most: one append for both
            std::array<char, 32> whole;
            whole[0] = static_cast<char>(0xa0U | size);
            std::copy_n(value.data(), size, whole.data() + 1);
            to_.append(whole.data(), size + 1);
            return;
        }
        if (size <= 0xff) sized<1>(0xd9, size);
        else if (size <= 0xffff) sized<2>(0xda, size);
        else sized<4>(0xdb, size);
        to_.append(value);
    }
    void array(std::uint32_t count) { container(0x90, 0xdc, count); }
    void map(std::uint32_t count) { container(0x80, 0xde, count); }
    /// What is msgpack already.
    void raw(std::string_view bytes) { to_.append(bytes); }

private:
    void byte(unsigned char value) { to_.push_back(static_cast<char>(value)); }
    template <std::size_t width>
    void sized(unsigned char head, std::uint64_t value) {
        std::array<char, width + 1> bytes{static_cast<char>(head)};
        for (std::size_t i = 0; i < width; ++i) bytes[i + 1] = static_cast<char>(value >> (8 * (width - 1 - i)));
        to_.append(bytes.data(), bytes.size());
    }
    void container(unsigned char small, unsigned char large, std::uint32_t count) {
        if (count < 16) byte(static_cast<unsigned char>(small | count));
        else if (count <= 0xffff) sized<2>(large, count);
        else sized<4>(static_cast<unsigned char>(large + 1), count);
    }

    Bytes& to_;
};

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

void put_decimal(Packer& to, std::uint64_t value);
void put_instant(Packer& to, Instant value);
void put_fact_record(Packer& to, const FactRecord& record);
void put_reason(Packer& to, const Reason& reason);
bool take_decimal(Reader& from, std::uint64_t& into);
bool take_instant(Reader& from, Instant& into);
bool take_duration(Reader& from, Duration& into);
bool take_real(Reader& from, double& into);
/// A number of at most `most`.
bool take_natural(Reader& from, std::uint64_t most, std::uint64_t& into);
bool take_bool(Reader& from, bool& into);
bool take_fact_record(Reader& from, FactRecord& into);
Result<Reason> get_reason(std::string_view bytes);

/// The same bytes as msgpack's own objects, for JSON. One whole value, with nothing after it; maps have text
/// keys, each once; text is UTF-8.
Result<msgpack::object_handle> parse(std::string_view bytes, const DecodeLimits& limits);

template <class T>
void put(Packer& to, const T& value);
/// False: refused, the reader says why.
template <class T>
bool take(Reader& from, T& into);

template <class T>
std::uint32_t fields_present(const T& value) {
    std::uint32_t count = 0;
    [[maybe_unused]] const auto present = [](const auto& member) {
        if constexpr (is_optional<std::decay_t<decltype(member)>>::value) return member.has_value();
        return true;
    };
    std::apply([&](const auto&... field) { ((count += present(value.*field.member) ? 1 : 0), ...); }, T::fields());
    return count;
}

/// The fields alone, without the head of their map.
template <class T>
void put_fields(Packer& to, const T& value) {
    [[maybe_unused]] const auto put_one = [&](const auto& field) {
        const auto& member = value.*field.member;
        if constexpr (is_optional<std::decay_t<decltype(member)>>::value) {
            if (!member) return;
        }
        to.text(field.name);
        put(to, member);
    };
    std::apply([&](const auto&... field) { (put_one(field), ...); }, T::fields());
}

/// Reads the fields of a struct in whatever order they come; in their own order each is found at once.
template <Reflected T>
class Fields {
public:
    static constexpr auto all = T::fields();
    static constexpr std::size_t count = std::tuple_size_v<decltype(all)>;
    enum class Found { yes, unknown, refused };

    /// The value of `key` is next in the reader.
    Found take_field(Reader& from, std::string_view key, T& into) {
        if constexpr (count > 0) {
            for (std::size_t tried = 0, i = next_; tried < count; ++tried, i = i + 1 == count ? 0 : i + 1) {
                if (key != names[i]) continue;
                next_ = i + 1 == count ? 0 : i + 1;
                seen_.set(i);
                if (takers[i](from, into)) return Found::yes;
                from.error().text = fmt::format("field '{}': {}", key, from.error().text);
                return Found::refused;
            }
        }
        return Found::unknown;
    }
    bool complete(Reader& from) const {
        for (std::size_t i = 0; i < count; ++i) {
            if (!seen_[i] && !optional[i]) return from.refuse(fmt::format("field '{}' is missing", names[i]));
        }
        return true;
    }

private:
    template <std::size_t I>
    static bool take_one(Reader& from, T& into) {
        return take(from, into.*std::get<I>(all).member);
    }
    template <std::size_t... I>
    static constexpr auto takers_of(std::index_sequence<I...>) {
        return std::array<bool (*)(Reader&, T&), count>{&take_one<I>...};
    }
    template <std::size_t... I>
    static constexpr auto names_of(std::index_sequence<I...>) {
        return std::array<std::string_view, count>{std::get<I>(all).name...};
    }
    template <std::size_t... I>
    static constexpr auto optional_of(std::index_sequence<I...>) {
        return std::array<bool, count>{is_optional<std::decay_t<decltype(std::declval<T>().*std::get<I>(all).member)>>::value...};
    }
    static constexpr auto takers = takers_of(std::make_index_sequence<count>{});
    static constexpr auto names = names_of(std::make_index_sequence<count>{});
    static constexpr auto optional = optional_of(std::make_index_sequence<count>{});

    std::size_t next_ = 0;
    std::bitset<count> seen_;
};

template <Reflected T>
bool take_struct(Reader& from, T& into) {
    std::uint32_t count = 0;
    if (!from.map(count)) return false;
    Fields<T> fields;
    std::string_view key;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (!from.text(key)) return false;
        const auto found = fields.take_field(from, key, into);
        if (found == Fields<T>::Found::refused) return false;
        if (found == Fields<T>::Found::unknown && !from.skip()) return false;
    }
    return fields.complete(from);
}

template <class T>
void put(Packer& to, const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        to.boolean(value);
    } else if constexpr (std::is_floating_point_v<T>) {
        to.real(value);
    } else if constexpr (std::is_integral_v<T>) {
        static_assert(sizeof(T) <= 4 || std::is_same_v<T, std::uint64_t>);
        if constexpr (std::is_signed_v<T>) to.whole(value);
        else to.natural(value);
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
        to.text(value);
    } else if constexpr (is_id<T>::value) {
        to.text(value.value);
    } else if constexpr (is_number<T>::value) {
        put_decimal(to, value.value);
    } else if constexpr (std::is_same_v<T, Instant>) {
        put_instant(to, value);
    } else if constexpr (std::is_same_v<T, Duration>) {
        to.whole(value.count());
    } else if constexpr (std::is_same_v<T, FactRecord>) {
        put_fact_record(to, value);
    } else if constexpr (std::is_same_v<T, Reason>) {
        put_reason(to, value);
    } else if constexpr (NamedEnum<T>) {
        to.text(to_string(value));
    } else if constexpr (is_optional<T>::value) {
        put(to, *value);
    } else if constexpr (is_vector<T>::value) {
        to.array(static_cast<std::uint32_t>(value.size()));
        for (const auto& item : value) put(to, item);
    } else if constexpr (is_map<T>::value) {
        to.map(static_cast<std::uint32_t>(value.size()));
        for (const auto& [key, item] : value) {
            put(to, key);
            put(to, item);
        }
    } else {
        to.map(fields_present(value));
        put_fields(to, value);
    }
}

/// What an empty one stands for is always written over; a FactRecord alone has no default.
template <class T>
T blank() {
    if constexpr (std::is_same_v<T, FactRecord>) return {{}, {}, {}, {}, Reason{"", "", ""}, {}};
    else return T{};
}

template <class T>
bool take(Reader& from, T& into) {
    if constexpr (std::is_same_v<T, bool>) {
        return take_bool(from, into);
    } else if constexpr (std::is_floating_point_v<T>) {
        double value = 0;
        if (!take_real(from, value)) return false;
        into = static_cast<T>(value);
        return true;
    } else if constexpr (std::is_integral_v<T>) {
        std::uint64_t value = 0;
        if (!take_natural(from, static_cast<std::uint64_t>(std::numeric_limits<T>::max()), value)) return false;
        into = static_cast<T>(value);
        return true;
    } else if constexpr (std::is_same_v<T, std::string_view>) {
        return from.text(into);
    } else if constexpr (std::is_same_v<T, std::string>) {
        std::string_view text;
        if (!from.text(text)) return false;
        into.assign(text);
        return true;
    } else if constexpr (is_id<T>::value) {
        return take(from, into.value);
    } else if constexpr (is_number<T>::value) {
        return take_decimal(from, into.value);
    } else if constexpr (std::is_same_v<T, Instant>) {
        return take_instant(from, into);
    } else if constexpr (std::is_same_v<T, Duration>) {
        return take_duration(from, into);
    } else if constexpr (std::is_same_v<T, FactRecord>) {
        return take_fact_record(from, into);
    } else if constexpr (NamedEnum<T>) {
        std::string_view name;
        if (!from.text(name)) return false;
        const auto value = enum_from<T>(name);
        if (!value) return from.refuse(fmt::format("'{}' is not one of the known words", name.substr(0, 40)));
        into = *value;
        return true;
    } else if constexpr (is_optional<T>::value) {
        if (from.take_nil()) {
            into.reset();
            return true;
        }
        return take(from, into.emplace(blank<typename T::value_type>()));
    } else if constexpr (is_vector<T>::value) {
        Value head;
        if (!from.next(head)) return false;
        if (head.kind != Kind::array) return from.refuse("expected an array");
        into.clear();
        into.reserve(head.count);
        for (std::uint32_t i = 0; i < head.count; ++i) {
            if (!take(from, into.emplace_back(blank<typename T::value_type>()))) return false;
        }
        return true;
    } else if constexpr (is_map<T>::value) {
        std::uint32_t count = 0;
        if (!from.map(count)) return false;
        into.clear();
        for (std::uint32_t i = 0; i < count; ++i) {
            typename T::key_type key{};
            if (!take(from, key)) return false;
            if (!take(from, into.emplace_hint(into.end(), std::move(key), typename T::mapped_type{})->second)) return false;
        }
        return true;
    } else {
        return take_struct(from, into);
    }
}

template <class T>
Bytes to_bytes(const T& value) {
    Bytes bytes;
    bytes.reserve(256);
    Packer packer(bytes);
    put(packer, value);
    return bytes;
}

/// Of bytes that are sound.
template <class T>
Result<T> from_sound_bytes(std::string_view bytes) {
    Reader reader(bytes);
    auto value = blank<T>();
    if (!take(reader, value)) return fail(std::move(reader.error()));
    return value;
}

template <class T>
Result<T> from_bytes(std::string_view bytes, const DecodeLimits& limits) {
    TRY(sound(bytes, limits));
    return from_sound_bytes<T>(bytes);
}

}  // namespace berth::wire
