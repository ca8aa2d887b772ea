// SPDX-License-Identifier: Apache-2.0
// What really is, as no process sees it: machines, containers, mounted homes, use. Twins of engine
// and provider change it; the invariants compare with it what was decided.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace berth::sim {

struct Container {
    std::string machine;                  // host id / incarnation
    std::uint32_t slot = 0;
    bool running = true;
    WorkspaceId workspace;                // whose home is mounted; empty before the bind
    Epoch epoch;
    std::uint32_t binds = 0;
};

/// The provider was told to end a machine, and does.
struct EndCall {
    std::string machine;
    HostId host;
    HostIncarnation incarnation;
    Instant at;
    Instant launched_at;
    std::optional<LaunchId> launch;
};
/// An agent took a user's environment away.
struct StopMade {
    std::string machine;
    std::uint32_t slot = 0;
    WorkspaceId workspace;
    Epoch epoch;
    std::string why;
    bool ran = false;                     // its container was still running
    bool unreadable = false;              // the last look at its signals saw nothing
    Instant at;
};
/// An agent minted a link.
struct LinkMade {
    WorkspaceId workspace;
    Epoch epoch;
};

/// What a repository of homes has.
struct Snapshot {
    WorkspaceId workspace;
    Epoch epoch;
    std::uint64_t content = 0;
    std::string machine;                  // that made it
};

struct Truth {
    std::unordered_map<std::string, bool> machines;       // "h-1/i1" → alive; looked up, never walked
    std::map<ContainerId, Container> containers;          // removed ones are gone
    struct ByHash {
        std::size_t operator()(const WorkspaceId& id) const { return std::hash<std::string>{}(id.value); }
    };
    std::unordered_map<WorkspaceId, Instant, ByHash> last_use;   // by a person or a build; looked up, never walked
    std::map<WorkspaceId, bool> unreadable;               // the last look at its signals saw nothing
    std::set<std::tuple<ContainerId, WorkspaceId, Epoch>> bound;   // ever
    std::set<WorkspaceId> erased;                         // homes that were deleted
    std::set<LaunchId> launched;                          // tokens that brought an instance
    std::vector<EndCall> ends;                            // each is judged once, in order
    std::vector<StopMade> stops;
    std::vector<LinkMade> links;
    // Homes that have an archive. A content is a number: each writing makes a new, higher one.
    std::uint64_t writings = 0;
    std::map<std::pair<std::string, WorkspaceId>, std::uint64_t> copies;      // on a machine
    std::map<std::string, Snapshot> repository;                               // by the snapshot's id
    std::map<std::pair<WorkspaceId, Epoch>, std::uint64_t> written;           // the last content under that lease
    std::vector<std::tuple<WorkspaceId, Epoch, std::uint64_t>> begun;         // what each first bind of a lease found; judged once
    std::uint64_t changes = 0;                            // of containers and machines
    std::string wrong;                                    // what no engine may ever be told to do

    static std::string machine(const HostId& host, const HostIncarnation& incarnation) {
        return host.value + "/" + incarnation.value;
    }
    bool alive(const std::string& machine_name) const {
        const auto at = machines.find(machine_name);
        return at != machines.end() && at->second;
    }
    /// Whoever has it mounted changed something.
    void write_home(const Container& container) {
        if (container.workspace.empty() || !alive(container.machine)) return;
        const auto copy = copies.find({container.machine, container.workspace});
        if (copy != copies.end()) copy->second = written[{container.workspace, container.epoch}] = ++writings;
    }
    bool mounted(const Container& container) const {
        return container.running && !container.workspace.empty() && alive(container.machine);
    }
};

}  // namespace berth::sim
