// SPDX-License-Identifier: Apache-2.0
// The small world's actors, as values: the real allocator with its ledger, a machine with the real host
// and its engine. What one does with a packet depends on nothing else, so it is computed once and
// remembered (scope_world).
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "allocator/step.hpp"
#include "hostagent/step.hpp"
#include "tests/sim/scope_sketch.hpp"
#include "tests/sim/sim_host.hpp"

namespace berth::sim {

// ---- what travels

struct ToAllocator {                      // a request that nobody waits for, or what came of a command
    std::string name;
    allocator::Input input;
    std::uint32_t from = 0;               // the host that answers
};
struct BeatOf {                           // a heartbeat; a newer one overtakes it while it waits
    std::uint32_t host = 0;
    std::uint64_t life = 0;
    hostagent::BeatNumber beat = 0;
    HostHeartbeat heartbeat;
};
struct ToHost {                           // a command; its answer goes back with this id, or to nobody (0)
    std::uint32_t host = 0;
    allocator::CommandId command = 0;
    allocator::CommandBody body;
};
struct OrdersTo {                         // the answer to a heartbeat, of one life of the agent
    std::uint32_t host = 0;
    std::uint64_t life = 0;
    hostagent::BeatNumber beat = 0;
    HostOrders orders;
};
struct EngineDoes {                       // an operation of an engine, and its answer to the agent
    std::uint32_t host = 0;
    std::uint64_t life = 0;
    hostagent::Operation operation;
};
/// Never in flight: what befalls an actor. host 0 is the allocator.
enum class Happening { ticks, begins, beats, ends };
struct Befalls {
    std::uint32_t host = 0;
    Happening what = Happening::ticks;
};
struct Packet {
    std::variant<ToAllocator, BeatOf, ToHost, OrdersTo, EngineDoes, Befalls> what;
    bool twin = false;                    // a duplicate: it is not lost or doubled again, and a newer beat leaves it
};

std::uint32_t host_of(const Packet& packet);             // whose step it is; 0 is the allocator
/// Packets of one line arrive in the order in which they were sent, as on a connection; 0 is no line:
/// what others ask, what an engine does, timeouts, and twins, which come when they like.
std::uint8_t line_of(const Packet& packet);
bool may_be_lost(const Packet& packet);                  // what happens inside one machine is not
allocator::CommandId command_of(const Packet& packet);   // 0: neither a command nor an answer
Packet no_answer(allocator::CommandId command);          // what the allocator hears of one that was lost
std::string name_of(const Packet& packet);
Sketch sketch_of(const Packet& packet);

// ---- who acts

struct ScopeAllocator {
    allocator::State state;
    bool released = false;                // claim k1 was granted, and its user let go
};
struct ScopeHost {
    hostagent::State state;
    SimKv kv;
    std::uint64_t life = 0;
    bool alive = true;
    struct Container {
        std::uint32_t slot = 0;
        WorkspaceId workspace;
        Epoch epoch;
        std::uint32_t binds = 0;
        BERTH_FIELDS(Container, slot, workspace, epoch, binds)
    };
    std::map<ContainerId, Container> containers;
};

Sketch sketch_of(const ScopeAllocator& actor);
Sketch sketch_of(const ScopeHost& actor);

ScopeAllocator make_allocator(std::uint32_t hosts, std::uint32_t slots);
ScopeHost make_host(std::uint32_t number, std::uint32_t slots);

/// An actor may die when its facts or records are durable and nothing else has left it yet; it begins
/// anew in the same step.
enum class Death { none, before_telling };

struct Step {
    std::vector<Packet> sent;
    bool durable = false;                 // facts or records were kept
};
Step act(ScopeAllocator& actor, const Packet& packet, Instant now, Death death);
Step act(ScopeHost& actor, const Packet& packet, Instant now, Death death);

inline constexpr Duration scope_lease{600'000};      // ends by an expiry, never by waiting
inline constexpr Duration scope_wait{2'500};         // above every retry

}  // namespace berth::sim
