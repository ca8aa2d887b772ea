// SPDX-License-Identifier: Apache-2.0
// The tape of a workspace's use: its edges, for a day, in little room.
#include "gateway/tape.hpp"

#include <gtest/gtest.h>

#include "events/codec.hpp"

namespace berth::gateway {
namespace {

constexpr Instant start{Duration{1'000'000'000}};
constexpr Duration apart{5'000};          // of our clock from the host's

UseSeen reading(Instant at, std::vector<Signal> signals) { return {Epoch{1}, at - apart, at, std::move(signals)}; }

TEST(Tape, SignsOfUseThatLieCloseAreOneStretchByOurClock) {
    Tape tape;
    for (int i = 0; i < 10; ++i) add_to_tape(tape, reading(start + Duration{15'000} * i, {{"presence", start + Duration{15'000} * i - apart}}));
    ASSERT_EQ(tape.size(), 1U);
    EXPECT_EQ(tape[0], (Stretch{"presence", true, start, start + Duration{135'000}}));
    add_to_tape(tape, reading(start + Duration{600'000}, {{"presence", start + Duration{135'000} - apart}}));
    EXPECT_EQ(tape.size(), 1U) << "nothing new";
    add_to_tape(tape, reading(start + Duration{700'000}, {{"presence", start + Duration{690'000} - apart}}));
    EXPECT_EQ(tape.size(), 2U);
}

TEST(Tape, WhatCouldNotBeReadIsAStretchOfItsOwn_I32) {
    Tape tape;
    add_to_tape(tape, reading(start, {{"cpu", std::nullopt}}));
    add_to_tape(tape, reading(start + Duration{15'000}, {{"cpu", std::nullopt}}));
    add_to_tape(tape, reading(start + Duration{30'000}, {{"cpu", start + Duration{30'000} - apart}}));
    ASSERT_EQ(tape.size(), 2U);
    EXPECT_EQ(tape[0], (Stretch{"cpu", false, start, start + Duration{15'000}}));
    EXPECT_TRUE(tape[1].known);
}

TEST(Tape, ADayOfRestlessSignalsStaysBelowTwoKilobytes) {
    Tape tape;
    auto now = start;
    for (int i = 0; i < 2'000; ++i) {
        now += Duration{80'000 + 1'000 * (i % 37)};                // each sign is an edge of its own
        add_to_tape(tape, reading(now, {{"presence", now - apart}, {"proxy", now - apart}, {i % 3 == 0 ? "cpu" : "job", now - apart}}));
    }
    EXPECT_LE(tape.size(), tape_stretches_max);
    std::size_t bytes = 0;
    for (const auto& one : tape) bytes += one.signal.size() + 1 + 16;
    EXPECT_LE(bytes, 2'000U);
    for (const auto& one : tape) {
        EXPECT_GE(one.to + tape_length, now);
        EXPECT_LE(one.from, one.to);
    }
    EXPECT_EQ(std::max_element(tape.begin(), tape.end(), [](const auto& a, const auto& b) { return a.to < b.to; })->to, now) << "the last is never lost";
}

}  // namespace
}  // namespace berth::gateway
