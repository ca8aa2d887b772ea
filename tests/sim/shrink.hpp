// SPDX-License-Identifier: Apache-2.0
// Makes a failing run small: fewer faults (delta debugging), fewer users and hosts, less time, while
// the same rule stays broken. Taking a fault away moves what follows, so each candidate is a new run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tests/sim/recipe.hpp"

namespace berth::sim {

struct Shrunk {
    Recipe recipe;
    std::string text;                     // what is broken in it
    std::uint64_t faults_before = 0;
    std::uint64_t faults = 0;
    std::uint64_t runs = 0;
};

/// `recipe` must break `rule`. Tries at most `runs_max` runs.
Shrunk shrink(const Recipe& recipe, const std::string& rule, std::uint64_t runs_max);

}  // namespace berth::sim
