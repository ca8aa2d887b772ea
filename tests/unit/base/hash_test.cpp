// SPDX-License-Identifier: Apache-2.0
// The sums that ledgers and hosts' memories are checked by: the same on every machine, with its own instruction or not.
#include "base/hash.hpp"

#include <gtest/gtest.h>

#include "base/rng.hpp"

namespace berth {
namespace {

std::uint32_t bit_by_bit(std::string_view bytes) {
    std::uint32_t crc = ~0U;
    for (const char c : bytes) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78U : 0U);
    }
    return ~crc;
}

TEST(Crc32c, IsTheSumOfItsDefinitionForEveryLength) {
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
    Rng rng(1);
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(crc32c(bytes), bit_by_bit(bytes)) << bytes.size() << " bytes";
        bytes.push_back(static_cast<char>(rng.below(256)));
    }
}

}  // namespace
}  // namespace berth
