// SPDX-License-Identifier: Apache-2.0
// Hosts of Auto Scaling groups, one group per pool. The group launches; we raise its desired number, know by a tag
// which instance is of which launch, protect what is there, and end one named instance at a time (I18):
//
//   launch: open ──► desired raised ──► the group brings an instance ──► *tagged berth:launch
//             │            └─► a failed activity ─► *trouble, in the listing
//             └─► *no room below the group's maximum
//   end:    TerminateInstanceInAutoScalingGroup with decrement; of one that the group is ending itself and that waits in
//           a hook, CompleteLifecycleAction
//
// Nothing is kept but in the group and its tags: launches that are open are called for again by the next scaler.
// A group that is not found is no empty one: the listing fails, so that nobody takes its hosts for gone.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aws/prices.hpp"
#include "base/config.hpp"
#include "events/pools_config.hpp"
#include "scaler/provider.hpp"
#include "scaler/providers/aws/group.hpp"
#include "scaler/providers/aws/spot_prices.hpp"

namespace berth::scaler {

class AsgProvider final : public Provider {
public:
    /// The pools of that provider, with their templates.
    static Result<std::unique_ptr<AsgProvider>> open(const Clock& clock, AwsPolicy policy, aws::Environment environment, const Config& config,
                                                     const std::vector<PoolDefined>& pools, std::function<void(Duration)> pause = {});

    Provided<Listed> list() override;
    std::vector<LaunchOutcome> launch(const std::vector<LaunchStarted>& launches, const PoolDefined& pool) override;
    Provided<void> terminate(const std::string& instance, const HostIncarnation& incarnation) override;
    std::vector<InstanceOutcome> protect(const std::vector<std::string>& instances, Protection protection) override;
    std::vector<InstanceOutcome> start(const std::vector<std::string>& instances) override;
    std::vector<InstanceOutcome> stop(const std::vector<std::string>& instances) override;

private:
    struct Seen {                         // of one group, at one moment
        Group group;
        std::map<std::string, Machine> machines;
    };
    struct Pool {
        PoolName name;
        GroupTemplate made_of;
        std::string region;
        std::vector<OpenLaunch> open;
        Seen seen;                        // last
        std::optional<std::int64_t> expected;   // the desired number, by what we did and saw
        std::vector<std::pair<Instant, std::string>> foreign;
        Surroundings around;
        Instant audited_at;
        std::map<std::string, Instant> beaten_at;   // hooks' heartbeats, by instance
        std::vector<LaunchTrouble> troubles;
        SpotPrices spot_prices;
    };
    AsgProvider(const Clock& clock, AwsPolicy policy, aws::Environment environment, std::function<void(Duration)> pause)
        : account_(clock, std::move(policy), std::move(environment), std::move(pause)) {}

    Provided<Seen> see(Pool& pool);
    Provided<void> look_at(Pool& pool);
    Provided<void> read_activities(Pool& pool, aws::Client& autoscaling);
    Provided<void> read_surroundings(Pool& pool, aws::Client& autoscaling);
    Provided<std::map<LaunchId, std::string>> tag_matches(Pool& pool);
    void note_foreign(Pool& pool);
    void keep_hooks_waiting(Pool& pool, aws::Client& autoscaling);
    void add_to(Listed& listed, const Pool& pool) const;
    /// Per hour, at that desired number; what is still to come costs as much as the newest that is there.
    aws::Microdollars cost_at(const Pool& pool, std::int64_t desired) const;
    std::size_t beyond_budget(const Pool& pool, std::int64_t desired) const;
    ProviderError no_budget(const Pool& pool) const;
    Provided<void> grow(Pool& pool, std::size_t launches, std::size_t& without_room);
    Pool* pool_with(const std::string& instance);
    std::vector<InstanceOutcome> by_region(const char* action, const std::vector<std::string>& instances);

    AwsAccount account_;
    std::map<PoolName, Pool> pools_;
};

}  // namespace berth::scaler
