// SPDX-License-Identifier: Apache-2.0
// One machine with the host's core on it: registration, heartbeats, commands, the local memory that
// survives the agent, and an engine that goes on without it. The agent may die between any two
// effects; the machine may vanish or start anew.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hostagent/step.hpp"
#include "tests/sim/sim_engine.hpp"

namespace berth::sim {

/// Twin of the host's local memory: every write is durable before it returns.
struct SimKv {
    std::map<std::uint32_t, SlotRecord> slots;
    std::map<WorkspaceId, RouteRecord> routes;
    Term term;
    Position position_seen;
    bool sealed = false;

    void put(const hostagent::Persist& what);
    /// What an agent that begins anew reads, beside what the engine has.
    hostagent::Recovered recovered(std::vector<FoundContainer> found) const;
};

struct HostPlan {
    HostId host;
    HostIncarnation incarnation;
    PoolName pool{"default"};
    std::optional<LaunchId> launch;
    std::uint32_t slots = 2;
    hostagent::Policy policy;
    Duration tick{200};
    bool rare_ticks = false;              // then one more comes when an intent to stop is due
    Duration activity{15'000};
    Duration start{150};                  // of one environment, usually
};

class SimHost final : public Actor {
public:
    SimHost(World& world, Truth& truth, HostPlan plan);

    void begin();
    void receive(const LetterPtr& letter) override;
    void crash();                         // the agent dies and starts again a little later
    void reboot();                        // all containers exit too
    void die();                           // the machine is no more
    bool alive() const { return truth_.alive(machine_); }
    bool up() const { return up_; }
    const HostPlan& plan() const { return plan_; }
    const std::string& machine() const { return machine_; }
    const SimKv& kv() const { return kv_; }
    const hostagent::State& state() const { return state_; }

private:
    void hear(const LetterPtr& letter);
    void give(const hostagent::Input& input);
    void give_now(const hostagent::Input& input);
    bool dies();
    void tick(std::uint64_t life);
    void take_intent(const WorkspaceIdle& intent);
    void enroll(std::uint64_t life);
    void beat(std::uint64_t life);
    void beat_each_period(std::uint64_t life);
    void tell_activity(std::uint64_t life);
    LinkReply mint(const hostagent::LinkWanted& wanted);
    void answer(const hostagent::Reply& reply);
    void saw_stop(const hostagent::Note& note);
    template <class Body>
    void take(const LetterPtr& letter);

    World& world_;
    Truth& truth_;
    HostPlan plan_;
    std::string machine_;
    SimEngine engine_;
    SimKv kv_;
    hostagent::State state_;
    std::map<hostagent::CallerId, LetterPtr> callers_;
    hostagent::CallerId last_caller_ = 0;
    std::uint64_t life_ = 0;
    bool up_ = false;
    bool enrolled_ = false;
    std::uint64_t boots_ = 0;
};

}  // namespace berth::sim
