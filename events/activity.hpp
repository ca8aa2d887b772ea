// SPDX-License-Identifier: Apache-2.0
// What the host knows of use, and the intent that follows when all of it is quiet. A signal that
// cannot be read is unknown, and unknown vetoes the stop (I32).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth {

struct Signal {
    std::string name;                     // "proxy", "editor", "cpu", "hold"
    std::optional<Instant> last_at;       // last sign of use; absent = unknown
    BERTH_FIELDS(Signal, name, last_at)
};

struct WorkspaceActivity {
    WorkspaceId workspace;
    Epoch epoch;
    std::vector<Signal> signals;
    BERTH_FIELDS(WorkspaceActivity, workspace, epoch, signals)
};

/// Observation `host.activity`, every 15 s.
struct HostActivity {
    HostId host;
    HostIncarnation incarnation;
    Instant read_at;
    std::vector<WorkspaceActivity> workspaces;
    BERTH_FIELDS(HostActivity, host, incarnation, read_at, workspaces)
};

/// Intent `workspace.idle`: this workspace stops at `stop_at` unless its host objects. One event,
/// consumed by the host (which re-reads activity and stops or objects) and by the allocator (which
/// records it and what became of it).
struct WorkspaceIdle {
    WorkspaceId workspace;
    Epoch epoch;
    HostId host;
    std::uint32_t slot = 0;
    Instant quiet_since;                  // on the reaper's clock; an objection or a hold may be later than all use
    Instant last_use;                     // the last sign of use that is known, on the host's own clock
    Instant stop_at;
    BERTH_FIELDS(WorkspaceIdle, workspace, epoch, host, slot, quiet_since, last_use, stop_at)
};

/// Observation `host.objected`: the host's answer to an intent when there was activity.
struct HostObjected {
    HostId host;
    WorkspaceId workspace;
    Epoch epoch;
    std::vector<Signal> signals;
    BERTH_FIELDS(HostObjected, host, workspace, epoch, signals)
};

}  // namespace berth
