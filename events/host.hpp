// SPDX-License-Identifier: Apache-2.0
// Hosts: what they say of themselves, what is decided about them, what they are told to do.
//
//   liveness   live ◄──► unknown ─► *gone          (gone only on the provider's word, I15)
//   admission  open ◄──► cordoned ─► draining      (draining: sealed, no lease; the permit to end it)
//   ending     asked ─► cordoned ─► empty ─► sealing ─► draining ─► *gone       (undone until sealing)
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

BERTH_ENUM(Liveness, live, unknown, gone)
BERTH_ENUM(Admission, open, cordoned, draining)

// ---- what a host says

BERTH_ENUM(SlotPhase,
           empty,       // nothing there
           preparing,   // an environment without identity is being started
           prepared,    // it is healthy and waits (a standby)
           binding,     // it is being given to one user
           bound,       // it serves its workspace
           stopping,    // it is being removed and wiped
           stopped,     // removed and wiped at `epoch`; says so until the allocator agrees
           broken)      // could not be removed or wiped; needs a person or a new host

struct SlotReport {
    std::uint32_t slot = 0;
    SlotPhase phase = SlotPhase::empty;
    Epoch epoch;                          // highest that this slot ever held
    WorkspaceId workspace;                // of that epoch; empty when none
    ContainerId container;
    std::string text;                     // why it stopped, failed or is broken; of a bound one, how the environment before this ended
    std::optional<std::string> incident;  // what its user should know, though it goes on: paused, out of memory
    std::optional<HomeProgress> home;     // what is under way about its home
    std::optional<HomeArchive> archive;   // the newest of this epoch that its repository confirmed
    BERTH_FIELDS(SlotReport, slot, phase, epoch, workspace, container, text, incident, home, archive)
};

struct HostLoad {
    double cpu = 0;                       // share of all cores, 0..1
    double memory = 0;                    // share in use, 0..1
    double disk = 0;                      // share in use, 0..1
    std::uint32_t containers = 0;
    BERTH_FIELDS(HostLoad, cpu, memory, disk, containers)
};

BERTH_ENUM(Wanted, running, stopped)

/// What one slot should hold. The host's whole duty is to make each slot match its order.
struct LeaseOrder {
    std::uint32_t slot = 0;
    Epoch epoch;
    WorkspaceId workspace;
    UserId user;
    ProjectName project;
    Wanted wanted = Wanted::running;
    Instant expires_at;
    std::optional<Instant> hold_until;
    std::optional<HomeOrder> home;        // absent: it is in the folder of homes, and stays there
    BERTH_FIELDS(LeaseOrder, slot, epoch, workspace, user, project, wanted, expires_at, hold_until, home)
};

/// Request `allocator.register`, at each start of the agent. The same (host, incarnation) may
/// register again at any time; a new incarnation waits until the old one is confirmed gone. The last
/// three are for a ledger that is an old copy (docs/restore.md): the highest term and position that
/// were shown to this host, and what its slots hold or held last.
struct RegisterRequest {
    HostId host;
    HostIncarnation incarnation;
    PoolName pool;
    std::optional<LaunchId> launch;
    std::string instance;                 // the provider's id; equals `host` unless foreign
    std::string public_ip;
    std::string private_ip;
    std::uint32_t proxy_port = 0;
    std::uint32_t slots = 0;
    std::string version;
    std::optional<Term> term_seen;
    std::optional<Position> position_seen;
    std::optional<std::vector<LeaseOrder>> held;
    std::optional<std::string> provider;  // of its machine; absent: who launched it, or nobody ("static")
    std::optional<std::string> home_mark; // of its folder of homes: hosts that share it read the same
    BERTH_FIELDS(RegisterRequest, host, incarnation, pool, launch, instance, public_ip, private_ip, proxy_port,
                 slots, version, term_seen, position_seen, held, provider, home_mark)
};

/// Its machine was said to end: by a signal, a file, a provider.
struct EndNotice {
    std::string text;
    std::optional<Instant> ends_at;       // absent: nobody said
    BERTH_FIELDS(EndNotice, text, ends_at)
};

/// Request `allocator.heartbeat` (for the order in the answer) and observation `host.heartbeat` (for
/// everyone else): every period, and at once when a slot changes.
struct HostHeartbeat {
    HostId host;
    HostIncarnation incarnation;
    Term term_seen;
    HostLoad load;
    std::vector<SlotReport> slots;
    std::optional<Position> position_seen;
    std::optional<std::string> trouble;   // why nothing can be started here now
    std::optional<std::string> home_trouble;  // why homes can not be saved or brought back here now
    std::optional<EndNotice> notice;
    BERTH_FIELDS(HostHeartbeat, host, incarnation, term_seen, load, slots, position_seen, trouble, home_trouble, notice)
};

// ---- what a host is told

/// The host is being emptied: nothing new lands, and what runs there stops at `by`.
struct Leaving {
    Instant by;
    std::string why;
    BERTH_FIELDS(Leaving, by, why)
};

