// SPDX-License-Identifier: Apache-2.0
// The allocator's core in the world, with the shell's order of effects: append → replies → publish →
// commands. It may die between any two of them (F2). A paused one that was replaced is a zombie: it
// learns so at its first append, and ends (I4).
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "allocator/step.hpp"
#include "tests/sim/sim_ledger.hpp"
#include "tests/sim/world.hpp"

namespace berth::sim {

class SimAllocator final : public Actor {
public:
    /// Begins at once; `process` names this one among several.
    SimAllocator(World& world, SimLedger& ledger, std::string process, allocator::Policy policy, std::vector<PoolDefined> pools);

    void begin();
    void receive(const LetterPtr& letter) override;
    const View& view() const { return state_.view; }
    const allocator::State& state() const { return state_; }
    const std::string& process() const { return process_; }
    bool up() const { return up_; }
    bool fenced() const { return fenced_; }
    /// Called when it begins: from then on it is this one that the broker reaches.
    std::function<void()> on_begin;
    /// Dies now, and starts again a little later.
    void crash();
    /// Dies for good.
    void end();

private:
    void hear(const LetterPtr& heard);
    void give(const allocator::Input& input);
    void give_now(const allocator::Input& input);
    bool answers_of_the_past(const allocator::Decisions& out) const;
    void leave(allocator::Decisions out);
    bool append(const std::vector<FactRecord>& facts);
    bool dies();
    void tick(std::uint64_t life);
    void beacon(std::uint64_t life);
    void send(const allocator::Command& command);

    World& world_;
    SimLedger& ledger_;
    std::string process_;
    allocator::Policy policy_;
    std::vector<PoolDefined> pools_;
    allocator::State state_;
    std::map<allocator::CallerId, LetterPtr> callers_;
    allocator::CallerId last_caller_ = 0;
    std::uint64_t life_ = 0;              // timers and answers of an earlier life mean nothing
    std::deque<std::function<void()>> waiting_;            // while the disk writes
    bool writing_ = false;
    bool up_ = false;
    bool fenced_ = false;
};

}  // namespace berth::sim
