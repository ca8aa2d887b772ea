// SPDX-License-Identifier: Apache-2.0
// A world so small that all of it can be visited: the real allocator, real hosts, two claims, a
// release, and a net in which every letter may be delivered next, twice or never, while allocator and
// hosts may die between any two steps. Chance has no part in it: every order is tried, and a state
// seen before is not tried again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "allocator/step.hpp"
#include "hostagent/step.hpp"
#include "tests/sim/sim_host.hpp"
#include "tests/sim/sim_ledger.hpp"

namespace berth::sim {

struct ScopeLimits {
    std::uint32_t hosts = 2;
    std::uint32_t slots = 1;
    std::uint32_t claims = 2;
    std::uint32_t drops = 1;
    std::uint32_t duplicates = 1;
    std::uint32_t crashes = 1;            // of the allocator or a host
    std::uint32_t ends = 0;               // machines that end, and are said to have ended
    std::uint32_t drains = 0;
    std::uint64_t states_max = 1'000'000;
};

struct ScopeOutcome {
    std::uint64_t states = 0;             // distinct
    std::uint64_t steps = 0;
    std::uint64_t ends = 0;               // states in which nothing is left to happen
    bool complete = false;                // all was visited within states_max
    std::string broken;                   // the first rule that was, with the steps that led there
};

ScopeOutcome explore(const ScopeLimits& limits);

}  // namespace berth::sim
