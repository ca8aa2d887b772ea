// SPDX-License-Identifier: Apache-2.0
// What the broker remembers: who serves what, which requests wait for an answer, what it counted.
// Nothing of it outlives the process: workers register again, callers ask again.
//
//   worker:   (broker.serve) ─► serving ─(silent · unreachable · left · serves elsewhere)─► *gone
//   request:  (arrives) ─► pending ─(reply · deadline · worker gone)─► *answered
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/reflect.hpp"
#include "base/time.hpp"
#include "broker/policy.hpp"
#include "events/envelope.hpp"

namespace berth::broker {

BERTH_ENUM(Count,
           events,             // passed on to subscribers
           host_events,        // passed on to one host
           requests,           // passed on to a worker
           replies,            // passed back to the caller
           registrations,      // of workers
           denied,             // the sender may not say this
           malformed,          // frames, topic or envelope are not sound
           oversized,          // over a bound on bytes
           unknown_sender,     // no identity, or one that is not enrolled (any more)
           chosen_route,       // the connection chose its own routing id
           late_replies,       // to a request that is not pending any more
           unserved,           // no worker served the request
           expired,            // requests whose deadline passed here
           workers_lost,
           over_limit,         // too many pending
           unreachable,        // the receiver is not connected
           slow_receiver,      // the receiver's queue is full
           subscription_floods)   // peers shut out from listening for a while
inline constexpr std::size_t counts = enum_names(Count{}).size();

struct Worker {
    std::string service;
    std::string route;         // of its connection; the broker's own number, never the peer's choice
    bool is_answered = false;  // a host's beat is; others are beaten each period, and hosts while they are asked something
    Duration silence_max{0};   // then it counts as dead
    Instant heard;
    Instant next_beat;
    Instant due;               // when it is looked at next
    std::set<std::uint64_t> pending;

    bool is_beaten() const { return !is_answered || !pending.empty(); }
};

struct Service {
    std::deque<std::string> workers;  // the one that was used longest ago first
    std::uint64_t requests = 0;
};

struct Pending {
    std::string caller;
    Role caller_role = Role::client;
    std::string route;         // where its answer goes
    std::string request_id;
    std::string name;
    std::string worker;
    std::string worker_route;
    Instant deadline;
};

struct State {
    Policy policy;
    std::string boot;                                    // of this broker: no tag of another fits
    std::map<std::string, Worker> workers;               // by peer name
    std::set<std::pair<Instant, std::string>> due;       // of each worker: its next beat, or the end of its silence
    std::map<std::string, Service> services;
    std::map<std::string, std::string> host_routes;      // latest connection of each host
    std::map<std::uint64_t, Pending> pending;            // by the number in the tag
    std::set<std::pair<Instant, std::uint64_t>> deadlines;
    std::map<std::string, std::uint32_t> pending_of;     // how many, by caller
    std::uint64_t next_tag = 1;
    std::array<std::uint64_t, counts> counted{};

    std::uint64_t& count(Count what) { return counted[static_cast<std::size_t>(what)]; }
};

}  // namespace berth::broker
