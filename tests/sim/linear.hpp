// SPDX-License-Identifier: Apache-2.0
// Linearizability of what clients saw (after Wing and Gong, 1993): is there an order of all calls,
// each at one instant between its begin and its end, in which every answer is true? One search per
// (user, project), which is independent of all others; visited states are remembered.
//
// The object is a workspace's lease: an epoch that only grows, and whether it was ended since. It may
// also end by itself at any time (idle, expired, dead), so an answer is judged by what it excludes:
//   claim → w, e       e is new, or it is the present one and nothing ended it since; w is another
//                      workspace only after a destroy
//   release, n > 0     something ran, and now it does not;   n = 0: nothing ran
//   link → w, e        the present lease is that, or a call of unknown outcome began it
// A call of unknown outcome took effect at any later time, or never. So may a refused claim: the
// workspace that it began goes on without it.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/history.hpp"

namespace berth::sim {

BERTH_ENUM(LinearVerdict, linear, broken, too_large)

struct LinearOutcome {
    LinearVerdict verdict = LinearVerdict::linear;
    std::string text;                     // of the first owner whose history has no order
    std::uint64_t calls = 0;
    std::uint64_t searched = 0;           // states, over all owners
};

inline constexpr std::uint64_t linear_states_max = 100'000;   // of one owner

/// `history` of all clients, in any order.
LinearOutcome check_linear(const History& history);

/// The lease as calls see it: exposed so that a brute-force checker can share it in tests.
struct LeaseSeen {
    std::string workspace;
    std::uint64_t epoch = 0;
    bool ended = true;
    bool destroyed = false;
    bool maybe_new = false;               // a call of unknown outcome may have begun another
    friend auto operator<=>(const LeaseSeen&, const LeaseSeen&) = default;
};
/// Applies the call, or says that its answer can not be true now.
bool apply_call(LeaseSeen& lease, const Call& call);

}  // namespace berth::sim
