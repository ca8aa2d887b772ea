// SPDX-License-Identifier: Apache-2.0
// The real reaper in the world.
#pragma once

#include <memory>

#include "reaper/process.hpp"
#include "tests/sim/sim_process.hpp"

namespace berth::sim {

class SimReaper final : public SimProcess {
public:
    SimReaper(World& world, reaper::Policy policy)
        : SimProcess(world, {.process = "reaper", .address = "reaper", .role = "reaper", .crash = &Faults::crash_watcher, .down_most = Duration{3'000}}),
          policy_(std::move(policy)) {}

private:
    Result<void> open(SimLoop& loop, SimBus& bus) override {
        process_ = std::make_unique<reaper::Process>(loop, bus, policy_);
        return {};
    }
    void close() override { process_.reset(); }
    const std::optional<Error>& failure() const override { return process_->failure(); }

    reaper::Policy policy_;
    std::unique_ptr<reaper::Process> process_;
};

}  // namespace berth::sim
