// SPDX-License-Identifier: Apache-2.0
// One state of the smallest world, as a value: copied for each branch. Private to scope*.cpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/sim/scope.hpp"

namespace berth::sim {

struct ToAllocator {
    allocator::Input input;
};
struct ToHost {                           // a command; its answer goes back with this id
    HostId host;
    allocator::CommandId command = 0;
    allocator::CommandBody body;
};
struct OrdersTo {                         // the answer to a heartbeat, of one life of the agent
    HostId host;
    std::uint64_t life = 0;
    hostagent::BeatNumber beat = 0;
    HostOrders orders;
};
struct EngineDoes {                       // an operation of an engine, and its answer to the agent
    HostId host;
    std::uint64_t life = 0;
    hostagent::Operation operation;
};
using Packet = std::variant<ToAllocator, ToHost, OrdersTo, EngineDoes>;

struct Flying {
    Packet packet;
    std::string name;                     // says all that matters: two packets of one name are alike
    bool may_be_lost = true;              // what happens inside one machine is not
};

struct ScopeHost {
    hostagent::State state;
    SimKv kv;
    std::uint64_t life = 0;
    bool alive = true;
    std::map<hostagent::CallerId, allocator::CommandId> callers;
    hostagent::CallerId last_caller = 0;
    struct Container {
        std::uint32_t slot = 0;
        WorkspaceId workspace;
        Epoch epoch;
        std::uint32_t binds = 0;
        BERTH_FIELDS(Container, slot, workspace, epoch, binds)
    };
    std::map<ContainerId, Container> containers;
};

class ScopeWorld {
public:
    explicit ScopeWorld(const ScopeLimits& limits);

    struct Choice {
        std::string name;
        enum class Kind { deliver, drop, duplicate, crash_allocator, crash_host, end_host, drain, wait } kind;
        std::size_t index = 0;            // of the packet
        HostId host = {};
    };
    std::vector<Choice> choices() const;
    void take(const Choice& choice);
    /// The rule that does not hold here, or empty.
    std::string broken() const;
    std::uint64_t fingerprint() const;

private:
    void begin_allocator();
    void begin_host(const HostId& id);
    void give(const allocator::Input& input);
    void give(const HostId& id, const hostagent::Input& input);
    void deliver(const Packet& packet);
    void operate(const HostId& id, const EngineDoes& work);
    void lose(const Packet& packet);
    void beat(const HostId& id);
    void send(Packet packet, std::string name, bool may_be_lost = true);
    void release_when_granted(const FactRecord& fact);

    ScopeLimits limits_;
    Instant now_{Duration{1'700'000'000'000}};
    SimLedger ledger_;
    allocator::State allocator_;
    std::map<HostId, ScopeHost> hosts_;
    std::vector<Flying> net_;
    std::uint32_t waits_ = 0;
    bool released_ = false;
};

}  // namespace berth::sim
