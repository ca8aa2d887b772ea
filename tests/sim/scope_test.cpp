// SPDX-License-Identifier: Apache-2.0
// Every order of very small worlds; those of `sim_tests --scope` are larger. And: states that count as
// one can truly not be told apart, or the search would miss what only the other one leads to.
#include "tests/sim/scope.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <iostream>

namespace berth::sim {
namespace {

ScopeOutcome explore_all(const ScopeLimits& limits) {
    auto outcome = explore(limits);
    std::cout << fmt::format("{}: {} distinct states, {} steps\n", describe(limits), outcome.states, outcome.steps);
    EXPECT_EQ(outcome.broken, "");
    EXPECT_TRUE(outcome.complete);
    return outcome;
}

TEST(Scope, OneSlotAndTwoFaults) {
    for (auto limits : scope_worlds(1)) {
        limits.hosts = limits.slots = 1;
        explore_all(limits);
    }
    explore_all({.hosts = 1, .slots = 1, .claims = 1, .strikes = 2, .in_order = true});
}
TEST(Scope, TwoHostsWithoutFaults) {
    for (const auto& limits : scope_worlds(0)) explore_all(limits);
}
TEST(Scope, ClaimAgainAfterRelease) { explore_all({.hosts = 1, .slots = 2, .claims = 3, .in_order = true}); }

// The same world, once with all that is alike as one state, once with every number told apart.
void expect_alike(ScopeLimits limits) {
    limits.in_order = true;
    limits.waits = 2;
    const auto alike = explore_all(limits);
    limits.literal = true;
    const auto literal = explore_all(limits);
    EXPECT_LT(alike.states, literal.states);
    EXPECT_EQ(alike.results, literal.results);
}

TEST(Scope, WhatCountsAsAlikeComesToTheSame) {
    expect_alike({.hosts = 1, .slots = 1, .users = 1, .strikes = 1});
    expect_alike({.hosts = 1, .slots = 1, .users = 2, .strikes = 1});
    expect_alike({.hosts = 1, .slots = 2, .strikes = 1, .duplicate = false, .crash = false, .expiry = false});
    expect_alike({.hosts = 2, .slots = 1, .strikes = 1, .duplicate = false, .crash = false, .expiry = false});
}

// That it finds what is broken, planted_tests --scope shows.
TEST(Scope, SaysThatItStoppedAtItsBound) {
    const auto outcome = explore({.hosts = 1, .slots = 1, .claims = 1, .states_max = 10});
    EXPECT_FALSE(outcome.complete);
    EXPECT_EQ(outcome.states, 10U);
}

}  // namespace
}  // namespace berth::sim
