// SPDX-License-Identifier: Apache-2.0
// The size and temper of one simulated world, derived from its seed alone and printed with it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "allocator/policy.hpp"
#include "events/pool.hpp"
#include "hostagent/policy.hpp"
#include "reaper/policy.hpp"
#include "scaler/policy.hpp"
#include "tests/sim/faults.hpp"
#include "tests/sim/users.hpp"

namespace berth::sim {

struct Options {
    std::uint64_t seed = 1;
    std::uint32_t hosts = 2;              // at the beginning
    std::uint32_t users = 3;
    Duration safety{120'000};             // faults strike for so long …
    Duration healing{60'000};             // … and then the world has this long (I29)
    Habits habits;
    PoolDefined pool;
    allocator::Policy allocator;
    hostagent::Policy host;
    reaper::Policy reaper;
    scaler::Policy scaler;
    Faults faults;
    std::optional<std::set<std::uint64_t>> only;           // strikes that happen; all of them when absent
};

Options choose_options(std::uint64_t seed);
/// Homes have an archive, and are saved so often beside each stop (0: never).
void keep_archives(Options& options, Duration save_every);
std::string describe(const Options& options);

}  // namespace berth::sim
