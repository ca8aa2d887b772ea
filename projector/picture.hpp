// SPDX-License-Identifier: Apache-2.0
// What others read: the view and the hosts' loads as plain entries, a function of what is known and nothing else.
// Written twice it is the same, and whoever begins anew ends at the same.
#pragma once

#include <map>
#include <string>

#include "events/view.hpp"

namespace berth::projector {

using Fields = std::map<std::string, std::string>;
using Picture = std::map<std::string, Fields>;           // by key

/// Of the entry that says of which position the picture is: written after all that it speaks of.
inline constexpr const char* head_key = "picture";

struct Load {
    HostIncarnation incarnation;
    HostLoad load;
    Instant at;                                          // of the heartbeat
    BERTH_FIELDS(Load, incarnation, load, at)
};
using Loads = std::map<HostId, Load>;

/// picture             version ledger position
/// container:<ws>      state user project pool host slot epoch container url expires_at
/// user:<user>         <project> → "<workspace> <host> <container>"
/// host:<host>         state pool instance public_ip private_ip slots ready leased cpu memory disk containers last_heartbeat
Picture redis_picture(const View& view, const Loads& loads);

/// <instanceId>        status publicIp privateIp lastHeartbeat leaseExpiry userId; empty attributes are absent
///
/// status: idle (it takes a user), used (it has one), draining, cordoned, impaired, unreachable
Picture pool_picture(const View& view, const Loads& loads);

}  // namespace berth::projector
