// SPDX-License-Identifier: Apache-2.0
// Hosts of EC2 without a group: each launch is one RunInstances whose token is the launch's, each end one TerminateInstances
// by id. What is ours is marked from its first moment (berth:cluster, berth:kind, berth:pool, berth:launch), and nothing
// else is known of it anywhere, so that the next scaler sees the same.
//
//   launch: by its tag, if it is there ─► *the same      else type by type, zone by zone ──► *launched
//                                                            └─► *no capacity anywhere, quota, permission, over the budget
//
// A machine whose marks somebody took away gets them back, as long as this process has seen it before.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aws/surroundings.hpp"
#include "base/config.hpp"
#include "events/pools_config.hpp"
#include "scaler/provider.hpp"
#include "scaler/providers/aws/machines.hpp"
#include "scaler/providers/aws/spot_prices.hpp"

namespace berth::scaler {

class Ec2Provider final : public Provider {
public:
    /// The pools of that provider, with their templates.
    static Result<std::unique_ptr<Ec2Provider>> open(const Clock& clock, AwsPolicy policy, aws::Environment environment, const Config& config,
                                                     const std::vector<PoolDefined>& pools, std::function<void(Duration)> pause = {});

    Provided<Listed> list() override;
    std::vector<LaunchOutcome> launch(const std::vector<LaunchStarted>& launches, const PoolDefined& pool) override;
    Provided<void> terminate(const std::string& instance, const HostIncarnation& incarnation) override;
    /// Nobody but us scales these in.
    std::vector<InstanceOutcome> protect(const std::vector<std::string>& instances, Protection protection) override;
    std::vector<InstanceOutcome> start(const std::vector<std::string>& instances) override { return change("StartInstances", instances); }
    std::vector<InstanceOutcome> stop(const std::vector<std::string>& instances) override { return change("StopInstances", instances); }

    /// Every IAM action that was used.
    std::vector<std::string> actions() const { return account_.actions(); }

private:
    struct Pool {
        PoolName name;
        MachineTemplate made_of;
        std::string user_data;                  // the file's content
        std::optional<aws::PublicKey> key;
        std::vector<aws::Recipe> recipes;       // in the order of types and zones; looked up at the first launch …
        Instant recipes_at;                     // … and again from time to time: there are newer images
        std::vector<LaunchTrouble> troubles;
    };
    Ec2Provider(const Clock& clock, AwsPolicy policy, aws::Environment environment, std::function<void(Duration)> pause)
        : account_(clock, std::move(policy), std::move(environment), std::move(pause)) {}

    Provided<aws::Client*> ec2();
    Provided<std::map<std::string, Machine>> look();
    Provided<void> give_marks_back(aws::Client& cloud, std::map<std::string, Machine>& machines);
    Provided<void> find_recipes(Pool& pool);
    LaunchOutcome launch_one(aws::Client& cloud, Pool& pool, const LaunchStarted& launch);
    std::optional<ProviderError> over_budget(const Pool& pool) const;
    Instance shown(const Machine& machine) const;
    std::optional<HostPrice> price(const Machine& machine) const;
    std::vector<InstanceOutcome> change(const char* action, const std::vector<std::string>& instances);

    AwsAccount account_;
    std::string region_;
    std::map<PoolName, Pool> pools_;
    std::map<std::string, Machine> seen_;       // last
    SpotPrices spot_prices_;
    std::map<std::string, Instant> restored_;   // machines whose marks were put back
};

}  // namespace berth::scaler
