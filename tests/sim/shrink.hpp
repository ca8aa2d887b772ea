// SPDX-License-Identifier: Apache-2.0
// Makes a failing run small: fewer faults (delta debugging), fewer users and hosts, less time, while
// the same rule stays broken. Taking a fault away moves what follows, so each candidate is a new run.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "tests/sim/cluster.hpp"
#include "tests/sim/recipe.hpp"

namespace berth::sim {

struct Shrunk {
    Recipe recipe;
    std::string text;                     // what is broken in it
    std::uint64_t faults_before = 0;
    std::uint64_t faults = 0;
    std::uint64_t runs = 0;
};

/// What is broken in a run, if it is what is looked for.
using Breaks = std::function<std::optional<std::string>(const Outcome&)>;
Breaks breaks_rule(std::string rule);

/// `recipe` must break what `breaks` looks for. Tries at most `runs_max` runs.
Shrunk shrink(const Recipe& recipe, const Breaks& breaks, std::uint64_t runs_max);

}  // namespace berth::sim
