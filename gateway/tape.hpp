// SPDX-License-Identifier: Apache-2.0
// When each signal of use of a workspace held it, over its last day: the edges, not the readings. From it a
// person sees why nothing was stopped, and a test what another rule of idleness would have done.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gateway/use.hpp"

namespace berth::gateway {

struct Stretch {
    std::string signal;
    bool known = true;                    // false: it could not be read in that time, which vetoes a stop
    Instant from;                         // by our clock, as `to`: the signs of use lie no further apart than tape_gap
    Instant to;
    BERTH_FIELDS(Stretch, signal, known, from, to)
};
/// In order of their beginnings.
using Tape = std::vector<Stretch>;

inline constexpr Duration tape_gap{60'000};
inline constexpr Duration tape_length{86'400'000};
/// With names of up to 8 letters and two times each, a tape stays below 2 kB.
inline constexpr std::size_t tape_stretches_max = 60;

/// What the host says now, added. When there are too many stretches, the two of one signal that lie closest
/// become one; what ended over a day ago goes.
void add_to_tape(Tape& tape, const UseSeen& seen);

}  // namespace berth::gateway
