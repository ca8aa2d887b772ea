// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_scaler.hpp"

#include <fmt/format.h>

#include "scaler/turn.hpp"

namespace berth::sim {

class SimScaler::Calls final : public scaler::ProviderCalls {
public:
    Calls(SimScaler& scaler, SimLoop& loop, Handlers handlers) : scaler_(scaler), loop_(loop), handlers_(std::move(handlers)) {}

    void call(scaler::Call wanted) override {
        if (scaler_.dies()) return;
        const auto* end = std::get_if<scaler::TerminateCall>(&wanted.body);
        if (end && !scaler_.permitted_.contains(end->instance)) {
            scaler_.wrong(fmt::format("I16: {} is ended without a check of its permit right before", end->instance));
        }
        scaler_.provider_.call(wanted, [loop = loop_, heard = handlers_.on_answer](const scaler::CallAnswered& answered) mutable {
            loop.deliver([heard, answered] { heard(answered); });
        });
    }
    void list() override {
        if (scaler_.dies()) return;
        scaler_.provider_.list([loop = loop_, heard = handlers_.on_listing](ProviderSnapshot snapshot) mutable {
            loop.deliver([heard, snapshot = std::move(snapshot)] { heard(snapshot); });
        });
    }
    Duration busy_for() const override { return Duration{0}; }
    bool stop(Duration) override { return true; }

private:
    SimScaler& scaler_;
    SimLoop& loop_;
    Handlers handlers_;
};

SimScaler::SimScaler(World& world, Truth& truth, SimProvider& provider, scaler::Policy policy)
    : SimProcess(world, {.process = "scaler", .address = "scaler", .role = "scaler", .crash = &Faults::crash_watcher, .down_most = Duration{3'000}}),
      truth_(truth), provider_(provider), policy_(std::move(policy)) {}

Result<void> SimScaler::open(SimLoop& loop, SimBus& bus) {
    note_permits(loop, bus);
    const scaler::Providers providers{{"sim", [this, &loop](scaler::ProviderCalls::Handlers handlers) {
                                           return std::make_unique<Calls>(*this, loop, std::move(handlers));
                                       }}};
    process_ = std::make_unique<scaler::Process>(loop, bus, policy_, world().stream(fmt::format("scaler {}", ++lives_)), providers);
    if (world().encoding == Encoding::real) loop.every(policy_.tick, [this] { check_levels(); });
    return {};
}

// I31: what it counts from fact to fact is what there is.
void SimScaler::check_levels() {
    auto counted = process_->state();
    auto anew = counted;
    scaler::recount_all(anew);
    const auto now = loop().now();
    if (scaler::count_levels(counted, now) != scaler::count_levels(anew, now)) wrong("I31: the scaler's levels are not what a new count gives");
}

// The allocator's word that a permit is still good, or that nobody accounts for an orphan, holds for the round
// in which it is heard.
void SimScaler::note_permits(SimLoop& loop, SimBus& bus) {
    loop.on_round([this] { permitted_.clear(); });
    bus.on_answer = [this](const Letter& request, const Result<Letter>& outcome) {
        if (outcome && request.name == request_name<PermitCheckRequest>) permitted_.insert(request.as<PermitCheckRequest>().permit.host.host.value);
        if (outcome && request.name == request_name<CondemnRequest>) permitted_.insert(request.as<CondemnRequest>().instance);
    };
}

void SimScaler::wrong(const std::string& text) {
    if (truth_.wrong.empty()) truth_.wrong = text;
}

}  // namespace berth::sim
