// SPDX-License-Identifier: Apache-2.0
// Every order of a very small world. Prints how many distinct states there are.
#include "tests/sim/scope.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <iostream>

namespace berth::sim {
namespace {

void explore_all(const char* name, ScopeLimits limits) {
    const auto outcome = explore(limits);
    std::cout << fmt::format("{}: {} distinct states, {} steps, {} ends, {}\n", name, outcome.states, outcome.steps, outcome.ends,
                             outcome.complete ? "complete" : "cut off at its bound");
    EXPECT_EQ(outcome.broken, "");
    EXPECT_GT(outcome.states, 100U);
}

TEST(Scope, OneClaimInEveryOrder) { explore_all("1 host, 1 slot, 1 claim, release; drop", {.hosts = 1, .claims = 1, .duplicates = 0, .crashes = 0, .states_max = 40'000}); }
TEST(Scope, OneHostOneSlotTwoClaims) { explore_all("1 host, 1 slot, 2 claims, release; drop, duplicate, crash", {.hosts = 1, .states_max = 15'000}); }
TEST(Scope, TwoHostsTwoClaims) { explore_all("2 hosts, 1 slot, 2 claims, release; drop, crash", {.duplicates = 0, .states_max = 15'000}); }
TEST(Scope, ClaimAgainAfterRelease) {
    explore_all("1 host, 2 slots, 3 claims, release; duplicate, crash", {.hosts = 1, .slots = 2, .claims = 3, .drops = 0, .states_max = 15'000});
}
TEST(Scope, AMachineEnds) { explore_all("2 hosts, 1 slot, 1 claim, a machine ends; duplicate", {.claims = 1, .drops = 0, .crashes = 0, .ends = 1, .states_max = 15'000}); }
TEST(Scope, AHostIsDrained) { explore_all("2 hosts, 1 slot, 2 claims, a drain; duplicate", {.drops = 0, .crashes = 0, .drains = 1, .states_max = 15'000}); }

}  // namespace
}  // namespace berth::sim
