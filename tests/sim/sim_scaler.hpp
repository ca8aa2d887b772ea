// SPDX-License-Identifier: Apache-2.0
// The scaler's core in the world, with a simulated provider behind it. It keeps nothing: launches in
// flight are facts, a half-done shrink is seen from the host's admission.
#pragma once

#include <map>
#include <string>

#include "scaler/step.hpp"
#include "tests/sim/sim_follower.hpp"
#include "tests/sim/sim_provider.hpp"

namespace berth::sim {

class SimScaler final : public Actor {
public:
    SimScaler(World& world, Truth& truth, SimProvider& provider, scaler::Policy policy);

    void begin();
    void crash();
    void receive(const LetterPtr& letter) override;
    const scaler::State& state() const { return state_; }

private:
    void take(scaler::Input input);
    void ask(const scaler::Ask& wanted);
    void call(const scaler::Call& wanted, bool after_check);
    void list();
    void check_levels();
    bool dies();
    void tick(std::uint64_t life);
    void list_each_period(std::uint64_t life);

    World& world_;
    Truth& truth_;
    SimProvider& provider_;
    scaler::Policy policy_;
    scaler::State state_;
    SimFollower follower_;
    std::map<scaler::CallerId, LetterPtr> callers_;
    std::map<scaler::AskId, HostId> checks_;               // permit checks under way
    scaler::CallerId last_caller_ = 0;
    std::uint64_t life_ = 0;
    bool up_ = false;
};

}  // namespace berth::sim
