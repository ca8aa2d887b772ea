// SPDX-License-Identifier: Apache-2.0
#include "base/hash.hpp"

#include <array>
#include <cstring>

namespace berth {

std::uint64_t hash_of(std::string_view bytes, std::uint64_t start) {
    for (const char c : bytes) {
        start ^= static_cast<unsigned char>(c);
        start *= 0x100000001b3ULL;
    }
    return start;
}

namespace {

#if defined(__x86_64__)
// The instruction for just this sum, eight bytes at a time.
__attribute__((target("sse4.2"))) std::uint32_t crc32c_at_once(std::string_view bytes) {
    std::uint64_t crc = 0xffffffffU;
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    for (; end - at >= 8; at += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, at, 8);
        crc = __builtin_ia32_crc32di(crc, eight);
    }
    for (; at != end; ++at) crc = __builtin_ia32_crc32qi(static_cast<std::uint32_t>(crc), static_cast<unsigned char>(*at));
    return static_cast<std::uint32_t>(crc) ^ 0xffffffffU;
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
#if defined(__x86_64__)
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    if (has_instruction) return crc32c_at_once(bytes);
#endif
    static constexpr auto table = [] {
        std::array<std::uint32_t, 256> made{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t crc = i;
            for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78U : 0U);
            made[i] = crc;
        }
        return made;
    }();
    std::uint32_t crc = 0xffffffffU;
    for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ (crc >> 8);
    return crc ^ 0xffffffffU;
}

std::string to_hex(std::string_view bytes) {
    static constexpr char digit[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        text += digit[static_cast<unsigned char>(c) >> 4];
        text += digit[static_cast<unsigned char>(c) & 15];
    }
    return text;
}

std::string to_hex(std::uint64_t value) {
    std::string bytes(8, '\0');
    for (int i = 0; i < 8; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<char>(value >> (56 - 8 * i));
    return to_hex(std::string_view{bytes});
}

}  // namespace berth
