// SPDX-License-Identifier: Apache-2.0
// Shrinking what needs one fault: the real world, and a rule that an agent's death breaks.
#include "tests/sim/shrink.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace berth::sim {
namespace {

std::optional<std::string> an_agent_died(const Outcome& outcome) {
    const bool died = std::any_of(outcome.schedule.begin(), outcome.schedule.end(), [](const Strike& strike) { return strike.what.starts_with("crash_host"); });
    return died ? std::optional<std::string>{"an agent died"} : std::nullopt;
}

/// The first seed in which it happens among many other faults.
Recipe failing() {
    for (std::uint64_t seed = 1;; ++seed) {
        const auto outcome = Cluster(options_of({.seed = seed})).run();
        if (an_agent_died(outcome) && outcome.schedule.size() > 100) return {.seed = seed};
    }
}

TEST(Shrink, LeavesWhatIsNeededAndLittleElse) {
    const auto recipe = failing();
    const auto shrunk = shrink(recipe, an_agent_died, 200);
    EXPECT_GT(shrunk.faults_before, 100U);
    EXPECT_EQ(shrunk.faults, 1U) << text_of(shrunk.recipe);
    EXPECT_FALSE(shrunk.recipe.without.contains("crash_host"));
    EXPECT_EQ(shrunk.text, "an agent died");
    EXPECT_TRUE(an_agent_died(Cluster(options_of(shrunk.recipe)).run())) << "its line gives the run again";
}

TEST(Shrink, LeavesARecipeThatBreaksNothing) {
    const auto shrunk = shrink({.seed = 1}, [](const Outcome&) -> std::optional<std::string> { return std::nullopt; }, 200);
    EXPECT_EQ(shrunk.runs, 1U);
    EXPECT_TRUE(shrunk.recipe.without.empty());
}

}  // namespace
}  // namespace berth::sim
