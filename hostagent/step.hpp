// SPDX-License-Identifier: Apache-2.0
// The host's core: drives each slot to its order. step() takes one input and changes the state at
// once; what must happen comes back as Decisions, which the shell carries out in one order:
// persist (fsync) → engine operations → replies → publish. If a persist fails the state is ahead of
// the disk, and the process must end and recover from it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "hostagent/engine.hpp"
#include "hostagent/state.hpp"

namespace berth::hostagent {

// ---- inputs

/// First: what the local memory and the engine know. Before it nothing else is stepped.
struct Recovered {
    std::vector<SlotRecord> records;
    std::vector<RouteRecord> routes;
    std::vector<FoundContainer> found;
    Term term;
    bool sealed = false;
    Position position;
};
/// The answer to heartbeat or registration number `beat`.
struct OrdersHeard {
    BeatNumber beat = 0;
    HostOrders orders;
};
template <class Command>
struct Asked {
    CallerId caller = 0;
    Command body;
};
struct IdleIntended {
    WorkspaceIdle intent;
};
struct ActivityRead {                     // what was asked by ReadActivity; without the hold
    std::uint32_t slot = 0;
    Epoch epoch;
    std::vector<Signal> signals;
};
struct Prepared {
    std::uint32_t slot = 0;
    ContainerId container;
    Result<void> outcome;
};
struct PortTaken {                        // another program has that port; nothing was started
    std::uint32_t slot = 0;
    ContainerId container;
};
struct Bound {
    std::uint32_t slot = 0;
    ContainerId container;
    Result<void> outcome;
};
struct Removed {
    std::uint32_t slot = 0;
    ContainerId container;
    Result<void> outcome;
};
struct Erased {
    WorkspaceId workspace;
    Result<void> outcome;
};
struct Listed {
    std::uint64_t mark = 0;
    Result<std::vector<FoundContainer>> found;
};
/// Of the same home orders; what is answered after the slot went on to another lease changes nothing.
struct HomeRestored {
    std::uint32_t slot = 0;
    WorkspaceId workspace;
    Epoch epoch;
    Result<void> outcome;
};
struct KeptHome {                         // a snapshot that the repository has, read back from it
    std::string snapshot;
    std::uint64_t bytes = 0;
};
struct HomeSaved {
    std::uint32_t slot = 0;
    WorkspaceId workspace;
    Epoch epoch;
    Result<KeptHome> outcome;
};
struct HomeMoved {                        // so far
    std::uint32_t slot = 0;
    Epoch epoch;
    std::uint64_t bytes = 0;
    std::uint64_t bytes_total = 0;
};
struct HomeDropped {
    std::uint32_t slot = 0;
    WorkspaceId workspace;
    Epoch epoch;
    Result<void> outcome;
};
struct HomesChecked {
    Result<void> outcome;
};
struct EndNoticed {                       // nothing: the notice was taken back
    std::optional<EndNotice> notice;
};
struct Tick {};

using Input = std::variant<Recovered, OrdersHeard, Asked<BindCommand>, Asked<StopCommand>, Asked<LinkCommand>,
                           Asked<EraseCommand>, Asked<SealCommand>, IdleIntended, ActivityRead, Prepared, PortTaken,
                           Bound, Removed, Erased, Listed, HomeRestored, HomeSaved, HomeMoved, HomeDropped,
                           HomesChecked, EndNoticed, Tick>;

// ---- decisions

using Persist = KvChange;                 // local_kv.hpp: the records, one transaction for all of one step

struct RemoveOrder {
    std::uint32_t slot = 0;
    ContainerId container;
    Duration deadline{0};
    Duration grace{0};                    // first it is asked to end; 0 where no user's programs run
};
struct EraseOrder {
    WorkspaceId workspace;
    std::string home;
    std::optional<HomeRule> rule = std::nullopt;   // its archives too
};
struct ListOrder {
    std::uint64_t mark = 0;
};
struct ReadActivity {
    SlotRecord record;
};
/// Brings the home to its place, whole or not at all. What lies there unsaved is put aside, never under it.
struct RestoreOrder {
    std::uint32_t slot = 0;
    WorkspaceId workspace;
    Epoch epoch;
    std::string home;
    HomeRule rule;
    std::optional<HomeArchive> archive;   // none: what lies there stays, and nothing is fetched
};
struct SaveOrder {
    std::uint32_t slot = 0;
    WorkspaceId workspace;
    Epoch epoch;
    std::string home;
    HomeRule rule;
    std::string parent;                   // a snapshot that it is compared with; empty: none
    bool last = false;                    // nothing writes there any more: not one file may be missing
};
struct DropOrder {                        // the copy on this host, which is archived or was never written to
    std::uint32_t slot = 0;
    WorkspaceId workspace;
    Epoch epoch;
    std::string home;
};
struct CheckHomesOrder {
    HomeRule rule;
};
using Operation = std::variant<PrepareOrder, EngineBind, RemoveOrder, EraseOrder, ListOrder, ReadActivity, RestoreOrder, SaveOrder, DropOrder,
                               CheckHomesOrder>;

/// The shell mints it: it needs the host's secret and chance.
struct LinkWanted {
    WorkspaceId workspace;
    Epoch epoch;
    UserId user;
    std::uint32_t slot = 0;
};
/// A bind's answer brings a link with it.
struct BindDone {
    BindReply reply;
    LinkWanted link;
};
using ReplyBody = std::variant<BindDone, StopReply, EraseReply, SealReply, LinkWanted>;
struct Reply {
    CallerId caller = 0;
    Result<ReplyBody> body;
};

/// What the editor's windows show: that this stop is near; what happened here. Both may be nothing.
struct Notice {
    ContainerId container;
    std::optional<WorkspaceIdle> intent;
    std::string incident;
    std::optional<Leaving> leaving = std::nullopt;   // its machine is being emptied
};

BERTH_ENUM(Severity, info, warning)
/// One line of diagnostics for each decision.
struct Note {
    Severity severity = Severity::info;
    std::string event;                    // "slot.bound"
    std::uint32_t slot = 0;
    WorkspaceId workspace;
    std::string text;
};

struct Decisions {
    std::vector<Persist> persists;
    std::vector<Operation> operations;
    std::vector<Reply> replies;
    std::vector<HostObjected> objections;
    std::vector<Notice> notices;
    bool beat = false;                    // tell the allocator at once
    std::vector<Note> notes;
};

State make_state(Policy policy, Setup setup);
Decisions step(State& state, const Input& input, Instant now);

/// The next heartbeat's number is `state.beats` afterwards; an answer must come back with it.
HostHeartbeat take_beat(State& state);
RegisterRequest take_registration(State& state);
/// The workspace's own origin at this host's proxy: "http://w-1.localhost:9000/".
std::string url_of(const Setup& setup, const WorkspaceId& workspace, std::uint32_t slot);
/// Where the environment of that record listens; nothing when it has a port.
std::optional<std::string> socket_of(const Setup& setup, const SlotRecord& record);
/// An explicit hold, as a signal: one in the future is use now.
void add_hold(std::vector<Signal>& signals, const SlotRecord& record, Instant now);

}  // namespace berth::hostagent
