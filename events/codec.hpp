// SPDX-License-Identifier: Apache-2.0
// Values to msgpack and back. Instantiated in codec.cpp for every message of the catalog, so that
// no other part includes msgpack. Decoding is bounded before anything is allocated (design §10),
// refuses duplicate keys, trailing bytes and text that is not UTF-8, ignores unknown keys, and says
// which field is missing or of another type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "events/envelope.hpp"

namespace berth {

struct DecodeLimits {
    std::size_t bytes = 256 * 1024;
    std::size_t depth = 16;
    std::uint32_t items = 8192;           // of one array or map
};
/// For what the allocator itself answers: whole views.
inline constexpr DecodeLimits trusted_limits{64 * 1024 * 1024, 16, 1'000'000};

template <class T>
Bytes encode(const T& value);
template <class T>
Result<T> decode(std::string_view bytes, const DecodeLimits& limits = {});

Bytes encode_envelope(const Envelope& envelope);
Result<Envelope> decode_envelope(std::string_view bytes, const DecodeLimits& limits = {});

/// Any msgpack value as JSON text, for taps, the gateway and people; bounded like decode().
Result<std::string> to_json(std::string_view msgpack, const DecodeLimits& limits = {});
/// JSON text as msgpack, for the gateway's request bodies.
Result<Bytes> from_json(std::string_view json, const DecodeLimits& limits = {});

/// The fact in a published envelope, and back.
struct FactRecord;
Bytes encode_fact_data(const FactRecord& record);

}  // namespace berth
