// SPDX-License-Identifier: Apache-2.0
#include "events/codec.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>

#include "events/catalog.hpp"
#include "events/wire.hpp"

namespace berth {

namespace wire {

namespace {

// Text keys, each once; text in UTF-8. Depth is already bounded by the parser.
Result<void> inspect(const msgpack::object& value) {
    if (value.type == msgpack::type::STR && !is_utf8({value.via.str.ptr, value.via.str.size})) {
        return fail(ErrorKind::invalid, "text is not UTF-8");
    }
    if (value.type == msgpack::type::ARRAY) {
        for (std::uint32_t i = 0; i < value.via.array.size; ++i) TRY(inspect(value.via.array.ptr[i]));
    }
    if (value.type == msgpack::type::MAP) {
        std::vector<std::string_view> keys;
        keys.reserve(value.via.map.size);
        for (std::uint32_t i = 0; i < value.via.map.size; ++i) {
            const auto& entry = value.via.map.ptr[i];
            if (entry.key.type != msgpack::type::STR) return fail(ErrorKind::invalid, "a map key is not text");
            TRY(inspect(entry.key));
            TRY(inspect(entry.val));
            keys.emplace_back(entry.key.via.str.ptr, entry.key.via.str.size);
        }
        std::sort(keys.begin(), keys.end());
        if (const auto twice = std::adjacent_find(keys.begin(), keys.end()); twice != keys.end()) {
            return fail(ErrorKind::invalid, "key '{}' stands twice", twice->substr(0, 40));
        }
    }
    return {};
}

}  // namespace

Result<msgpack::object_handle> parse(std::string_view bytes, const DecodeLimits& limits) {
    if (bytes.size() > limits.bytes) {
        return fail(ErrorKind::limit, "a message of {} bytes is over the limit of {}", bytes.size(), limits.bytes);
    }
    try {
        std::size_t offset = 0;
        auto handle = msgpack::unpack(bytes.data(), bytes.size(), offset, nullptr, nullptr,
                                      msgpack::unpack_limit(limits.items, limits.items, limits.bytes, limits.bytes,
                                                            0, limits.depth));
        if (offset != bytes.size()) return fail(ErrorKind::invalid, "bytes follow the end of the message");
        TRY(inspect(handle.get()));
        return handle;
    } catch (const msgpack::size_overflow& error) {
        return fail(ErrorKind::limit, "msgpack over a limit: {}", error.what());
    } catch (const std::exception& error) {
        return fail(ErrorKind::invalid, "not msgpack: {}", error.what());
    }
}

// A number without a fraction as a whole one, as libmsgpack has it: the ledger's bytes stay what they were.
void Packer::real(double value) {
    if (value >= 0 && value <= static_cast<double>(std::numeric_limits<std::uint64_t>::max()) &&
        value == static_cast<double>(static_cast<std::uint64_t>(value))) {
        return natural(static_cast<std::uint64_t>(value));
    }
    if (value < 0 && value >= static_cast<double>(std::numeric_limits<std::int64_t>::min()) &&
        value == static_cast<double>(static_cast<std::int64_t>(value))) {
        return whole(static_cast<std::int64_t>(value));
    }
    sized<8>(0xcb, std::bit_cast<std::uint64_t>(value));
}

void put_decimal(Packer& to, std::uint64_t value) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    to.text({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

void put_instant(Packer& to, Instant value) { to.text(to_rfc3339(value)); }

bool take_decimal(Reader& from, std::uint64_t& into) {
    std::string_view text;
    if (!from.text(text)) return false;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    if (error != std::errc{} || stop != text.data() + text.size() || text.empty()) {
        return from.refuse(fmt::format("'{}' is not a decimal number as text", text.substr(0, 40)));
    }
    return true;
}

bool take_instant(Reader& from, Instant& into) {
    std::string_view text;
    if (!from.text(text)) return false;
    const auto value = from_rfc3339(text);
    if (!value) return from.refuse(value.error().kind, value.error().text);
    into = *value;
    return true;
}

bool take_duration(Reader& from, Duration& into) {
    constexpr std::uint64_t longest = std::uint64_t{366} * 86'400'000;
    Value value;
    if (!from.next(value)) return false;
    if (value.kind != Kind::natural || value.number > longest) {
        return from.refuse("expected a number of milliseconds, at most 366 days");
    }
    into = Duration{static_cast<std::int64_t>(value.number)};
    return true;
}

bool take_real(Reader& from, double& into) {
    Value value;
    if (!from.next(value)) return false;
    if (value.kind == Kind::real) into = value.real;
    else if (value.kind == Kind::natural) into = static_cast<double>(value.number);
    else if (value.kind == Kind::negative) into = static_cast<double>(static_cast<std::int64_t>(value.number));
    else return from.refuse("expected a number");
    return true;
}

bool take_natural(Reader& from, std::uint64_t most, std::uint64_t& into) {
    Value value;
    if (!from.next(value)) return false;
    if (value.kind != Kind::natural) return from.refuse("expected a whole number");
    if (value.number > most) return from.refuse(fmt::format("{} is too large", value.number));
    into = value.number;
    return true;
}

bool take_bool(Reader& from, bool& into) {
    Value value;
    if (!from.next(value)) return false;
    if (value.kind != Kind::boolean) return from.refuse("expected true or false");
    into = value.number != 0;
    return true;
}

void put_reason(Packer& to, const Reason& reason) {
    to.map(4);
    to.text("why");
    to.text(reason.why());
    to.text("actor");
    to.text(reason.actor());
    to.text("policy");
    to.text(reason.policy());
    to.text("evidence");
    put(to, reason.evidence());
}

struct ReasonFields {
    std::string why;
    std::string actor;
    std::string policy;
    std::vector<std::string> evidence;
    BERTH_FIELDS(ReasonFields, why, actor, policy, evidence)
};

Result<Reason> get_reason(std::string_view bytes) {
    auto fields = TRY(from_sound_bytes<ReasonFields>(bytes));
    if (fields.why.empty()) return fail(ErrorKind::invalid, "a reason without words");
    return Reason{std::move(fields.why), std::move(fields.actor), std::move(fields.policy), std::move(fields.evidence)};
}

namespace {

template <std::size_t I = 0>
bool take_fact(std::string_view name, Reader& from, Fact& into) {
    if constexpr (I == std::variant_size_v<Fact>) {
        return from.refuse(fmt::format("'{}' is not a fact that this version knows", name));
    } else {
        using T = std::variant_alternative_t<I, Fact>;
        if (name == event_name<T>) return take(from, into.emplace<T>());
        return take_fact<I + 1>(name, from, into);
    }
}

}  // namespace

void put_fact_record(Packer& to, const FactRecord& record) {
    to.map(7);
    to.text("position");
    put(to, record.position);
    to.text("term");
    put(to, record.term);
    to.text("at");
    put(to, record.at);
    to.text("type");
    to.text(type_of(record.fact));
    to.text("data");
    std::visit([&](const auto& fact) { put(to, fact); }, record.fact);
    to.text("reason");
    put_reason(to, record.reason);
    to.text("cause");
    to.text(record.cause);
}

struct FactHead {
    Position position;
    Term term;
    Instant at;
    std::string_view type;
    std::string_view cause;
    BERTH_FIELDS(FactHead, position, term, at, type, cause)
};

bool take_fact_record(Reader& from, FactRecord& into) {
    std::uint32_t count = 0;
    if (!from.map(count)) return false;
    FactHead head;
    Fields<FactHead> fields;
    std::string_view key, data, reason;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (!from.text(key)) return false;
        if (key == "data") {
            if (!from.slice(data)) return false;
        } else if (key == "reason") {
            if (!from.slice(reason)) return false;
        } else {
            const auto found = fields.take_field(from, key, head);
            if (found == Fields<FactHead>::Found::refused) return false;
            if (found == Fields<FactHead>::Found::unknown && !from.skip()) return false;
        }
    }
    if (!fields.complete(from)) return false;
    if (data.empty() || reason.empty()) return from.refuse("a fact without data or reason");
    into.position = head.position;
    into.term = head.term;
    into.at = head.at;
    into.cause = head.cause;
    Reader of_data(data);
    if (!take_fact(head.type, of_data, into.fact)) return from.refuse(of_data.error().kind, std::move(of_data.error().text));
    auto why = get_reason(reason);
    if (!why) return from.refuse(why.error().kind, std::move(why.error().text));
    into.reason = std::move(*why);
    return true;
}

}  // namespace wire

template <class T>
Bytes encode(const T& value) {
    return wire::to_bytes(value);
}

template <class T>
Result<T> decode(std::string_view bytes, const DecodeLimits& limits) {
    return wire::from_bytes<T>(bytes, limits);
}

Bytes encode_fact_data(const FactRecord& record) {
    return std::visit([](const auto& fact) { return wire::to_bytes(fact); }, record.fact);
}

namespace {

// Taking the addresses instantiates encode and decode for every row of the catalog.
template <class... Entries>
auto instantiate(const std::tuple<Entries...>&) {
    return std::tuple{std::tuple{&encode<typename Entries::Payload>, &decode<typename Entries::Payload>,
                                 &encode<typename Entries::Reply>, &decode<typename Entries::Reply>}...};
}

}  // namespace

extern const decltype(instantiate(catalog)) codec_table;
const decltype(instantiate(catalog)) codec_table = instantiate(catalog);

template Bytes encode<View>(const View&);
template Result<View> decode<View>(std::string_view, const DecodeLimits&);
template Bytes encode<FactRecord>(const FactRecord&);
template Result<FactRecord> decode<FactRecord>(std::string_view, const DecodeLimits&);
template Bytes encode<std::vector<FactRecord>>(const std::vector<FactRecord>&);
template Result<std::vector<FactRecord>> decode<std::vector<FactRecord>>(std::string_view, const DecodeLimits&);
template Bytes encode<Stamp>(const Stamp&);
template Result<Stamp> decode<Stamp>(std::string_view, const DecodeLimits&);

}  // namespace berth
