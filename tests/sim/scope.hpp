// SPDX-License-Identifier: Apache-2.0
// A world so small that all of it can be visited: the real allocator, real hosts, a few claims, a
// release, and a net in which every packet may be delivered next, twice or never, while allocator and
// hosts may die at any point, also between what they keep and what they tell. Chance has no part in
// it: every order is tried, and a state seen before is not tried again.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace berth::sim {

constexpr std::uint32_t waits_max = 100;

/// What there is, and which faults may strike.
struct ScopeLimits {
    std::uint32_t hosts = 2;              // up to scope_hosts_max
    std::uint32_t slots = 2;
    std::uint32_t claims = 2;
    std::uint32_t users = 2;              // who claim in turn; claims of one user are for one workspace
    std::uint32_t strikes = 0;            // of all faults together
    bool drop = true;
    bool duplicate = true;
    bool crash = true;                    // of the allocator or a host
    bool end = true;                      // of a machine, which is said to have ended
    bool drain = true;
    bool expiry = true;                   // a moment in which all leases granted so far run out
    bool in_order = false;                // each connection keeps its order; else every packet may overtake every other
    bool late_last_words = false;         // what a dead allocator sent may come after what the next one did
    std::uint32_t waits = waits_max;      // times that pass, when nothing is in flight; alike ones are one state
    bool literal = false;                 // count states as different that nothing can tell apart: to test that
    std::uint64_t states_max = 800'000'000;  // 8 bytes each, and more while their table grows
};
std::string describe(const ScopeLimits& limits);

/// 2 hosts × 2 slots, 2 claims of two users and of one, a release, and up to so many faults of any kinds,
/// on connections that keep their order. Without crash and expiry one fault is also visited in a net
/// without any order; with them there would be too many states.
std::vector<ScopeLimits> scope_worlds(std::uint32_t strikes);

struct ScopeOutcome {
    std::uint64_t states = 0;             // distinct
    std::uint64_t steps = 0;
    std::uint64_t actors = 0;             // distinct states of one process
    std::uint64_t packets = 0;            // distinct
    bool complete = false;                // all was visited within states_max
    std::string broken;                   // the first rule that was, with the steps that led there
    std::set<std::string> results;        // what it came to, in states with nothing in flight
};

/// `progress` hears the number of states now and then.
ScopeOutcome explore(const ScopeLimits& limits, const std::function<void(std::uint64_t)>& progress = {});

}  // namespace berth::sim
