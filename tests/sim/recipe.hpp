// SPDX-License-Identifier: Apache-2.0
// A run in one line, for seeds.txt and for the shrinker: "seed=17 users=2 homes=shared without=drop,pause only=3,9,12".
// What is not said comes from the seed; `without` names kinds of faults that never strike, `only` the
// strikes that do.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "tests/sim/options.hpp"

namespace berth::sim {

struct Recipe {
    std::uint64_t seed = 1;
    std::optional<std::uint32_t> hosts;
    std::optional<std::uint32_t> users;
    bool shared_homes = false;            // "homes=shared": of before homes could have an archive
    std::optional<Duration> safety;
    std::set<std::string> without;
    std::optional<std::set<std::uint64_t>> only;
};

Result<Recipe> read_recipe(const std::string& line);
std::string text_of(const Recipe& recipe);
Options options_of(const Recipe& recipe);

}  // namespace berth::sim
