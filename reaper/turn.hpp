// SPDX-License-Identifier: Apache-2.0
// One turn of the reaper; and what the rule
// families (workspaces, hosts, orphans) offer to each other. Private to the core.
#pragma once

#include <string>
#include <utility>

#include "base/turn.hpp"
#include "events/instances.hpp"
#include "reaper/step.hpp"

namespace berth::reaper {

using Turn = TurnOf<State, Decisions>;

/// False when too many requests are open: then nothing was asked, and it has to be tried later.
bool may_ask(const State& state);
/// How long to wait after so many tries without effect.
Duration pause_after(const Policy& policy, std::uint32_t tries);
/// The parts of an answer that are the same for all: when the next try may be, and a line of why.
void settle(Turn& turn, Asking& asking, const std::string& subject, const Result<Done>& outcome);

// ---- workspaces.cpp: idle, expired, too old
void refresh_workspace(Turn& turn, const WorkspaceId& id);
void wake_workspaces(Turn& turn);
void ask_for_next(Turn& turn);
void read_activity(Turn& turn, const HostActivity& activity);
void note_objection(Turn& turn, const WorkspaceId& id, Epoch epoch, const std::string& by);
void answer_workspace(Turn& turn, const WorkspaceId& id, const Result<Done>& outcome);

// ---- hosts.cpp: silent, gone
void refresh_host(Turn& turn, const HostId& id);
void wake_hosts(Turn& turn);
void hear_host(Turn& turn, const HostId& id, const HostIncarnation& incarnation);
void hear_beacon(Turn& turn);
void read_listing_for_hosts(Turn& turn, const ProviderSnapshot& snapshot);
void answer_host(Turn& turn, const HostId& id, const Result<Done>& outcome);

// ---- orphans.cpp: instances that nobody knows
void read_listing_for_orphans(Turn& turn, const ProviderSnapshot& snapshot);
void answer_stray(Turn& turn, const StrayKey& key, const Result<Done>& outcome);

}  // namespace berth::reaper
