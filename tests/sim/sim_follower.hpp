// SPDX-License-Identifier: Apache-2.0
// Keeps a simulated process in step with the ledger, as bus/follower.hpp does: the order of facts is
// judged by the real FactOrder, only the wire is the world's.
#pragma once

#include <functional>
#include <string>

#include "bus/follower.hpp"
#include "tests/sim/world.hpp"

namespace berth::sim {

class SimFollower {
public:
    struct Handlers {
        std::function<void(ViewReply)> on_view;
        std::function<void(const FactRecord&)> on_fact;
        std::function<void()> on_lost;
        std::function<void(const LedgerHead&)> on_head;
    };

    /// `process` is also its address on the bus.
    SimFollower(World& world, std::string process, Handlers handlers);

    /// Subscribes; once per world.
    void subscribe();
    /// A new life: knows nothing, and asks.
    void begin();
    void end() { ++life_; }
    /// True when the letter was a fact or a beacon.
    bool hear(const Letter& letter);

private:
    void ask();
    void take(ViewReply reply);
    void lose(const char* why);

    World& world_;
    std::string process_;
    Handlers handlers_;
    bus::FactOrder order_;
    std::uint64_t life_ = 0;
};

}  // namespace berth::sim
