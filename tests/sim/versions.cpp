// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/versions.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "events/wire.hpp"

namespace berth::sim {

namespace {

// Parts that are structs wherever they stand; other maps have ids for keys.
constexpr std::array struct_names{std::string_view{"data"}, std::string_view{"reason"}, std::string_view{"error"}, std::string_view{"target"},
                                  std::string_view{"permit"}, std::string_view{"view"}};

using Packer = msgpack::packer<msgpack::sbuffer>;

std::string_view text_of(const msgpack::object& key) { return {key.via.str.ptr, key.via.str.size}; }

// ---- newer: each struct has two words more, one before all others, and one that is no plain value

void put_more(Packer& to, const msgpack::object& map);

void put_value(Packer& to, const msgpack::object_kv& entry) {
    const bool is_struct = entry.val.type == msgpack::type::MAP &&
                           std::find(struct_names.begin(), struct_names.end(), text_of(entry.key)) != struct_names.end();
    if (is_struct) return put_more(to, entry.val);
    if (entry.val.type != msgpack::type::ARRAY) {
        to.pack(entry.val);
        return;
    }
    to.pack_array(entry.val.via.array.size);
    for (std::uint32_t i = 0; i < entry.val.via.array.size; ++i) {
        const auto& item = entry.val.via.array.ptr[i];
        if (item.type == msgpack::type::MAP) put_more(to, item);
        else to.pack(item);
    }
}

void put_more(Packer& to, const msgpack::object& map) {
    to.pack_map(map.via.map.size + 2);
    to.pack("a_new_word");
    to.pack("id");
    for (std::uint32_t i = 0; i < map.via.map.size; ++i) {
        to.pack(map.via.map.ptr[i].key);
        put_value(to, map.via.map.ptr[i]);
    }
    to.pack("xfuture");
    to.pack_map(1);
    to.pack("id");
    to.pack_array(2);
    to.pack_nil();
    to.pack(7.5);
}

// ---- older: what the last version did not say yet, and a receiver has a default for, is absent

bool is_new(std::string_view topic, std::string_view key, bool in_data) {
    if (!in_data) return key == "datacontenttype" || key == "subject";
    return key == "ttl_ms" && (topic == "allocator.claim." || topic == "claim.requested.");
}

void put_less(Packer& to, const msgpack::object& map, std::string_view topic, bool in_data) {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < map.via.map.size; ++i) kept += is_new(topic, text_of(map.via.map.ptr[i].key), in_data) ? 0 : 1;
    to.pack_map(kept);
    for (std::uint32_t i = 0; i < map.via.map.size; ++i) {
        const auto& entry = map.via.map.ptr[i];
        if (is_new(topic, text_of(entry.key), in_data)) continue;
        to.pack(entry.key);
        if (!in_data && text_of(entry.key) == "data") put_less(to, entry.val, topic, true);
        else to.pack(entry.val);
    }
}

}  // namespace

Parcel restate(Parcel parcel, Version version) {
    if (version == Version::current) return parcel;
    const auto whole = wire::parse(*parcel.envelope, trusted_limits);
    check(whole.has_value() && whole->get().type == msgpack::type::MAP, "what a process sends is an envelope");
    msgpack::sbuffer buffer;
    Packer packer(buffer);
    if (version == Version::newer) put_more(packer, whole->get());
    else put_less(packer, whole->get(), parcel.topic, false);
    parcel.envelope = std::make_shared<const Bytes>(buffer.data(), buffer.size());
    return parcel;
}

}  // namespace berth::sim
