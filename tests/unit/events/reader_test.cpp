// SPDX-License-Identifier: Apache-2.0
// Our own reading and writing of msgpack against libmsgpack's: the same bytes are taken, the same refused, and
// what is written is the same to the byte, since ledgers are chained over it.
#include "events/reader.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.hpp"
#include "events/wire.hpp"

namespace berth::wire {
namespace {

std::string random_value(Rng& rng, int depth) {
    Bytes bytes;
    Packer to(bytes);
    switch (rng.below(depth > 0 ? 9 : 7)) {
        case 0: to.nil(); break;
        case 1: to.boolean(rng.chance(0.5)); break;
        case 2: to.natural(rng.next() >> rng.below(64)); break;
        case 3: to.whole(-static_cast<std::int64_t>(rng.next() >> (1 + rng.below(63)))); break;
        case 4: to.real(static_cast<double>(rng.next()) / 3.0); break;
        case 5: to.text(std::string(rng.below(3) * rng.below(200), 'a') + "\xc3\xa4\xe2\x82\xac"); break;
        case 6: bytes = std::string("\xc4\x02xy", 4); break;
        case 7: {
            const auto count = rng.below(20);
            to.array(static_cast<std::uint32_t>(count));
            for (std::uint64_t i = 0; i < count; ++i) to.raw(random_value(rng, depth - 1));
            break;
        }
        default: {
            const auto count = rng.below(30);
            to.map(static_cast<std::uint32_t>(count));
            for (std::uint64_t i = 0; i < count; ++i) {
                to.text(fmt::format("k{}", rng.chance(0.02) ? 0 : i));
                to.raw(random_value(rng, depth - 1));
            }
        }
    }
    return bytes;
}

TEST(reader, takes_and_refuses_what_libmsgpack_does) {
    Rng rng(20'261'127);
    const DecodeLimits limits{.bytes = 100'000, .depth = 4, .items = 25};
    std::size_t taken = 0, refused = 0;
    for (int i = 0; i < 30'000; ++i) {
        auto bytes = random_value(rng, 4);
        for (std::uint64_t k = rng.below(3); k > 0 && !bytes.empty(); --k) {
            const auto at = rng.below(bytes.size());
            if (rng.chance(0.3)) bytes.resize(at);
            else if (rng.chance(0.5)) bytes[at] = static_cast<char>(rng.below(256));
            else bytes.insert(at, 1, static_cast<char>(rng.below(256)));
        }
        const auto ours = sound(bytes, limits);
        const auto theirs = parse(bytes, limits);
        ASSERT_EQ(ours.has_value(), theirs.has_value())
            << i << ": " << (ours ? theirs.error().text : ours.error().text) << " in " << bytes.size() << " bytes";
        ++(ours ? taken : refused);
        if (!ours) continue;
        Reader reader(bytes);
        std::string_view whole;
        ASSERT_TRUE(reader.slice(whole));
        EXPECT_EQ(whole, bytes);
    }
    EXPECT_GT(taken, 5'000U);
    EXPECT_GT(refused, 5'000U);
}

TEST(packer, writes_what_libmsgpack_writes) {
    const auto same = [](const auto& value, auto put_ours) {
        msgpack::sbuffer theirs;
        msgpack::packer<msgpack::sbuffer>(theirs).pack(value);
        Bytes ours;
        Packer to(ours);
        put_ours(to, value);
        EXPECT_EQ(ours, std::string(theirs.data(), theirs.size())) << "for " << value;
    };
    std::vector<std::int64_t> edges{std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
    for (int bits = 0; bits < 63; ++bits) {
        for (const std::int64_t near : {-1, 0, 1}) {
            edges.push_back((std::int64_t{1} << bits) + near);
            edges.push_back(-(std::int64_t{1} << bits) + near);
        }
    }
    for (const auto number : edges) {
        same(number, [](Packer& to, std::int64_t value) { to.whole(value); });
        same(static_cast<std::uint64_t>(number), [](Packer& to, std::uint64_t value) { to.natural(value); });
        same(static_cast<double>(number), [](Packer& to, double value) { to.real(value); });
    }
    for (const double number : {0.5, -0.25, 1e300, -1e300, std::numeric_limits<double>::infinity()}) {
        same(number, [](Packer& to, double value) { to.real(value); });
    }
    for (const std::size_t size : {0U, 31U, 32U, 255U, 256U, 65'535U, 65'536U}) {
        same(std::string(size, 't'), [](Packer& to, const std::string& value) { to.text(value); });
    }
    for (const std::uint32_t count : {0U, 15U, 16U, 65'535U, 65'536U}) {
        msgpack::sbuffer theirs;
        msgpack::packer<msgpack::sbuffer> packer(theirs);
        packer.pack_array(count);
        packer.pack_map(count);
        Bytes ours;
        Packer to(ours);
        to.array(count);
        to.map(count);
        EXPECT_EQ(ours, std::string(theirs.data(), theirs.size())) << count;
    }
}

TEST(fields, are_found_in_any_order_and_the_first_that_is_missing_is_named) {
    Bytes bytes;
    Packer to(bytes);
    to.map(4);
    to.text("policy");
    to.text("p");
    to.text("xfuture");
    to.map(1);
    to.text("a");
    to.array(2);
    to.nil();
    to.natural(7);
    to.text("why");
    to.text("w");
    to.text("evidence");
    to.array(0);
    EXPECT_EQ(get_reason(bytes).error().text, "field 'actor' is missing");
    bytes.clear();
    to.map(4);
    for (const auto* key : {"evidence", "actor", "why", "policy"}) {
        to.text(key);
        if (std::string_view{key} == "evidence") to.array(0);
        else to.text(key);
    }
    const auto reason = get_reason(bytes);
    ASSERT_TRUE(reason) << reason.error().text;
    EXPECT_EQ(reason->why(), "why");
    EXPECT_EQ(reason->policy(), "policy");
}

}  // namespace
}  // namespace berth::wire
