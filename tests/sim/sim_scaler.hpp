// SPDX-License-Identifier: Apache-2.0
// The real scaler in the world, in front of the simulated provider; and what the rules want to know of it:
// that its levels are what a new count gives (I31), that nothing is ended without a permit checked in the
// same round (I16).
#pragma once

#include <memory>
#include <set>
#include <string>

#include "scaler/process.hpp"
#include "tests/sim/sim_process.hpp"
#include "tests/sim/sim_provider.hpp"

namespace berth::sim {

class SimScaler final : public SimProcess {
public:
    SimScaler(World& world, Truth& truth, SimProvider& provider, scaler::Policy policy);

private:
    class Calls;                          // the provider's face to one life

    Result<void> open(SimLoop& loop, SimBus& bus) override;
    void close() override { process_.reset(); }
    const std::optional<Error>& failure() const override { return process_->failure(); }
    void check_levels();
    void note_permits(SimLoop& loop, SimBus& bus);
    void wrong(const std::string& text);

    Truth& truth_;
    SimProvider& provider_;
    scaler::Policy policy_;
    std::set<std::string> permitted_;     // hosts and instances that may be ended in this round
    std::uint64_t lives_ = 0;
    std::unique_ptr<scaler::Process> process_;
};

}  // namespace berth::sim
