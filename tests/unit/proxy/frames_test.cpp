// SPDX-License-Identifier: Apache-2.0
// Data frames of a browser are use; pings, pongs, closes and empty frames are not.
#include "proxy/frames.hpp"

#include <gtest/gtest.h>

#include <string>

#include "base/rng.hpp"

namespace berth::proxy {
namespace {

enum class Masked { yes, no };

std::string frame(unsigned first, std::size_t length, Masked masked = Masked::yes) {
    std::string text{static_cast<char>(first)};
    const unsigned mask = masked == Masked::yes ? 0x80 : 0;
    if (length < 126) {
        text += static_cast<char>(mask | length);
    } else if (length < 65'536) {
        text += static_cast<char>(mask | 126);
        text += static_cast<char>(length >> 8);
        text += static_cast<char>(length & 0xff);
    } else {
        text += static_cast<char>(mask | 127);
        for (int shift = 56; shift >= 0; shift -= 8)
            text += static_cast<char>((static_cast<std::uint64_t>(length) >> shift) & 0xff);
    }
    if (masked == Masked::yes) text += "\x89\x8a\x88\x01";   // bytes that look like frames
    return text + std::string(length, '\x89');
}

std::size_t read_whole(const std::string& stream) { return Frames{}.read(stream); }

TEST(Frames, OnlyDataFramesCount) {
    EXPECT_EQ(read_whole(frame(0x81, 5)), 5u);
    EXPECT_EQ(read_whole(frame(0x82, 200)), 200u);
    EXPECT_EQ(read_whole(frame(0xc2, 70'000)), 70'000u);   // compressed
    EXPECT_EQ(read_whole(frame(0x80, 7)), 7u);             // a continuation
    EXPECT_EQ(read_whole(frame(0x82, 9, Masked::no)), 9u);
    EXPECT_EQ(read_whole(frame(0x89, 5)), 0u);             // ping
    EXPECT_EQ(read_whole(frame(0x8a, 125)), 0u);           // pong
    EXPECT_EQ(read_whole(frame(0x88, 2)), 0u);             // close
    EXPECT_EQ(read_whole(frame(0x82, 0)), 0u);
    EXPECT_EQ(read_whole(frame(0x89, 0) + frame(0x81, 3) + frame(0x8a, 4) + frame(0x82, 0) + frame(0x82, 126)),
              129u);
}

TEST(Frames, PiecesOfAnySizeGiveTheSame) {
    Rng rng(7);
    std::string stream;
    std::size_t expected = 0;
    for (int i = 0; i < 300; ++i) {
        const bool data = rng.chance(0.5);
        const auto length = rng.chance(0.1) ? rng.below(70'000) : rng.below(300);
        stream += frame(data ? 0x82 : 0x89, length, rng.chance(0.8) ? Masked::yes : Masked::no);
        if (data) expected += length;
    }
    for (int run = 0; run < 20; ++run) {
        Frames frames;
        std::size_t used = 0;
        for (std::size_t at = 0; at < stream.size();) {
            const auto piece = run == 0 ? 1 : 1 + rng.below(run == 1 ? 3 : 5'000);
            used += frames.read(std::string_view{stream}.substr(at, piece));
            at += piece;
        }
        EXPECT_EQ(used, expected);
    }
}

TEST(Frames, AHugeLengthOverflowsNothing) {
    std::string stream{"\x82\xff"};
    stream += std::string(8, '\xff') + "mask";
    Frames frames;
    EXPECT_EQ(frames.read(stream), 0u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(frames.read(std::string(1'000, '\x89')), 1'000u);
}

TEST(Frames, TellsWhereAFrameOfOursCouldStand) {
    Frames frames;
    EXPECT_TRUE(frames.between());
    for (const char byte : std::string("\x81\x02h", 3)) {
        frames.read({&byte, 1});
        EXPECT_FALSE(frames.between());
    }
    frames.read("i");
    EXPECT_TRUE(frames.between());
    frames.read(std::string("\x82\x7e\x00\x01x", 5));
    EXPECT_TRUE(frames.between());
    frames.read(std::string("\x8a\x00", 2));
    EXPECT_TRUE(frames.between());
    frames.read(std::string("\x82\x7f", 2));
    EXPECT_FALSE(frames.between());
}

}  // namespace
}  // namespace berth::proxy
