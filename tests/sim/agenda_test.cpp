// SPDX-License-Identifier: Apache-2.0
// The agenda beside an ordered map: near and far times, equal instants, tasks that are put off.
#include "tests/sim/agenda.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

#include "base/rng.hpp"

namespace berth::sim {
namespace {

using Key = std::pair<Instant, std::uint64_t>;

Duration some_time(Rng& rng) {
    constexpr std::array most{1, 20, 1'000, 65'535, 65'537, 200'000, 7'200'000};
    return Duration{static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(most[rng.below(most.size())])))};
}

TEST(Agenda, GivesTasksByTimeAndThenByOrder) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Rng rng(seed);
        Agenda agenda;
        std::map<Key, std::string> expected;
        Instant now{Duration{1'700'000'000'000}};
        std::uint64_t order = 0;
        const auto plan = [&](Instant at, std::uint64_t number) {
            const auto name = std::to_string(number);
            agenda.add({.at = at, .order = number, .process = name});
            expected.emplace(Key{at, number}, name);
        };
        for (int round = 0; round < 20'000; ++round) {
            for (auto more = rng.below(3); more > 0; --more) plan(now + some_time(rng), ++order);
            const auto until = now + some_time(rng);
            const auto task = agenda.take(until);
            if (expected.empty() || expected.begin()->first.first > until) {
                ASSERT_FALSE(task.has_value());
                now = until;
                continue;
            }
            ASSERT_TRUE(task.has_value());
            ASSERT_EQ(Key(task->at, task->order), expected.begin()->first);
            ASSERT_EQ(task->process, expected.begin()->second);
            expected.erase(expected.begin());
            now = std::max(now, task->at);
            if (rng.chance(0.1)) plan(now + Duration{1} + some_time(rng), task->order);
        }
    }
}

}  // namespace
}  // namespace berth::sim
