// SPDX-License-Identifier: Apache-2.0
// Twin of a cloud: launches that fail, that work though the answer says no, that boot slowly or
// never; listings that are late or partial; instances that end by themselves. It goes on whatever
// becomes of its callers.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "scaler/step.hpp"
#include "tests/sim/truth.hpp"
#include "tests/sim/world.hpp"

namespace berth::sim {

struct Machine {
    HostId host;
    HostIncarnation incarnation;
    std::optional<LaunchId> launch;
    Instant launched_at;
};

class SimProvider {
public:
    using OnListing = std::function<void(ProviderSnapshot)>;
    using OnAnswer = std::function<void(const scaler::CallAnswered&)>;

    SimProvider(World& world, Truth& truth);

    /// A machine has booted; a machine ends.
    std::function<void(const Machine&)> on_boot;
    std::function<void(const Machine&)> on_end;

    void list(OnListing done);
    void call(const scaler::Call& wanted, OnAnswer done);

    /// A machine that is there from the beginning, or again under its old name.
    void adopt(const HostId& host, const HostIncarnation& incarnation);
    /// It ended by itself: listed as terminated for a while, or missing at once.
    void ended(const HostId& host, const HostIncarnation& incarnation);
    const std::map<std::string, Instance>& instances() const { return instances_; }
    std::string next_name() { return "h-" + std::to_string(++last_name_); }

private:
    void launch(scaler::CallId id, const scaler::LaunchCall& wanted, const OnAnswer& done);
    scaler::LaunchOutcome launch_one(const LaunchId& launch, const PoolDefined& pool);
    void terminate(scaler::CallId id, const scaler::TerminateCall& wanted, const OnAnswer& done);
    void answer(const OnAnswer& done, scaler::CallAnswered answered);
    void boot(const std::string& instance);
    void forget_later(const std::string& instance, const HostIncarnation& incarnation);

    World& world_;
    Truth& truth_;
    Rng rng_;
    std::map<std::string, Instance> instances_;
    std::map<LaunchId, std::string> by_token_;
    std::deque<std::pair<Instant, std::vector<Instance>>> past_;   // for stale listings
    std::uint64_t last_name_ = 0;
};

}  // namespace berth::sim
