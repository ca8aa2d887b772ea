// SPDX-License-Identifier: Apache-2.0
#include "scaler/providers/aws/asg.hpp"

#include <algorithm>
#include <set>

#include "aws/prices.hpp"
#include "base/diagnostics.hpp"

namespace berth::scaler {

namespace {

constexpr std::size_t protected_per_call_max = 50;     // what Auto Scaling takes
constexpr std::size_t activity_pages_max = 5;
constexpr std::size_t foreign_kept_max = 8;
constexpr const char* end_transition = "autoscaling:EC2_INSTANCE_TERMINATING";
constexpr const char* launch_transition = "autoscaling:EC2_INSTANCE_LAUNCHING";

bool waits_in_a_hook(const Member& member) { return member.lifecycle == "Terminating:Wait"; }

}  // namespace

Result<std::unique_ptr<AsgProvider>> AsgProvider::open(const Clock& clock, AwsPolicy policy, aws::Environment environment, const Config& config,
                                                       const std::vector<PoolDefined>& pools, std::function<void(Duration)> pause) {
    auto provider = std::unique_ptr<AsgProvider>(new AsgProvider(clock, std::move(policy), environment, std::move(pause)));
    std::set<std::pair<std::string, std::string>> groups;
    for (const auto& pool : pools) {
        const auto section = "pool." + pool.pool.value + ".template";
        auto made_of = TRY(read_section<GroupTemplate>(config, section));
        if (made_of.group.empty()) {
            made_of.group = environment("ASG_NAME");
            if (!made_of.group.empty()) log_info("aws.seed_name", {{"pool", pool.pool}, {"said", "ASG_NAME became [" + section + "] group = \"" + made_of.group + "\""}});
        }
        if (made_of.group.empty()) return fail(ErrorKind::invalid, "[{}]: group is missing: the name of the Auto Scaling group whose machines are this pool", section);
        if (!made_of.region.empty()) TRY(aws::check_region(made_of.region));
        if (!groups.emplace(made_of.region, made_of.group).second) return fail(ErrorKind::invalid, "[{}]: group {} is another pool's already", section, made_of.group);
        provider->pools_[pool.pool] = Pool{.name = pool.pool, .made_of = std::move(made_of)};
    }
    return provider;
}

// ---- what there is

Provided<AsgProvider::Seen> AsgProvider::see(Pool& pool) {
    if (pool.region.empty()) pool.region = TRY(account_.region_of(pool.made_of.region));
    auto* autoscaling = TRY(account_.autoscaling(pool.region));
    auto* ec2 = TRY(account_.ec2(pool.region));
    std::optional<Group> group;
    const auto done = autoscaling->pages("DescribeAutoScalingGroups", {{"AutoScalingGroupNames.member.1", pool.made_of.group}}, [&](aws::Node page) {
        for (const auto one : aws::list_of(page, "AutoScalingGroups")) {
            if (aws::text_of(one, "AutoScalingGroupName") == pool.made_of.group) group = read_group(one);
        }
    });
    if (!done) return refused(done.error());
    if (!group) {
        return tl::make_unexpected(ProviderError{LaunchFailure::configuration,
                                                 fmt::format("there is no Auto Scaling group '{}' in {} that these credentials see; mend group or region in "
                                                             "[pool.{}.template]", pool.made_of.group, pool.region, pool.name.value)});
    }
    std::vector<std::string> ids;
    for (const auto& member : group->members) ids.push_back(member.instance);
    auto machines = TRY(find_machines(*ec2, ids));
    return Seen{std::move(*group), std::move(machines)};
}

void AsgProvider::note_foreign(Pool& pool) {
    const auto now = account_.clock().now();
    const auto desired = pool.seen.group.desired;
    if (pool.expected && *pool.expected != desired) {
        pool.foreign.emplace_back(now, fmt::format("somebody else set the desired number of group {} from {} to {} (seen at {}); berth leaves it and fights nobody",
                                                   pool.made_of.group, *pool.expected, desired, to_rfc3339(now)));
        log_warn("aws.foreign_change", {{"pool", pool.name}, {"why", pool.foreign.back().second}});
        if (pool.foreign.size() > foreign_kept_max) pool.foreign.erase(pool.foreign.begin());
    }
    std::erase_if(pool.foreign, [&](const auto& entry) { return entry.first + account_.policy().foreign_memory <= now; });
    pool.expected = desired;
}

Provided<void> AsgProvider::look_at(Pool& pool) {
    pool.seen = TRY(see(pool));
    note_foreign(pool);
    auto* autoscaling = TRY(account_.autoscaling(pool.region));
    TRY(read_activities(pool, *autoscaling));
    const auto now = account_.clock().now();
    if (pool.audited_at == Instant{} || pool.audited_at + account_.policy().audit_every <= now) {
        TRY(read_surroundings(pool, *autoscaling));
        pool.audited_at = now;
    }
    TRY(tag_matches(pool));
    pool.spot_prices.renew(*TRY(account_.ec2(pool.region)), pool.seen.machines, now);
    keep_hooks_waiting(pool, *autoscaling);
    // What failed in the group's own records is failed by the core; the group goes on attempts by itself.
    std::erase_if(pool.open, [&](const auto& launch) {
        return launch.deadline <= now || (!pool.troubles.empty() && pool.troubles.back().at >= launch.started_at);
    });
    return {};
}

// Newest first, so reading ends at the first page that is old.
Provided<void> AsgProvider::read_activities(Pool& pool, aws::Client& autoscaling) {
    const auto since = account_.clock().now() - account_.policy().activities_window;
    std::vector<LaunchTrouble> troubles;
    std::string token;
    for (std::size_t page = 0; page < activity_pages_max; ++page) {
        aws::Parameters parameters{{"AutoScalingGroupName", pool.made_of.group}, {"MaxRecords", "100"}};
        if (!token.empty()) parameters.emplace_back("NextToken", token);
        const auto answer = autoscaling.call("DescribeScalingActivities", parameters);
        if (!answer) return refused(answer.error());
        bool old = false;
        for (const auto activity : aws::list_of(answer->result(), "Activities")) {
            old = old || aws::time_of(activity, "StartTime").value_or(Instant{}) < since;
            auto trouble = read_trouble(activity, pool.name);
            if (trouble && trouble->at >= since) troubles.push_back(std::move(*trouble));
        }
        token = aws::text_of(answer->result(), "NextToken");
        if (old || token.empty()) break;
    }
    std::stable_sort(troubles.begin(), troubles.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    pool.troubles = std::move(troubles);
    return {};
}

Provided<void> AsgProvider::read_surroundings(Pool& pool, aws::Client& autoscaling) {
    Surroundings around;
    const aws::Parameters of_group{{"AutoScalingGroupName", pool.made_of.group}};
    const auto hooks = autoscaling.call("DescribeLifecycleHooks", of_group);
    if (!hooks) return refused(hooks.error());
    for (const auto hook : aws::list_of(hooks->result(), "LifecycleHooks")) {
        const auto transition = aws::text_of(hook, "LifecycleTransition");
        if (transition == launch_transition) around.launch_hooks.push_back(aws::text_of(hook, "LifecycleHookName"));
        if (transition == end_transition) around.end_hooks.push_back(aws::text_of(hook, "LifecycleHookName"));
    }
    auto named = [&](const char* what, const char* name) {
        return [&around, what, name](aws::Node page) {
            for (const auto one : aws::list_of(page, what)) around.policies.push_back(aws::text_of(one, name));
        };
    };
    const auto policies = autoscaling.pages("DescribePolicies", of_group, named("ScalingPolicies", "PolicyName"));
    if (!policies) return refused(policies.error());
    const auto schedules = autoscaling.pages("DescribeScheduledActions", of_group, named("ScheduledUpdateGroupActions", "ScheduledActionName"));
    if (!schedules) return refused(schedules.error());
    pool.around = std::move(around);
    return {};
}

// The tag is what the next scaler knows the instance by, so it is written before anybody hears of the match.
Provided<std::map<LaunchId, std::string>> AsgProvider::tag_matches(Pool& pool) {
    if (pool.open.empty()) return std::map<LaunchId, std::string>{};
    auto* ec2 = TRY(account_.ec2(pool.region));
    // A tag whose answer was lost, or that the group's listing is too old to show, is there all the same.
    std::vector<std::string> ids;
    for (const auto& launch : pool.open) ids.push_back(launch.launch.value);
    std::map<LaunchId, std::string> matched;
    for (auto& [instance, machine] : TRY(find_launched(*ec2, ids))) {
        if (state_of(machine.state) == InstanceState::terminated) continue;
        const LaunchId launch{machine.tags.at(tag_launch)};
        matched[launch] = instance;
        std::erase_if(pool.open, [&](const auto& one) { return one.launch == launch; });
        pool.seen.machines.insert_or_assign(instance, std::move(machine));
    }
    const auto fresh = match(pool.open, pool.seen.group, pool.seen.machines, account_.policy().launch_slack);
    for (const auto& [launch, instance] : fresh) {
        TRY(set_tags(*ec2, instance, {{tag_cluster, account_.policy().cluster}, {tag_launch, launch.value}, {tag_pool, pool.name.value}}));
        pool.seen.machines[instance].tags[tag_launch] = launch.value;
        std::erase_if(pool.open, [&](const auto& one) { return one.launch == launch; });
        matched[launch] = instance;
        log_info("aws.matched", {{"launch", launch}, {"instance", instance}, {"group", pool.made_of.group}});
    }
    return matched;
}

// A machine that the group ends waits in its hook while its host drains, as long as the hook may last.
void AsgProvider::keep_hooks_waiting(Pool& pool, aws::Client& autoscaling) {
    const auto now = account_.clock().now();
    std::map<std::string, Instant> beaten;
    for (const auto& member : pool.seen.group.members) {
        if (!waits_in_a_hook(member)) continue;
        auto at = pool.beaten_at.contains(member.instance) ? pool.beaten_at.at(member.instance) : Instant{};
        if (at + account_.policy().heartbeat_every <= now) {
            for (const auto& hook : pool.around.end_hooks) {
                const auto done = autoscaling.call("RecordLifecycleActionHeartbeat", {{"AutoScalingGroupName", pool.made_of.group},
                                                                                      {"LifecycleHookName", hook},
                                                                                      {"InstanceId", member.instance}});
                if (!done) log_warn("aws.heartbeat_failed", {{"instance", member.instance}, {"hook", hook}, {"why", done.error().text}});
            }
            at = now;
        }
        beaten[member.instance] = at;
    }
    pool.beaten_at = std::move(beaten);
}

void AsgProvider::add_to(Listed& listed, const Pool& pool) const {
    auto& [snapshot, report] = listed;
    const auto& [group, machines] = pool.seen;
    for (const auto& member : group.members) {
        if (member.lifecycle.starts_with("Warmed")) continue;      // no host until the group starts it
        Instance instance{.instance = member.instance};
        if (const auto at = machines.find(member.instance); at != machines.end()) {
            const auto& machine = at->second;
            instance = to_instance(machine);
            instance.price = pool.spot_prices.of(machine, pool.region, account_.policy());
        }
        const auto by_ec2 = instance.state;
        instance.state = state_of(member);
        // The group learns late of what was done to a machine behind its back.
        if (instance.state == InstanceState::running && machines.contains(member.instance)) instance.state = by_ec2;
        instance.pool = pool.name;
        instance.protected_from_scale_in = member.protected_from_scale_in || member.lifecycle != "InService";
        if (waits_in_a_hook(member)) {
            instance.state = InstanceState::running;               // it runs, until its hook is completed
            report.advice.push_back({pool.name, fmt::format("group {} is ending {}, not berth: it waits in its hook until the host has drained", group.name, member.instance)});
        }
        snapshot.instances.push_back(std::move(instance));
    }
    report.troubles.insert(report.troubles.end(), pool.troubles.begin(), pool.troubles.end());
    for (auto& text : audit(group, pool.around)) report.advice.push_back({pool.name, std::move(text)});
    for (const auto& [at, text] : pool.foreign) report.advice.push_back({pool.name, text});
}

Provided<Listed> AsgProvider::list() {
    Listed listed(ProviderSnapshot{.provider = "aws-asg", .read_at = account_.clock().now(), .complete = true});
    for (auto& [name, pool] : pools_) {
        TRY(look_at(pool));
        add_to(listed, pool);
    }
    std::stable_sort(listed.report.troubles.begin(), listed.report.troubles.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    return listed;
}

// ---- growth

std::vector<LaunchOutcome> AsgProvider::launch(const std::vector<LaunchStarted>& launches, const PoolDefined& of_pool) {
    std::vector<LaunchOutcome> outcomes;
    const auto all_fail = [&](const ProviderError& error) {
        outcomes.clear();
        for (const auto& launch : launches) outcomes.push_back({launch.launch, {}, error});
        return outcomes;
    };
    const auto at = pools_.find(of_pool.pool);
    if (at == pools_.end()) {
        return all_fail({LaunchFailure::configuration, fmt::format("pool {} is of provider aws-asg in the ledger, but not in this configuration", of_pool.pool.value)});
    }
    auto& pool = at->second;
    auto seen = see(pool);
    if (!seen) return all_fail(seen.error());
    pool.seen = std::move(*seen);
    note_foreign(pool);
    if (std::find(pool.seen.group.suspended.begin(), pool.seen.group.suspended.end(), "Launch") != pool.seen.group.suspended.end()) {
        return all_fail({LaunchFailure::configuration, fmt::format("the Launch process of group {} is suspended; aws autoscaling resume-processes "
                                                                   "--auto-scaling-group-name {} --scaling-processes Launch", pool.made_of.group, pool.made_of.group)});
    }
    std::map<LaunchId, std::string> known;
    for (const auto& [id, machine] : pool.seen.machines) {
        if (const auto tag = machine.tags.find(tag_launch); tag != machine.tags.end()) known[LaunchId{tag->second}] = id;
    }
    const auto is_open = [&](const LaunchId& id) { return std::any_of(pool.open.begin(), pool.open.end(), [&](const auto& one) { return one.launch == id; }); };
    for (const auto& launch : launches) {
        if (!known.contains(launch.launch) && !is_open(launch.launch)) pool.open.push_back({launch.launch, launch.started_at, launch.deadline});
    }
    if (const auto tagged = tag_matches(pool); !tagged) return all_fail(tagged.error());
    else known.insert(tagged->begin(), tagged->end());
    for (auto over = beyond_budget(pool, growth_of(pool.seen.group, pool.open.size()).desired); over > 0 && !pool.open.empty(); --over) {
        outcomes.push_back({pool.open.back().launch, {}, no_budget(pool)});
        pool.open.pop_back();
    }
    std::size_t without_room = 0;
    if (const auto grown = grow(pool, pool.open.size(), without_room); !grown) return all_fail(grown.error());
    // The last ones are those that have no room.
    for (; without_room > 0 && !pool.open.empty(); --without_room) {
        const auto id = pool.open.back().launch;
        pool.open.pop_back();
        outcomes.push_back({id, {}, ProviderError{LaunchFailure::configuration, fmt::format("group {} may have {} machines at most; raise its MaxSize, or lower hosts_max of pool {}",
                                                                                          pool.made_of.group, pool.seen.group.max, pool.name.value)}});
    }
    for (const auto& launch : launches) {
        if (const auto found = known.find(launch.launch); found != known.end()) {
            auto instance = to_instance(pool.seen.machines.at(found->second));
            instance.pool = pool.name;
            outcomes.push_back({launch.launch, std::move(instance), {}});
        } else if (is_open(launch.launch)) {
            outcomes.push_back({launch.launch, {}, {}});
        }
    }
    return outcomes;
}

aws::Microdollars AsgProvider::cost_at(const Pool& pool, std::int64_t desired) const {
    aws::Microdollars sum = 0, newest = 0;
    Instant newest_at;
    for (const auto& member : pool.seen.group.members) {
        const auto at = pool.seen.machines.find(member.instance);
        if (!is_live(member) || at == pool.seen.machines.end()) continue;
        const aws::Microdollars price = pool.spot_prices.of(at->second, pool.region, account_.policy()).microdollars_per_hour;
        sum += price;
        const auto since = at->second.launched_at.value_or(Instant{});
        if (since >= newest_at) newest = price;
        newest_at = std::max(newest_at, since);
    }
    return sum + newest * static_cast<aws::Microdollars>(std::max<std::int64_t>(0, desired - running_of(pool.seen.group)));
}

// What a group's machines cost is known from one of them: so the first one comes alone.
std::size_t AsgProvider::beyond_budget(const Pool& pool, std::int64_t desired) const {
    const auto most = account_.policy().spend_per_hour_max;
    const auto before = pool.seen.group.desired;
    if (most <= 0 || desired <= before) return 0;
    if (pool.seen.machines.empty()) return static_cast<std::size_t>(desired - std::max<std::int64_t>(before, 1));
    aws::Microdollars others = 0;
    for (const auto& [name, other] : pools_) others += &other == &pool ? 0 : cost_at(other, other.seen.group.desired);
    std::size_t over = 0;
    for (; desired > before && static_cast<double>(others + cost_at(pool, desired)) > most * 1e6; --desired) ++over;
    return over;
}

ProviderError AsgProvider::no_budget(const Pool& pool) const {
    aws::Microdollars spent = 0;
    for (const auto& [name, one] : pools_) spent += cost_at(one, one.seen.group.desired);
    return {LaunchFailure::quota, fmt::format("the budget: {} per hour are spent, another machine of group {} costs {}, and [provider.aws] spend_per_hour_max is {}", aws::dollars(spent),
                                              pool.made_of.group, aws::dollars(cost_at(pool, pool.seen.group.desired + 1) - cost_at(pool, pool.seen.group.desired)),
                                              aws::dollars(static_cast<aws::Microdollars>(account_.policy().spend_per_hour_max * 1e6 + 0.5)))};
}

Provided<void> AsgProvider::grow(Pool& pool, std::size_t launches, std::size_t& without_room) {
    const auto growth = growth_of(pool.seen.group, launches);
    without_room = growth.without_room;
    if (launches == 0 || growth.desired == pool.seen.group.desired) return {};
    auto* autoscaling = TRY(account_.autoscaling(pool.region));
    // Its own cooldown would refuse what a person waits for; ours is [scaler] cooldown.
    const auto done = autoscaling->call("SetDesiredCapacity", {{"AutoScalingGroupName", pool.made_of.group},
                                                               {"DesiredCapacity", fmt::format("{}", growth.desired)},
                                                               {"HonorCooldown", "false"}});
    if (!done) return refused(done.error());
    log_info("aws.desired", {{"group", pool.made_of.group}, {"from", pool.seen.group.desired}, {"to", growth.desired}});
    pool.expected = pool.seen.group.desired = growth.desired;
    return {};
}

// ---- the end of one

AsgProvider::Pool* AsgProvider::pool_with(const std::string& instance) {
    for (auto& [name, pool] : pools_) {
        const auto& members = pool.seen.group.members;
        if (std::any_of(members.begin(), members.end(), [&](const auto& member) { return member.instance == instance; })) return &pool;
    }
    return nullptr;
}

Provided<void> AsgProvider::terminate(const std::string& instance, const HostIncarnation&) {
    // Seen anew: what was listed may be seconds old, and a call too many lowers the desired number twice.
    for (auto& [name, pool] : pools_) {
        pool.seen = TRY(see(pool));
        note_foreign(pool);
    }
    auto* pool = pool_with(instance);
    if (pool == nullptr) return {};
    const auto& members = pool->seen.group.members;
    const auto member = std::find_if(members.begin(), members.end(), [&](const auto& one) { return one.instance == instance; });
    auto* autoscaling = TRY(account_.autoscaling(pool->region));
    if (waits_in_a_hook(*member)) {
        if (pool->audited_at == Instant{}) TRY(read_surroundings(*pool, *autoscaling));
        for (const auto& hook : pool->around.end_hooks) {
            const auto done = autoscaling->call("CompleteLifecycleAction", {{"AutoScalingGroupName", pool->made_of.group},
                                                                            {"LifecycleHookName", hook},
                                                                            {"InstanceId", instance},
                                                                            {"LifecycleActionResult", "CONTINUE"}});
            if (!done && done.error().kind != aws::FaultClass::missing) return refused(done.error());
        }
        return {};
    }
    if (state_of(*member) == InstanceState::terminating || state_of(*member) == InstanceState::terminated) return {};
    // Somebody else may have set the number below what runs; then the group starts nothing in this one's place, and
    // has to be asked to leave the number where it is: below MinSize it would refuse.
    const bool at_least = pool->seen.group.desired <= pool->seen.group.min;
    if (at_least && running_of(pool->seen.group) <= pool->seen.group.desired) {
        return tl::make_unexpected(ProviderError{LaunchFailure::configuration, fmt::format("group {} has MinSize {}, so {} cannot be given back; lower it to hosts_min of pool {}",
                                                                                         pool->made_of.group, pool->seen.group.min, instance, pool->name.value)});
    }
    const auto done = autoscaling->call("TerminateInstanceInAutoScalingGroup", {{"InstanceId", instance}, {"ShouldDecrementDesiredCapacity", at_least ? "false" : "true"}},
                                        aws::Repeat::harmful);
    if (!done) {
        pool->expected.reset();                                    // who knows whether it was lowered
        if (done.error().kind == aws::FaultClass::missing) return {};
        return refused(done.error());
    }
    pool->expected = pool->seen.group.desired - (at_least ? 0 : 1);
    log_info("aws.ended", {{"instance", instance}, {"group", pool->made_of.group}});
    return {};
}

// ---- the rest

std::vector<InstanceOutcome> AsgProvider::protect(const std::vector<std::string>& instances, Protection protection) {
    std::map<PoolName, std::vector<std::string>> by_pool;
    std::vector<InstanceOutcome> outcomes;
    for (const auto& one : instances) {
        if (const auto* pool = pool_with(one)) by_pool[pool->name].push_back(one);
    }
    for (auto& [name, all] : by_pool) {
        auto& pool = pools_.at(name);
        auto client = account_.autoscaling(pool.region);
        for (std::size_t at = 0; at < all.size(); at += protected_per_call_max) {
            const std::vector<std::string> part(all.begin() + static_cast<std::ptrdiff_t>(at),
                                                all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), at + protected_per_call_max)));
            std::optional<ProviderError> error;
            if (!client) {
                error = client.error();
            } else {
                aws::Parameters parameters{{"AutoScalingGroupName", pool.made_of.group}, {"ProtectedFromScaleIn", protection == Protection::on ? "true" : "false"}};
                aws::add_list(parameters, "InstanceIds.member", part);
                const auto done = (*client)->call("SetInstanceProtection", parameters);
                if (!done) error = to_provider_error(done.error());
            }
            for (const auto& one : part) outcomes.push_back({one, error});
        }
    }
    return outcomes;
}

std::vector<InstanceOutcome> AsgProvider::start(const std::vector<std::string>& instances) { return by_region("StartInstances", instances); }
std::vector<InstanceOutcome> AsgProvider::stop(const std::vector<std::string>& instances) { return by_region("StopInstances", instances); }

std::vector<InstanceOutcome> AsgProvider::by_region(const char* action, const std::vector<std::string>& instances) {
    std::map<std::string, std::vector<std::string>> regions;
    std::vector<InstanceOutcome> outcomes;
    for (const auto& one : instances) {
        if (const auto* pool = pool_with(one)) regions[pool->region].push_back(one);
        else outcomes.push_back({one, ProviderError{LaunchFailure::configuration, fmt::format("no group of ours has {}", one)}});
    }
    for (const auto& [region, all] : regions) {
        const auto client = account_.ec2(region);
        if (client) {
            for (auto& outcome : start_or_stop(**client, action, all)) outcomes.push_back(std::move(outcome));
        } else {
            for (const auto& one : all) outcomes.push_back({one, client.error()});
        }
    }
    return outcomes;
}

}  // namespace berth::scaler
