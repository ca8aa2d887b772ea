// SPDX-License-Identifier: Apache-2.0
// Where a workspace goes: named filters say no, named scores order the rest. The candidates stand
// in score order already (state.hpp, Rank), so that a placement looks at a handful of hosts, never
// at all of them. The verdicts become the evidence of the grant, for `berth why`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "allocator/state.hpp"

namespace berth::allocator {

struct Placement {
    HostId host;
    std::uint32_t slot = 0;
    std::vector<std::string> evidence;    // "filter passed over h-2: 3 failed starts", "score …"
};

struct PlacementRequest {
    PoolName pool;
    std::optional<HostId> had_before;     // score "had it before": its home may be near
    std::optional<HostId> only_on;        // filter "its files are there"
};

inline constexpr std::size_t candidates_examined_max = 64;

/// Null evidence-bearing refusal when no slot is free: `why_not` then lists what was passed over.
std::optional<Placement> find_slot(const State& state, const PlacementRequest& request, Instant now,
                                   std::vector<std::string>& why_not);

/// Why hosts of that pool that have free slots are passed over: "h-1: 3 starts failed, …"; nothing when none is, or
/// when another one takes leases. Looks at candidates_examined_max hosts.
std::optional<std::string> why_passed_over(const State& state, const PoolName& pool, Instant now);

/// Does a free slot of this host hold a prepared environment, by its last heartbeat?
bool has_standby(const State& state, const HostView& host);

}  // namespace berth::allocator
