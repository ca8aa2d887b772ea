// SPDX-License-Identifier: Apache-2.0
// What the host knows. Each slot is its persisted record and what is under way on it; the rest is
// what the allocator last said. Nothing but the records, the term and the seal outlives the process.
//
//   of a slot     empty ─► preparing ─► prepared            (no user, home or credential)
//                   │          └──────────┤
//                   └────────► binding ◄──┘  bind: (workspace, epoch, container) durable first (I2, I3)
//                                 │ ▲ container ended: a new one for the same lease
//                                 ▼ │
//                               bound ─► stopping ─► stopped ─► empty      (the allocator agreed)
//                                            └─────► broken  ─► stopped    (removed after all)
//
//   of its container    none ─► starting ─► ready ─► given ─► none
//                                  └──────────┴────────┴──► spoiled ─► none
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "events/activity.hpp"
#include "events/host.hpp"
#include "hostkv/records.hpp"
#include "hostagent/policy.hpp"
#include "hostagent/ports.hpp"

namespace berth::hostagent {

using CallerId = std::uint64_t;           // a reply that somebody waits for; the shell's own number
using BeatNumber = std::uint64_t;         // of a heartbeat or registration, from 1

/// Who this host is; fixed for the life of the process.
struct Setup {
    HostId host;
    HostIncarnation incarnation;
    std::uint32_t slots = 0;
    std::string homes;                    // absolute
    std::string boot;                     // of this process: makes names of containers unique
    std::string scheme = "http";
    std::string apps_domain = "localhost";
    std::uint32_t proxy_port = 0;
    std::string public_domain;            // in links, when it differs from apps_domain
    std::uint32_t public_port = 0;        // in links, when it differs from proxy_port
    std::string plain_address;            // in links, when workspaces have no names but ports
    std::uint32_t plain_port_first = 0;   // 0: they have names
    std::string sockets;                  // folder of the slots' folders in which environments listen; empty: on ports
};

BERTH_ENUM(Work, none, preparing, binding, removing)   // the engine's call that is under way
BERTH_ENUM(ContainerUse,
           none,
           starting,
           ready,     // healthy, never given to anyone
           given,     // to the lease of the record, whole or half
           spoiled)   // to be removed before anything else happens here
BERTH_ENUM(HomeJob, none, restoring, saving, dropping)  // what is under way about the home, beside the engine
BERTH_ENUM(Order, unknown, running)       // since this process began: did anyone say that the lease stands?

struct IdleWatch {
    WorkspaceIdle intent;
    bool reading = false;                 // the last look at activity is under way
};

/// About a home that has an archive; lost with the process, as what is under way is.
struct HomeWork {
    HomeJob job = HomeJob::none;
    bool last = false;                    // of a save: nothing can write any more
    Instant began_at;
    Instant not_before;                   // of the next try
    Instant save_at;                      // while in use
    std::uint32_t failures = 0;           // in a row
    std::string text;                     // of the last failure
    std::uint64_t bytes = 0;
    std::uint64_t bytes_total = 0;
    std::uint64_t bytes_per_s = 0;
};

struct Slot {
    std::optional<IdleWatch> idle;        // its end, what follows, and the begin of the record lie together:
    Work work = Work::none;               // no more of a quiet slot is looked at by a tick
    ContainerUse use = ContainerUse::none;
    Order order = Order::unknown;
    Instant wait_until;                   // nothing is tried before
    BeatNumber accepted_beat = 0;         // first heartbeat that tells of this lease: older answers may omit it
    std::uint64_t changed = 0;            // a listing that began before this says nothing about the slot
    SlotRecord record;
    std::string incident;                 // what the user of the environment should know, as the engine told last
    std::uint32_t remove_failures = 0;
    std::uint32_t restarts = 0;           // 0: the first start of this lease
    std::uint32_t port_tries = 0;
    std::vector<CallerId> bind_callers;
    std::vector<CallerId> stop_callers;
    HomeWork home;
};

struct Counters {
    std::uint64_t stale_terms = 0;        // orders or commands of a lower term (I4)
    std::uint64_t foreign_terms = 0;      // of a ledger that is an old copy
    std::uint64_t stale_epochs = 0;       // of a lower epoch (I3)
    std::uint64_t strange_orders = 0;     // a slot that is not there, another workspace at our epoch
    std::uint64_t failed_starts = 0;
    std::uint64_t ended_environments = 0; // ended by themselves
    std::uint64_t orphans = 0;            // containers that the memory does not know
    BERTH_FIELDS(Counters, stale_terms, foreign_terms, stale_epochs, strange_orders, failed_starts, ended_environments, orphans)
};

struct State {
    Policy policy;
    Setup setup;
    std::vector<Slot> slots;
    std::map<WorkspaceId, RouteRecord> routes;             // as they stand in the local memory
    Term term;
    Position position_seen;               // highest that an allocator named
    Position position_kept;               // that of the local memory; written along with other changes
    bool sealed = false;
    Admission admission = Admission::open;
    std::optional<std::uint32_t> standbys;                 // unknown until the first orders
    Duration heartbeat{0};
    PortPool ports;
    BeatNumber beats = 0;
    std::uint64_t changes = 0;
    std::uint64_t containers_named = 0;
    std::map<WorkspaceId, std::vector<CallerId>> erasing;
    std::set<ContainerId> orphans;                         // being removed, on slots beyond ours
    bool listing = false;
    Instant list_at;
    Instant heard_at;                                      // orders; at first, the start of this process
    Instant standby_at;                                    // no standby is tried before
    Duration standby_pause{0};
    std::uint32_t failures_in_a_row = 0;                   // environments that could not be started, of any kind
    std::string failure_text;                              // of the last of them
    std::optional<HomeRule> homes;                         // of the pool, as the allocator said last
    std::string home_trouble;                              // why homes can not be saved or brought back now
    bool checking_homes = false;
    Instant check_homes_at;
    std::optional<Leaving> leaving;
    std::optional<EndNotice> notice;
    Counters counters;
};

}  // namespace berth::hostagent
