// SPDX-License-Identifier: Apache-2.0
// msgpack to JSON and back, for the edges where people and browsers read.
#include <nlohmann/json.hpp>

#include "events/codec.hpp"
#include "events/wire.hpp"

namespace berth {

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const msgpack::object& value) {
    switch (value.type) {
        case msgpack::type::NIL: return nullptr;
        case msgpack::type::BOOLEAN: return value.via.boolean;
        case msgpack::type::POSITIVE_INTEGER: return value.via.u64;
        case msgpack::type::NEGATIVE_INTEGER: return value.via.i64;
        case msgpack::type::FLOAT32:
        case msgpack::type::FLOAT64: return value.via.f64;
        case msgpack::type::STR: return std::string{value.via.str.ptr, value.via.str.size};
        case msgpack::type::ARRAY: {
            auto array = Json::array();
            for (std::uint32_t i = 0; i < value.via.array.size; ++i) array.push_back(json_of(value.via.array.ptr[i]));
            return array;
        }
        case msgpack::type::MAP: {
            auto object = Json::object();
            for (std::uint32_t i = 0; i < value.via.map.size; ++i) {
                const auto& entry = value.via.map.ptr[i];
                object[std::string{entry.key.via.str.ptr, entry.key.via.str.size}] = json_of(entry.val);
            }
            return object;
        }
        default: return nullptr;  // bin and ext are not part of the contract
    }
}

}  // namespace

Result<std::string> to_json(std::string_view msgpack_bytes, const DecodeLimits& limits) {
    const auto handle = TRY(wire::parse(msgpack_bytes, limits));
    return json_of(handle.get()).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Bytes> from_json(std::string_view json, const DecodeLimits& limits) {
    if (json.size() > limits.bytes) {
        return fail(ErrorKind::limit, "a body of {} bytes is over the limit of {}", json.size(), limits.bytes);
    }
    std::size_t depth = 0;
    bool deep = false;
    const auto watch = [&](int, nlohmann::json::parse_event_t event, nlohmann::json&) {
        using Event = nlohmann::json::parse_event_t;
        if (event == Event::object_start || event == Event::array_start) deep = deep || ++depth > limits.depth;
        if (event == Event::object_end || event == Event::array_end) --depth;
        return !deep;
    };
    const auto parsed = nlohmann::json::parse(json, watch, false);
    if (deep) return fail(ErrorKind::limit, "JSON nested deeper than {}", limits.depth);
    if (parsed.is_discarded()) return fail(ErrorKind::invalid, "the body is not valid JSON");
    const auto bytes = nlohmann::json::to_msgpack(parsed);
    return Bytes{bytes.begin(), bytes.end()};
}

}  // namespace berth
