// SPDX-License-Identifier: Apache-2.0
#include "events/codec.hpp"

#include <algorithm>
#include <charconv>

#include "events/catalog.hpp"
#include "events/wire.hpp"

namespace berth {

namespace wire {

namespace {

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        std::size_t more = 0;
        std::uint32_t code = c;
        if (c >= 0x80) {
            if (c >= 0xc2 && c <= 0xdf) more = 1, code = c & 0x1fU;
            else if (c >= 0xe0 && c <= 0xef) more = 2, code = c & 0x0fU;
            else if (c >= 0xf0 && c <= 0xf4) more = 3, code = c & 0x07U;
            else return false;
        }
        if (i + more >= text.size()) return false;
        for (std::size_t k = 1; k <= more; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if ((next & 0xc0U) != 0x80U) return false;
            code = (code << 6) | (next & 0x3fU);
        }
        if ((more == 2 && code < 0x800) || (more == 3 && (code < 0x10000 || code > 0x10ffff)) ||
            (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

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

void put_text(Packer& to, std::string_view text) {
    to.pack_str(static_cast<std::uint32_t>(text.size()));
    to.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

Result<std::string> get_text(const msgpack::object& from) {
    if (from.type != msgpack::type::STR) return fail(ErrorKind::invalid, "expected text");
    return std::string{from.via.str.ptr, from.via.str.size};
}

Result<std::uint64_t> get_decimal(const msgpack::object& from) {
    const auto text = TRY(get_text(from));
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || stop != text.data() + text.size() || text.empty()) {
        return fail(ErrorKind::invalid, "'{}' is not a decimal number as text", text.substr(0, 40));
    }
    return value;
}

const msgpack::object* find_key(const msgpack::object& from, std::string_view key) {
    for (std::uint32_t i = 0; i < from.via.map.size; ++i) {
        const auto& entry = from.via.map.ptr[i];
        if (entry.key.type == msgpack::type::STR && key == std::string_view{entry.key.via.str.ptr, entry.key.via.str.size}) {
            return &entry.val;
        }
    }
    return nullptr;
}

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

void put_reason(Packer& to, const Reason& reason) {
    to.pack_map(4);
    put_text(to, "why");
    put_text(to, reason.why());
    put_text(to, "actor");
    put_text(to, reason.actor());
    put_text(to, "policy");
    put_text(to, reason.policy());
    put_text(to, "evidence");
    put(to, reason.evidence());
}

struct ReasonFields {
    std::string why;
    std::string actor;
    std::string policy;
    std::vector<std::string> evidence;
    BERTH_FIELDS(ReasonFields, why, actor, policy, evidence)
};

Result<Reason> get_reason(const msgpack::object& from) {
    auto fields = TRY(get<ReasonFields>(from));
    if (fields.why.empty()) return fail(ErrorKind::invalid, "a reason without words");
    return Reason{fields.why, fields.actor, fields.policy, fields.evidence};
}

namespace {

template <std::size_t I = 0>
Result<Fact> get_fact(std::string_view name, const msgpack::object& data) {
    if constexpr (I == std::variant_size_v<Fact>) {
        return fail(ErrorKind::invalid, "'{}' is not a fact that this version knows", name);
    } else {
        using T = std::variant_alternative_t<I, Fact>;
        if (name == event_name<T>) return Fact{TRY(get<T>(data))};
        return get_fact<I + 1>(name, data);
    }
}

}  // namespace

void put_fact_record(Packer& to, const FactRecord& record) {
    to.pack_map(7);
    put_text(to, "position");
    put(to, record.position);
    put_text(to, "term");
    put(to, record.term);
    put_text(to, "at");
    put(to, record.at);
    put_text(to, "type");
    put_text(to, type_of(record.fact));
    put_text(to, "data");
    std::visit([&](const auto& fact) { put(to, fact); }, record.fact);
    put_text(to, "reason");
    put_reason(to, record.reason);
    put_text(to, "cause");
    put_text(to, record.cause);
}

struct FactHead {
    Position position;
    Term term;
    Instant at;
    std::string type;
    std::string cause;
    BERTH_FIELDS(FactHead, position, term, at, type, cause)
};

Result<FactRecord> get_fact_record(const msgpack::object& from) {
    auto head = TRY(get<FactHead>(from));
    const auto* data = find_key(from, "data");
    const auto* reason = find_key(from, "reason");
    if (!data || !reason) return fail(ErrorKind::invalid, "a fact without data or reason");
    return FactRecord{head.position, head.term, head.at, TRY(get_fact(head.type, *data)),
                      TRY(get_reason(*reason)), head.cause};
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
