// SPDX-License-Identifier: Apache-2.0
// Since when a workspace is quiet: the latest of all its signals, its start, the last objection and
// the end of a hold. One signal that cannot be read makes the answer "unknown", which vetoes (I32).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "events/view.hpp"
#include "reaper/state.hpp"

namespace berth::reaper {

struct Quiet {
    std::optional<Instant> since;         // absent: unknown, or held
    std::string veto;                     // why it is absent
};

/// A host's clock may be wrong by any amount: ages are taken on its clock, instants on ours.
Instant on_our_clock(const Reading& reading, Instant last_at);

Quiet quiet_since(const Policy& policy, const JobsRule& jobs, const WorkspaceView& workspace, const WorkspaceWatch& watch, Instant now);

/// The latest of its signals that count, all of which are known, as the host said it: on the host's clock.
Instant last_use_of(const Reading& reading, const JobsRule& jobs);

/// One line for each signal, for the Reason of an intent.
std::vector<std::string> evidence_of(const WorkspaceView& workspace, const WorkspaceWatch& watch, const JobsRule& jobs);

}  // namespace berth::reaper
