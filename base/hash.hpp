// SPDX-License-Identifier: Apache-2.0
// Hashes whose value is the same on every build: FNV-1a for states and placement, CRC32C for
// records, hex for people. Anything that must resist an attacker uses OpenSSL in its adapter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace berth {

std::uint64_t hash_of(std::string_view bytes, std::uint64_t start = 0xcbf29ce484222325ULL);
std::uint32_t crc32c(std::string_view bytes);
std::string to_hex(std::string_view bytes);
std::string to_hex(std::uint64_t value);  // always 16 digits

}  // namespace berth
