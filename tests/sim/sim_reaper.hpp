// SPDX-License-Identifier: Apache-2.0
// The reaper's core in the world. It keeps nothing: a crash forgets all, and the next life begins
// with a view.
#pragma once

#include <string>

#include "reaper/step.hpp"
#include "tests/sim/sim_follower.hpp"

namespace berth::sim {

class SimReaper final : public Actor {
public:
    SimReaper(World& world, reaper::Policy policy);

    void begin();
    void crash();
    void receive(const LetterPtr& letter) override;
    const reaper::State& state() const { return state_; }

private:
    void take(reaper::Input input);
    void ask(const reaper::Ask& wanted);
    bool dies();
    void tick(std::uint64_t life);

    World& world_;
    reaper::Policy policy_;
    reaper::State state_;
    SimFollower follower_;
    std::uint64_t life_ = 0;
    bool up_ = false;
};

}  // namespace berth::sim
