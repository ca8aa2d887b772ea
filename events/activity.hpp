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
    std::string name;                     // "proxy", "presence", "editor", "cpu", "job", "hold"
    std::optional<Instant> last_at;       // last sign of use; absent = unknown
    std::optional<Instant> since = std::nullopt;           // of a "job": when it began
    std::optional<std::string> text = std::nullopt;        // what was seen: "a terminal runs `make`"
    BERTH_FIELDS(Signal, name, last_at, since, text)
};

/// What a job counts that a terminal, a task or a debugger still runs (PoolDefined::idle_jobs).
BERTH_ENUM(IdleJobs,
           any,     // it is use while it runs, up to idle_job_max_ms
           busy,    // only by what it uses: CPU, disk, network
           none)    // not at all: only persons, requests and holds are use

struct JobsRule {
    IdleJobs jobs = IdleJobs::any;
    Duration max{8 * 3'600'000};
};
/// The signals of a reading that count by the rule, each with its last use by it.
std::vector<Signal> counted(const std::vector<Signal>& signals, const JobsRule& rule);

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
    std::optional<IdleJobs> jobs = std::nullopt;           // the pool's rule, by which the host looks again
    std::optional<Duration> job_max_ms = std::nullopt;
    std::optional<bool> withdrawn = std::nullopt;          // the intent of that stop_at stands no longer
    BERTH_FIELDS(WorkspaceIdle, workspace, epoch, host, slot, quiet_since, last_use, stop_at, jobs, job_max_ms, withdrawn)

    JobsRule rule() const {
        const JobsRule usual;
        return {jobs.value_or(usual.jobs), job_max_ms.value_or(usual.max)};
    }
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
