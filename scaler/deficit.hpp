// SPDX-License-Identifier: Apache-2.0
// How many hosts a pool lacks, and whether it can spare one (I31, requirements 11):
//
//   missing = target − (ready + launching + promised)
//
// in the pool's own unit. The target is the buffer and what waiting claims will take; `promised` is
// what comes without a further launch: launches that were asked for and do not stand in the ledger
// yet, and slots that are just being wiped. Too much is never given back here: see shrink.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "events/pool.hpp"

namespace berth::scaler {

/// What there is of one pool, counted.
struct Level {
    std::uint32_t hosts = 0;           // that exist: live or unknown, also cordoned and draining ones
    std::uint32_t leaving = 0;         // of them: cordoned or draining
    std::uint32_t hosts_ready = 0;     // live, open, nothing on them
    std::uint32_t slots_ready = 0;     // free slots of live, open hosts
    std::uint32_t slots_shared = 0;    // of them: on hosts that are in use
    std::uint32_t hosts_wiping = 0;    // ready as soon as their slots are wiped
    std::uint32_t slots_wiping = 0;
    std::uint32_t launching = 0;       // hosts
    std::uint32_t asked = 0;           // hosts that the allocator was asked for
    std::uint32_t waiting = 0;         // claims
    BERTH_FIELDS(Level, hosts, leaving, hosts_ready, slots_ready, slots_shared, hosts_wiping, slots_wiping, launching,
                 asked, waiting)
};

struct Need {
    std::int64_t missing = 0;          // in the pool's unit; below zero: more than enough
    std::uint32_t launch = 0;          // hosts, within hosts_max
    std::uint32_t refused = 0;         // hosts beyond hosts_max
    std::vector<std::string> evidence; // the numbers that it was made of
    BERTH_FIELDS(Need, missing, launch, refused, evidence)
};

Need need_of(const PoolDefined& pool, const Level& level);

/// May one idle host with so many slots go, with buffer, least number and demand still met?
bool can_spare(const PoolDefined& pool, const Level& level, std::uint32_t slots);

}  // namespace berth::scaler
