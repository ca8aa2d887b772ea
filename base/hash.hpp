// SPDX-License-Identifier: Apache-2.0
// Hashes whose value is the same on every build: FNV-1a for states and placement, CRC32C for
// records, hex for people. Anything that must resist an attacker uses OpenSSL in its adapter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace berth {

std::uint64_t hash_of(std::string_view bytes, std::uint64_t start = 0xcbf29ce484222325ULL);
/// Each bit of the result depends on each of the value: the step of SplitMix64 (Steele, Lea and Flood).
constexpr std::uint64_t mix_step = 0x9e37'79b9'7f4a'7c15ULL;
constexpr std::uint64_t mix(std::uint64_t value) {
    value += mix_step;
    value = (value ^ (value >> 30)) * 0xbf58'476d'1ce4'e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d0'49bb'1331'11ebULL;
    return value ^ (value >> 31);
}
std::uint32_t crc32c(std::string_view bytes);
std::string to_hex(std::string_view bytes);
std::string to_hex(std::uint64_t value);  // always 16 digits

}  // namespace berth
