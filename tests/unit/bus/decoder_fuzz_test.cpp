// SPDX-License-Identifier: Apache-2.0
// Every message of the catalog, mutated with a fixed seed, through every decoder: it is refused in words or
// taken, and what is allocated meanwhile stays in proportion to what came (I24). Bytes can promise much:
// five of them ask an unbounded decoder for 256 GiB.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <new>

#include "base/rng.hpp"
#include "events/catalog.hpp"
#include "events/codec.hpp"

// All memory of this program, counted. (libmsgpack calls malloc itself: the linker wraps it.)
namespace {
std::size_t live = 0;
std::size_t peak = 0;
std::size_t largest = 0;

void* counted(void* memory) {
    const auto size = memory == nullptr ? 0 : ::malloc_usable_size(memory);
    live += size;
    peak = std::max(peak, live);
    largest = std::max(largest, size);
    return memory;
}
void uncount(void* memory) {
    const auto size = memory == nullptr ? 0 : ::malloc_usable_size(memory);
    live -= std::min(live, size);
}
}  // namespace

extern "C" {
void* __real_malloc(std::size_t size);
void* __real_realloc(void* memory, std::size_t size);
void __real_free(void* memory);
void* __wrap_malloc(std::size_t size) { return counted(__real_malloc(size)); }
void* __wrap_realloc(void* memory, std::size_t size) {
    uncount(memory);
    return counted(__real_realloc(memory, size));
}
void __wrap_free(void* memory) {
    uncount(memory);
    __real_free(memory);
}
}
void* operator new(std::size_t size) {
    void* memory = __wrap_malloc(size == 0 ? 1 : size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}
void operator delete(void* memory) noexcept { __wrap_free(memory); }
void operator delete(void* memory, std::size_t) noexcept { __wrap_free(memory); }

namespace berth {
namespace {

constexpr std::size_t open_containers = DecodeLimits{}.depth * DecodeLimits{}.items * 48;  // promised, not filled
constexpr std::size_t for_each_byte = 64;                                                  // a one-byte text is a std::string

std::size_t allowed(std::size_t bytes) { return open_containers + for_each_byte * bytes + 64 * 1024; }

template <class Work>
void bounded(std::size_t bytes, Work&& work) {
    const auto before = live;
    peak = live;
    work();
    ASSERT_LE(peak - before, allowed(bytes)) << "for a message of " << bytes << " bytes";
}

template <class T>
void through_all(const std::string& bytes, std::size_t& taken) {
    bounded(bytes.size(), [&] { taken += decode<T>(bytes) ? 1 : 0; });
    bounded(bytes.size(), [&] { std::ignore = decode_envelope(bytes); });
    bounded(bytes.size(), [&] { std::ignore = to_json(bytes); });
}

std::string mutated(std::string bytes, Rng& rng) {
    static const std::array<std::string, 8> promises{
        std::string("\xdd\xff\xff\xff\xff", 5), std::string("\xdf\x7f\xff\xff\xff", 5), std::string("\xdb\xff\xff\xff\xff", 5),
        std::string("\xc6\xff\xff\xff\xff", 5), std::string("\xc9\xff\xff\xff\xff\x01", 6), std::string("\xdc\x20\x00", 3),
        std::string("\xde\x20\x00", 3),         std::string(20, '\x91')};
    for (std::uint64_t k = 0, n = 1 + rng.below(4); k < n; ++k) {
        if (bytes.empty()) bytes = "\x80";
        const auto at = rng.below(bytes.size());
        switch (rng.below(6)) {
            case 0: bytes[at] = static_cast<char>(rng.below(256)); break;
            case 1: bytes[at] ^= static_cast<char>(1U << rng.below(8)); break;
            case 2: bytes.resize(at); break;
            case 3: bytes.insert(at, 1, static_cast<char>(rng.below(256))); break;
            case 4: bytes.insert(at, bytes.substr(rng.below(bytes.size()))); break;
            default: bytes.insert(at, promises[rng.below(promises.size())]); break;
        }
        if (bytes.size() > 4'096) bytes.resize(4'096);
    }
    return bytes;
}

TEST(decoder, every_mutated_message_is_taken_or_refused_within_its_memory) {
    Rng rng(20'261'121);
    std::size_t tried = 0, taken = 0;
    for_each_entry([&](const auto& entry) {
        using Payload = typename std::decay_t<decltype(entry)>::Payload;
        using Reply = typename std::decay_t<decltype(entry)>::Reply;
        const auto payload = encode(Payload{});
        const auto reply = encode(Reply{});
        const auto whole = encode_envelope({.id = "m-1", .source = "/berth/x/1", .type = type_attribute(entry.name), .data = payload,
                                            .sequence = 4, .reason = Reason{"why", "who", "p1", {"e"}}});
        for (int i = 0; i < 150; ++i) {
            through_all<Payload>(mutated(payload, rng), taken);
            through_all<Reply>(mutated(reply, rng), taken);
            const auto bytes = mutated(whole, rng);
            bounded(bytes.size(), [&] { taken += decode_envelope(bytes) ? 1 : 0; });
            tried += 3;
        }
    });
    EXPECT_GT(tried, 20'000U);
    EXPECT_GT(taken, 100U) << "a mutation that hurts nothing is taken";
    EXPECT_LT(taken, tried);
}

TEST(decoder, promises_at_every_place_of_a_message_cost_nothing) {
    const auto sound = encode_envelope({.id = "m-1", .source = "/berth/x/1", .type = type_attribute("allocator.claim"),
                                        .data = encode(ClaimRequest{.key = {"k"}, .user = {"u"}, .project = {"p"}})});
    for (const char head : {'\xdd', '\xdf', '\xdb', '\xc6', '\xc9'}) {
        for (const std::uint32_t size : {0xffffffffU, 0x7fffffffU, 0x10000000U, 0x01000000U, 8'193U}) {
            const std::string promise{head, static_cast<char>(size >> 24U), static_cast<char>(size >> 16U),
                                      static_cast<char>(size >> 8U), static_cast<char>(size)};
            for (std::size_t at = 0; at <= sound.size(); ++at) {
                auto bytes = sound;
                bytes.insert(at, promise);
                largest = 0;
                bounded(bytes.size(), [&] { std::ignore = decode_envelope(bytes); });
                ASSERT_LT(largest, 1'000'000U) << "one allocation for a promise of " << size;
            }
        }
    }
}

TEST(decoder, the_worst_that_the_limits_allow_stays_in_proportion) {
    // As many open arrays as there may be, each promising as much as it may; then filled to the last byte.
    std::string bytes;
    for (std::size_t i = 0; i + 1 < DecodeLimits{}.depth; ++i) bytes += std::string("\xdc\x20\x00", 3);
    bounded(bytes.size(), [&] { EXPECT_FALSE(to_json(bytes)); });
    EXPECT_GT(peak - live, 1'000'000U) << "so what libmsgpack takes is counted";
    std::string filled = "\xdc\x20" + std::string(1, '\0');
    for (int i = 0; i < 8'192; ++i) filled += std::string(1, '\x91') + "\x90";
    bounded(filled.size(), [&] { EXPECT_TRUE(to_json(filled)); });
    std::string texts = std::string("\xdc\x1f\x40", 3) + std::string(8'000, '\xa0');
    bounded(texts.size(), [&] { EXPECT_TRUE(to_json(texts)); });
    const std::string large(DecodeLimits{}.bytes + 1, '\xc0');
    bounded(0, [&] { EXPECT_EQ(to_json(large).error().kind, ErrorKind::limit); });
}

}  // namespace
}  // namespace berth
