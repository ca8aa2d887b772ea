// SPDX-License-Identifier: Apache-2.0
// A workspace is the running environment of (user, project); a lease is its right to one slot until
// a deadline, at an epoch. Releasing and stopping are one act: the container goes, the home stays.
//
//             lease.granted        workspace.started       workspace.stopping     workspace.stopped
//   stopped ─────────────► starting ─────────► active ────────────► stopping ─────────────► stopped
//      │                      └── workspace.failed ──────────────────► │
//      └── workspace.destroying ─► destroying ─► *destroyed    (destroy is legal from any state)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/time.hpp"
#include "events/home.hpp"

namespace berth {

BERTH_ENUM(WorkspaceState, starting, active, stopping, stopped, destroying, destroyed)

/// One workspace, or all that match: by id, by user (and project), or by the host's instance.
struct WorkspaceRef {
    std::optional<WorkspaceId> workspace;
    std::optional<UserId> user;
    std::optional<ProjectName> project;
    std::optional<std::string> instance;

    BERTH_FIELDS(WorkspaceRef, workspace, user, project, instance)
};

struct ReleaseRequest {   // `allocator.release`; `stop` is the same with another reason
    WorkspaceRef target;
    std::string why;
    std::optional<Principal> principal;
    BERTH_FIELDS(ReleaseRequest, target, why, principal)
};
struct DestroyRequest {   // `allocator.destroy`: also erases the home
    WorkspaceRef target;
    std::string why;
    std::optional<Principal> principal;
    BERTH_FIELDS(DestroyRequest, target, why, principal)
};
struct ExtendRequest {    // `allocator.extend`: absolute, monotonic, capped; starts a stopped one again
    WorkspaceRef target;
    Instant expires_at;
    std::optional<Principal> principal;
    BERTH_FIELDS(ExtendRequest, target, expires_at, principal)
};
struct HoldRequest {      // `allocator.hold`: an explicit "do not stop this for idleness", capped
    WorkspaceRef target;
    Instant until;
    std::string why;
    std::optional<Principal> principal;
    BERTH_FIELDS(HoldRequest, target, until, why, principal)
};
struct LinkRequest {      // `allocator.link`: a fresh one-use link; answered with a ClaimReply
    WorkspaceRef target;
    std::optional<Principal> principal;
    BERTH_FIELDS(LinkRequest, target, principal)
};
struct SaveHomeRequest {  // `allocator.save_home`: archive it now, while it runs
    WorkspaceRef target;
    std::optional<Principal> principal;
    BERTH_FIELDS(SaveHomeRequest, target, principal)
};
struct ChooseHomeRequest {  // `allocator.choose_home`: the next start brings an older archive back
    WorkspaceRef target;
    HomeArchive archive;                  // as a fact named it
    std::string why;
    std::optional<Principal> principal;
    BERTH_FIELDS(ChooseHomeRequest, target, archive, why, principal)
};
struct ReapRequest {      // `allocator.reap`, from the reaper: what is over, and how it knows
    WorkspaceId workspace;
    Epoch epoch;
    std::string cause;    // "expired", "lifetime"
    std::vector<std::string> evidence;
    BERTH_FIELDS(ReapRequest, workspace, epoch, cause, evidence)
};

struct Done {             // the plain answer: how many things it touched, and at which position
    std::uint32_t count = 0;
    Position position;
    BERTH_FIELDS(Done, count, position)
};

struct LeaseGranted {
    WorkspaceId workspace;
    UserId user;
    ProjectName project;
    PoolName pool;
    std::optional<ClaimId> claim;
    HostId host;
    HostIncarnation incarnation;
    std::uint32_t slot = 0;
    Epoch epoch;
    Instant expires_at;
    std::optional<HomePlace> home_place;  // as its pool had it then; absent: shared
    BERTH_FIELDS(LeaseGranted, workspace, user, project, pool, claim, host, incarnation, slot, epoch, expires_at, home_place)
};
struct WorkspaceStarted {
    WorkspaceId workspace;
    Epoch epoch;
    HostId host;
    std::uint32_t slot = 0;
    ContainerId container;
    std::string url;
    BERTH_FIELDS(WorkspaceStarted, workspace, epoch, host, slot, container, url)
};
struct WorkspaceRestarted {  // its environment ended by itself; another one has the same lease, home and address
    WorkspaceId workspace;
    Epoch epoch;
    HostId host;
    std::uint32_t slot = 0;
    ContainerId container;
    BERTH_FIELDS(WorkspaceRestarted, workspace, epoch, host, slot, container)
};
struct WorkspaceIncident {   // what its user should know, though it goes on; an empty text: that is over
    WorkspaceId workspace;
    Epoch epoch;
    std::string text;
    BERTH_FIELDS(WorkspaceIncident, workspace, epoch, text)
};
struct WorkspaceFailed {  // the start did not succeed; the lease ends, the slot is being wiped
    WorkspaceId workspace;
    Epoch epoch;
    HostId host;
    std::uint32_t slot = 0;
    std::string text;
    BERTH_FIELDS(WorkspaceFailed, workspace, epoch, host, slot, text)
};
struct WorkspaceStopping {
    WorkspaceId workspace;
    Epoch epoch;
    HostId host;
    std::uint32_t slot = 0;
    BERTH_FIELDS(WorkspaceStopping, workspace, epoch, host, slot)
};
/// The only fact that frees a slot (I10): the same host incarnation reported stopped and wiped, or
/// the provider confirmed that the incarnation is gone.
struct WorkspaceStopped {
    WorkspaceId workspace;
    Epoch epoch;
    HostId host;
    HostIncarnation incarnation;
    std::uint32_t slot = 0;
    BERTH_FIELDS(WorkspaceStopped, workspace, epoch, host, incarnation, slot)
};
struct HomeArchived {     // its repository has that snapshot, whole
    WorkspaceId workspace;
    Epoch epoch;
    HostId host;
    HomeArchive archive;
    BERTH_FIELDS(HomeArchived, workspace, epoch, host, archive)
};
struct HomeLost {         // what was written since that archive is gone with its host
    WorkspaceId workspace;
    Epoch epoch;
    HostId host;
    std::optional<HomeArchive> archive;   // absent: there is none, all of it is gone
    BERTH_FIELDS(HomeLost, workspace, epoch, host, archive)
};
struct HomeChosen {       // an operator's or user's choice: the next start brings that one back
    WorkspaceId workspace;
    HomeArchive archive;
    BERTH_FIELDS(HomeChosen, workspace, archive)
};
struct WorkspaceDestroying {
    WorkspaceId workspace;
    BERTH_FIELDS(WorkspaceDestroying, workspace)
};
struct WorkspaceDestroyed {
    WorkspaceId workspace;
    BERTH_FIELDS(WorkspaceDestroyed, workspace)
};
struct LeaseExtended {
    WorkspaceId workspace;
    Epoch epoch;
    Instant expires_at;
    BERTH_FIELDS(LeaseExtended, workspace, epoch, expires_at)
};
struct WorkspaceHeld {
    WorkspaceId workspace;
    Epoch epoch;
    Instant until;
    BERTH_FIELDS(WorkspaceHeld, workspace, epoch, until)
};
struct IdleNoted {        // the allocator's record of the reaper's intent `workspace.idle`
    WorkspaceId workspace;
    Epoch epoch;
    Instant stop_at;
    BERTH_FIELDS(IdleNoted, workspace, epoch, stop_at)
};
struct IdleWithdrawn {    // the pool's policy changed, and by the new one it is not idle: nothing was stopped
    WorkspaceId workspace;
    Epoch epoch;
    BERTH_FIELDS(IdleWithdrawn, workspace, epoch)
};
struct StopObjected {     // the host saw activity at the deadline, so nothing was stopped
    WorkspaceId workspace;
    Epoch epoch;
    BERTH_FIELDS(StopObjected, workspace, epoch)
};

}  // namespace berth
