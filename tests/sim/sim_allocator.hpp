// SPDX-License-Identifier: Apache-2.0
// The real allocator in the world, on the simulated ledger. A paused one that was replaced is a zombie: it
// learns so at its first append, and ends (I4).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "allocator/process.hpp"
#include "tests/sim/sim_ledger.hpp"
#include "tests/sim/sim_process.hpp"

namespace berth::sim {

class SimAllocator final : public SimProcess {
public:
    /// `process` names this one among several.
    SimAllocator(World& world, SimDisk& disk, const std::string& process, allocator::Policy policy, std::vector<PoolDefined> pools);

    /// Of the life that serves, or of the last one.
    const allocator::State& state() const { return process_ ? process_->state() : nothing_; }
    const View& view() const { return state().view; }
    /// Called when it begins: from then on it is this one that the broker reaches.
    std::function<void()> on_begin;

private:
    Result<void> open(SimLoop& loop, SimBus& bus) override;
    void close() override;
    const std::optional<Error>& failure() const override { return process_->failure(); }

    SimDisk& disk_;
    allocator::Policy policy_;
    std::vector<PoolDefined> pools_;
    allocator::State nothing_;
    std::unique_ptr<SimLedger> ledger_;
    std::unique_ptr<allocator::Process> process_;
};

}  // namespace berth::sim