/// Answer to a heartbeat or registration: every lease that this host holds, and nothing else. A
/// bound slot without an order is stopped and wiped; an order without a container is started.
struct HostOrders {
    Term term;
    Position position;
    Admission admission = Admission::open;
    Duration heartbeat_ms{15'000};
    std::uint32_t standbys = 0;           // how many prepared slots to keep
    std::vector<LeaseOrder> leases;
    std::optional<HomeRule> homes;        // of its pool
    std::optional<Leaving> leaving;
    BERTH_FIELDS(HostOrders, term, position, admission, heartbeat_ms, standbys, leases, homes, leaving)
};

struct BindCommand {                      // `host.bind`: start (prepare if need be) and bind
    Term term;
    LeaseOrder order;
    std::optional<HostIncarnation> incarnation;  // of the lease: a later life of the machine refuses
    std::optional<Position> position;            // at which it was decided
    BERTH_FIELDS(BindCommand, term, order, incarnation, position)
};
struct LinkReply {
    std::string url;
    std::string link;
    std::string token;
    BERTH_FIELDS(LinkReply, url, link, token)
};
struct BindReply {
    ContainerId container;
    std::string url;                      // the workspace's origin at this host's proxy
    std::optional<LinkReply> link;        // minted for this answer, as by `host.link`: the first who waits needs not ask
    BERTH_FIELDS(BindReply, container, url, link)
};
struct StopCommand {                      // `host.stop`: remove and wipe; the home stays, or is archived
    Term term;
    std::uint32_t slot = 0;
    Epoch epoch;
    WorkspaceId workspace;
    std::optional<bool> discard = std::nullopt;          // the home is not wanted any more
    BERTH_FIELDS(StopCommand, term, slot, epoch, workspace, discard)
};
struct StopReply {                        // stopped and wiped, at this epoch
    std::uint32_t slot = 0;
    Epoch epoch;
    std::optional<HomeArchive> archive = std::nullopt;   // of this epoch
    BERTH_FIELDS(StopReply, slot, epoch, archive)
};
struct LinkCommand {                      // `host.link`: mint a one-use link for the workspace's user
    Term term;
    std::uint32_t slot = 0;
    Epoch epoch;
    WorkspaceId workspace;
    BERTH_FIELDS(LinkCommand, term, slot, epoch, workspace)
};
struct EraseCommand {                     // `host.erase`: delete the home of a workspace not bound here
    Term term;
    WorkspaceId workspace;
    std::optional<HomeRule> home;         // where else it may be
    BERTH_FIELDS(EraseCommand, term, workspace, home)
};
struct EraseReply {
    WorkspaceId workspace;
    BERTH_FIELDS(EraseReply, workspace)
};
struct SealCommand {                      // `host.seal`: promise to take nothing new, for ever
    Term term;
    HostIncarnation incarnation;
    BERTH_FIELDS(SealCommand, term, incarnation)
};
struct SealReply {
    HostIncarnation incarnation;
    std::uint32_t occupied = 0;           // slots that still hold a user's environment
    BERTH_FIELDS(SealReply, incarnation, occupied)
};

// ---- what is asked of the allocator about hosts (operators, scaler, reaper)

/// What a machine is made of and costs, by its provider's word or our list of prices.
struct HostPrice {
    std::string machine_type;             // "m7g.large"
    std::string zone;
    bool spot = false;
    std::uint32_t microdollars_per_hour = 0;   // millionths of a US dollar; 0: nobody knows
    BERTH_FIELDS(HostPrice, machine_type, zone, spot, microdollars_per_hour)
};

struct HostRef {                          // names one life of one machine, never a name alone (I13)
    HostId host;
    HostIncarnation incarnation;
    BERTH_FIELDS(HostRef, host, incarnation)
};
BERTH_ENUM(Tenants,
           keep,        // the workspaces that are there stay
           stop)        // they are stopped; asked for again, they start elsewhere

struct CordonRequest {                    // `allocator.cordon`; with `stop` it is an operator's drain
    HostRef host;
    std::string why;
    std::optional<Tenants> tenants;       // absent: keep
    std::optional<Principal> principal;   // as the gateway proved it
    std::optional<Instant> by;            // with `stop`: they are stopped then, and told of it before
    BERTH_FIELDS(CordonRequest, host, why, tenants, principal, by)
};
struct UncordonRequest {                  // `allocator.uncordon`
    HostRef host;
    std::string why;
    BERTH_FIELDS(UncordonRequest, host, why)
};
struct DrainRequest {                     // `allocator.drain`: seal, then a permit if nothing is leased
    HostRef host;
    std::string why;
    BERTH_FIELDS(DrainRequest, host, why)
};
BERTH_ENUM(EndMode,
           wait,        // until its workspaces are over
           force,       // they are stopped
           undo)        // it is not ended after all; possible until its seal is asked for

/// `allocator.end_host`: the whole end of a host, as one durable wish. Asked for again it changes
/// nothing, but that `force` may be added.
struct EndHostRequest {
    HostRef host;
    EndMode mode = EndMode::wait;
    std::string why;
    std::optional<Principal> principal;   // as the gateway proved it
    BERTH_FIELDS(EndHostRequest, host, mode, why, principal)
};
struct EndHostReply {
    std::uint32_t changed = 0;            // 0: it was so already
    std::uint32_t stopped = 0;            // workspaces that this request stopped
    std::string waits_for;                // what keeps the host now (events/ending.hpp); empty when it is over
    Position position;
    BERTH_FIELDS(EndHostReply, changed, stopped, waits_for, position)
};
/// The right to end one incarnation, granted by the ledger at `position` in `term`. It dies with
/// its term and is re-validated right before the provider is called (I16).
struct Permit {
    HostRef host;
    Term term;
    Position position;
    BERTH_FIELDS(Permit, host, term, position)
};
struct PermitCheckRequest {               // `allocator.check_permit`
    Permit permit;
    BERTH_FIELDS(PermitCheckRequest, permit)
};
struct CondemnRequest {                   // `allocator.condemn`: may this orphan be ended? The answer is in the ledger's order
    std::string instance;
    HostIncarnation incarnation;
    std::optional<LaunchId> launch;       // that the provider names as its origin
    std::vector<std::string> evidence;
    BERTH_FIELDS(CondemnRequest, instance, incarnation, launch, evidence)
};
struct UnknownRequest {                   // `allocator.host_unknown`, from the reaper
    HostRef host;
    Instant last_heartbeat_at;
    BERTH_FIELDS(UnknownRequest, host, last_heartbeat_at)
};
struct GoneRequest {                      // `allocator.host_gone`: the provider confirmed the end
    HostRef host;
    std::string evidence;
    BERTH_FIELDS(GoneRequest, host, evidence)
};

// ---- facts

struct HostRegistered {
    HostId host;
    HostIncarnation incarnation;
    PoolName pool;
    std::optional<LaunchId> launch;
    std::string instance;
    std::string public_ip;
    std::string private_ip;
    std::uint32_t proxy_port = 0;
    std::uint32_t slots = 0;
    std::optional<std::string> provider;  // that its machine is of; absent in older facts
    std::optional<std::string> home_mark;
    BERTH_FIELDS(HostRegistered, host, incarnation, pool, launch, instance, public_ip, private_ip, proxy_port,
                 slots, provider, home_mark)
};
struct HostCordoned {
    HostRef host;
    BERTH_FIELDS(HostCordoned, host)
};
struct HostUncordoned {                   // and does not leave, if it was to
    HostRef host;
    BERTH_FIELDS(HostUncordoned, host)
};
struct HostLeaving {                      // it is cordoned, and emptied at that time
    HostRef host;
    Instant by;
    BERTH_FIELDS(HostLeaving, host, by)
};
struct HostDrained {                      // sealed and without a lease at this position (I13)
    HostRef host;
    BERTH_FIELDS(HostDrained, host)
};
BERTH_ENUM(EndCause,
           asked,         // an operator wants it
           pool_retired)  // its pool is configured no more

struct HostEnding {                       // it will be ended; every step to it follows from this fact
    HostRef host;
    EndCause cause = EndCause::asked;
    bool force = false;                   // its workspaces are stopped for it
    BERTH_FIELDS(HostEnding, host, cause, force)
};
struct HostEndWithdrawn {                 // it stays
    HostRef host;
    BERTH_FIELDS(HostEndWithdrawn, host)
};
struct HostSealing {                      // its agent is asked for the seal: from here on there is no way back
    HostRef host;
    BERTH_FIELDS(HostSealing, host)
};
struct HostImpaired {                     // its agent tried, and can start nothing; an empty text: it can again
    HostRef host;
    std::string text;
    BERTH_FIELDS(HostImpaired, host, text)
};
struct HostUnknown {
    HostRef host;
    Instant last_heartbeat_at;
    BERTH_FIELDS(HostUnknown, host, last_heartbeat_at)
};
struct HostReturned {
    HostRef host;
    BERTH_FIELDS(HostReturned, host)
};
/// An instance that nothing in the ledger accounts for. From here on a host on it is refused, so that it may be ended.
struct InstanceCondemned {
    std::string instance;
    HostIncarnation incarnation;
    BERTH_FIELDS(InstanceCondemned, instance, incarnation)
};
struct HostGone {
    HostRef host;
    BERTH_FIELDS(HostGone, host)
};
struct SlotQuarantined {                  // takes no lease until it is cleared
    HostId host;
    HostIncarnation incarnation;
    std::uint32_t slot = 0;
    std::string text;
    BERTH_FIELDS(SlotQuarantined, host, incarnation, slot, text)
};
struct SlotCleared {
    HostId host;
    HostIncarnation incarnation;
    std::uint32_t slot = 0;
    BERTH_FIELDS(SlotCleared, host, incarnation, slot)
};
/// What a host held when a recovered ledger first met it: leases and epochs that the old copy did not
/// know. `displaced` are workspaces that thereby hold no lease any more.
struct HostRecovered {
    HostRef host;
    PoolName pool;
    std::vector<LeaseOrder> held;
    std::vector<WorkspaceId> displaced;
    BERTH_FIELDS(HostRecovered, host, pool, held, displaced)
};

}  // namespace berth
