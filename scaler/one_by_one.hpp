// SPDX-License-Identifier: Apache-2.0
// A provider that makes and protects its hosts one at a time, and cannot stop one without ending it.
#pragma once

#include <string>
#include <vector>

#include "scaler/provider.hpp"

namespace berth::scaler {

class OneByOne : public Provider {
public:
    std::vector<LaunchOutcome> launch(const std::vector<LaunchStarted>& launches, const PoolDefined& pool) final {
        std::vector<LaunchOutcome> outcomes;
        for (const auto& [launch, of_pool, started_at, deadline] : launches) {
            auto made = launch_one(launch, pool);
            outcomes.push_back(made ? LaunchOutcome{launch, std::move(*made), {}} : LaunchOutcome{launch, {}, std::move(made.error())});
        }
        return outcomes;
    }
    std::vector<InstanceOutcome> protect(const std::vector<std::string>& instances, Protection protection) final {
        return each(instances, [&](const std::string& name) { return protect_one(name, protection); });
    }
    std::vector<InstanceOutcome> start(const std::vector<std::string>& instances) final { return each(instances, never_stopped); }
    std::vector<InstanceOutcome> stop(const std::vector<std::string>& instances) final { return each(instances, never_stopped); }

protected:
    virtual Provided<Instance> launch_one(const LaunchId& launch, const PoolDefined& pool) = 0;
    virtual Provided<void> protect_one(const std::string& instance, Protection protection) = 0;

private:
    static Provided<void> never_stopped(const std::string& instance) {
        return tl::make_unexpected(ProviderError{LaunchFailure::configuration, "this provider can only end " + instance + ", not stop or start it"});
    }
    template <class Act>
    static std::vector<InstanceOutcome> each(const std::vector<std::string>& instances, Act act) {
        std::vector<InstanceOutcome> outcomes;
        for (const auto& name : instances) {
            auto done = act(name);
            outcomes.push_back(done ? InstanceOutcome{name, {}} : InstanceOutcome{name, std::move(done.error())});
        }
        return outcomes;
    }
};

}  // namespace berth::scaler
