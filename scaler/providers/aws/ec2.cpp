// SPDX-License-Identifier: Apache-2.0
#include "scaler/providers/aws/ec2.hpp"

#include <algorithm>

#include "aws/prices.hpp"
#include "base/diagnostics.hpp"
#include "os/files.hpp"

namespace berth::scaler {

namespace {

constexpr const char* tag_kind = "berth:kind";
constexpr const char* kind_host = "host";
constexpr std::size_t cluster_chars_max = 20;          // of a launch's token, which may have 64
constexpr std::size_t troubles_max = 50;
constexpr std::size_t user_data_bytes_max = 16 * 1024; // what EC2 takes
constexpr Duration image_memory{86'400'000};

template <class T>
Provided<T> provided(aws::Called<T> called) {
    if (!called) return refused(called.error());
    return std::move(*called);
}

bool is_over(const Machine& machine) { return machine.state == "terminated" || machine.state == "shutting-down"; }

}  // namespace

Result<std::unique_ptr<Ec2Provider>> Ec2Provider::open(const Clock& clock, AwsPolicy policy, aws::Environment environment, const Config& config,
                                                       const std::vector<PoolDefined>& pools, std::function<void(Duration)> pause) {
    if (policy.cluster == AwsPolicy{}.cluster || policy.cluster.empty() || policy.cluster.size() > cluster_chars_max) {
        return fail(ErrorKind::invalid, "[provider.aws] cluster: pools of aws-ec2 need a mark of this berth's own, of at most {} characters, as cluster = \"berth-of-ada\": "
                                        "what bears the mark and is not in the ledger is ended as an orphan", cluster_chars_max);
    }
    TRY(aws::check_prices(policy.prices));
    auto provider = std::unique_ptr<Ec2Provider>(new Ec2Provider(clock, std::move(policy), std::move(environment), std::move(pause)));
    for (const auto& pool : pools) {
        const auto section = "pool." + pool.pool.value + ".template";
        auto& made = provider->pools_[pool.pool];
        made = Pool{.name = pool.pool, .made_of = TRY(read_section<MachineTemplate>(config, section))};
        if (made.made_of.image.empty()) return fail(ErrorKind::invalid, "[{}]: image is missing: \"ami-…\", or an owner and a name with '*'", section);
        if (made.made_of.instance_types.empty()) return fail(ErrorKind::invalid, "[{}]: instance_types is empty", section);
        if (!made.made_of.user_data.empty()) made.user_data = TRY(os::read_file(made.made_of.user_data, user_data_bytes_max));
        if (made.made_of.public_key.empty()) continue;
        const auto key = TRY(os::read_file(made.made_of.public_key));
        made.key = TRY(aws::read_public_key(key, made.made_of.public_key));
    }
    return provider;
}

Provided<aws::Client*> Ec2Provider::ec2() {
    if (region_.empty()) region_ = TRY(account_.region_of(""));
    return account_.ec2(region_);
}

// ---- what there is

Provided<std::map<std::string, Machine>> Ec2Provider::look() {
    auto& cloud = *TRY(ec2());
    aws::Parameters ours{{"Filter.1.Name", std::string{"tag:"} + tag_cluster}, {"Filter.1.Value.1", account_.policy().cluster},
                         {"Filter.2.Name", std::string{"tag:"} + tag_kind}, {"Filter.2.Value.1", kind_host}};
    auto machines = TRY(provided(aws::describe(cloud, std::move(ours))));
    TRY(give_marks_back(cloud, machines));
    spot_prices_.renew(cloud, machines, account_.clock().now());
    seen_ = machines;
    return machines;
}

// What was ours a moment ago and is not listed as ours now either is gone, or lost its marks: then nobody would ever end it.
Provided<void> Ec2Provider::give_marks_back(aws::Client& cloud, std::map<std::string, Machine>& machines) {
    std::vector<std::string> missing;
    for (const auto& [id, machine] : seen_) {
        if (!machines.contains(id) && !is_over(machine)) missing.push_back(id);
    }
    if (missing.empty()) return {};
    for (auto& [id, machine] : TRY(find_machines(cloud, missing))) {
        machine.tags = seen_.at(id).tags;
        if (!is_over(machine)) {
            TRY(set_tags(cloud, id, machine.tags));
            restored_[id] = account_.clock().now();
            log_warn("aws.marks_restored", {{"instance", id}, {"why", "somebody took its tags away; it is of this berth"}});
        }
        machines.insert_or_assign(id, std::move(machine));
    }
    return {};
}

std::optional<HostPrice> Ec2Provider::price(const Machine& machine) const {
    return spot_prices_.of(machine, region_, account_.policy());
}

Instance Ec2Provider::shown(const Machine& machine) const {
    auto instance = to_instance(machine);
    instance.pool = PoolName{machine.tag(tag_pool)};
    instance.protected_from_scale_in = true;
    instance.price = price(machine);
    if (!machine.state_reason.empty()) instance.notice = machine.state_reason;
    return instance;
}

Provided<Listed> Ec2Provider::list() {
    const auto now = account_.clock().now();
    Listed listed(ProviderSnapshot{.provider = "aws-ec2", .read_at = now, .complete = true});
    for (const auto& [id, machine] : TRY(look())) {
        auto instance = shown(machine);
        const auto pool = pools_.find(instance.pool);
        if (pool != pools_.end() && !is_over(machine)) {
            const auto& types = pool->second.made_of.instance_types;
            if (std::find(types.begin(), types.end(), machine.type) == types.end()) {
                listed.report.advice.push_back({instance.pool, fmt::format("{} is a {}, which [pool.{}.template] instance_types does not name: somebody changed one of the two", id, machine.type, instance.pool.value)});
            }
        }
        listed.snapshot.instances.push_back(std::move(instance));
    }
    std::erase_if(restored_, [&](const auto& entry) { return entry.second + account_.policy().foreign_memory <= now; });
    for (const auto& [id, at] : restored_) {
        const PoolName pool{seen_.contains(id) ? seen_.at(id).tag(tag_pool) : ""};
        listed.report.advice.push_back({pool, fmt::format("somebody took the tags of {} away (seen at {}); berth put them back, since it ends nothing that it does not know", id, to_rfc3339(at))});
    }
    for (auto& [name, pool] : pools_) {
        std::erase_if(pool.troubles, [&](const auto& trouble) { return trouble.at + account_.policy().activities_window <= now; });
        listed.report.troubles.insert(listed.report.troubles.end(), pool.troubles.begin(), pool.troubles.end());
    }
    std::stable_sort(listed.report.troubles.begin(), listed.report.troubles.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    return listed;
}

// ---- growth

Provided<void> Ec2Provider::find_recipes(Pool& pool) {
    const auto now = account_.clock().now();
    if (!pool.recipes.empty() && pool.recipes_at + image_memory > now) return {};
    auto& cloud = *TRY(ec2());
    const auto& made_of = pool.made_of;
    aws::Recipe common{.subnet = made_of.subnet, .user_data = pool.user_data, .role = made_of.role, .spot = made_of.spot, .spot_price_max = made_of.spot_price_max,
                       .encrypted = made_of.encrypt_volume, .encryption_key = made_of.encryption_key, .volume_gib = made_of.volume_gib};
    for (const auto& group : made_of.security_groups) common.security_groups.push_back(TRY(provided(aws::find_security_group(cloud, group))));
    if (pool.key) common.key = TRY(provided(aws::keep_key_pair(cloud, account_.policy().cluster, *pool.key)));
    std::vector<aws::Recipe> recipes;
    for (const auto& type : made_of.instance_types) {
        const auto architectures = TRY(provided(aws::check_type(cloud, type, "")));
        const auto image = TRY(provided(aws::find_image(cloud, made_of.image, architectures)));
        auto recipe = common;
        recipe.type = type;
        recipe.image = image.id;
        recipe.root_device = image.root_device;
        if (recipe.volume_gib == 0 && recipe.encrypted) recipe.volume_gib = image.root_gib;
        for (const auto& zone : made_of.zones) {
            recipe.zone = zone;
            recipes.push_back(recipe);
        }
        if (made_of.zones.empty()) recipes.push_back(std::move(recipe));
    }
    pool.recipes = std::move(recipes);
    pool.recipes_at = now;
    return {};
}

std::optional<ProviderError> Ec2Provider::over_budget(const Pool& pool) const {
    const auto most = account_.policy().spend_per_hour_max;
    if (most <= 0) return std::nullopt;
    std::uint64_t spent = 0;
    for (const auto& [id, machine] : seen_) {
        if (machine.state == "running" || machine.state == "pending") spent += spot_prices_.of(machine, region_, account_.policy()).microdollars_per_hour;
    }
    const auto& type = pool.recipes.front().type;
    const auto price = aws::price_of(region_, type, account_.policy().prices);
    if (!price) return ProviderError{LaunchFailure::quota, fmt::format("nobody knows what a {} costs, and spend_per_hour_max is set: say its price in [provider.aws] prices", type)};
    if (static_cast<double>(spent + *price) <= most * 1e6) return std::nullopt;
    return ProviderError{LaunchFailure::quota, fmt::format("the budget: {} per hour are spent, a {} costs {}, and [provider.aws] spend_per_hour_max is {}", aws::dollars(spent), type,
                                                           aws::dollars(*price), aws::dollars(static_cast<aws::Microdollars>(most * 1e6 + 0.5)))};
}

// The next type or zone only where the one before was refused for certain: a lost answer may have been a machine.
LaunchOutcome Ec2Provider::launch_one(aws::Client& cloud, Pool& pool, const LaunchStarted& launch) {
    if (auto error = over_budget(pool)) return {launch.launch, {}, std::move(error)};
    const auto token = fmt::format("{}-{}-{}", account_.policy().cluster, launch.launch.value, launch.started_at.time_since_epoch().count());
    ProviderError last{LaunchFailure::capacity, "no type and no zone to try"};
    for (std::size_t at = 0; at < pool.recipes.size(); ++at) {
        auto recipe = pool.recipes[at];
        recipe.token = at == 0 ? token : fmt::format("{}-{}", token, at);
        recipe.tags = {{tag_cluster, account_.policy().cluster}, {tag_kind, kind_host}, {tag_launch, launch.launch.value}, {tag_pool, pool.name.value},
                       {"Name", fmt::format("{}-{}", account_.policy().cluster, pool.name.value)}};
        auto made = aws::launch_or_fall_back(cloud, recipe);
        if (made) {
            if (!made->why_not_spot.empty()) log_info("aws.no_spot", {{"launch", launch.launch}, {"why", made->why_not_spot}});
            auto& machine = seen_[made->machine.id];
            machine = std::move(made->machine);
            machine.tags.insert(recipe.tags.begin(), recipe.tags.end());
            return {launch.launch, shown(machine), {}};
        }
        if (made.error().code == "IdempotentParameterMismatch") {      // an earlier call of it went through, with other words
            return {launch.launch, {}, ProviderError{LaunchFailure::lost, fmt::format("launch {} was called for before with another template; a listing names its machine", launch.launch.value)}};
        }
        last = to_provider_error(made.error());
        pool.troubles.push_back({.pool = pool.name, .at = account_.clock().now(), .failure = last.failure, .text = last.text, .machine_type = recipe.type, .zone = recipe.zone});
        if (pool.troubles.size() > troubles_max) pool.troubles.erase(pool.troubles.begin());
        const bool elsewhere = last.failure == LaunchFailure::capacity || last.failure == LaunchFailure::quota;
        if (!elsewhere || made.error().perhaps_done) break;
    }
    return {launch.launch, {}, std::move(last)};
}

std::vector<LaunchOutcome> Ec2Provider::launch(const std::vector<LaunchStarted>& launches, const PoolDefined& of_pool) {
    std::vector<LaunchOutcome> outcomes;
    const auto all_fail = [&](const ProviderError& error) {
        outcomes.clear();
        for (const auto& launch : launches) outcomes.push_back({launch.launch, {}, error});
        return outcomes;
    };
    const auto at = pools_.find(of_pool.pool);
    if (at == pools_.end()) {
        return all_fail({LaunchFailure::configuration, fmt::format("pool {} is of provider aws-ec2 in the ledger, but not in this configuration", of_pool.pool.value)});
    }
    const auto machines = look();
    if (!machines) return all_fail(machines.error());
    if (const auto ready = find_recipes(at->second); !ready) return all_fail(ready.error());
    const auto cloud = ec2();
    if (!cloud) return all_fail(cloud.error());
    for (const auto& launch : launches) {
        const auto known = std::find_if(machines->begin(), machines->end(), [&](const auto& entry) { return entry.second.tag(tag_launch) == launch.launch.value && !is_over(entry.second); });
        if (known != machines->end()) outcomes.push_back({launch.launch, shown(known->second), {}});
        else outcomes.push_back(launch_one(**cloud, at->second, launch));
    }
    return outcomes;
}

// ---- the end of one

Provided<void> Ec2Provider::terminate(const std::string& instance, const HostIncarnation&) {
    // Seen anew, and only by our marks: whatever else bears that id is not ours to end. EC2 gives no id twice.
    const auto machines = TRY(look());
    const auto at = machines.find(instance);
    if (at == machines.end() || is_over(at->second)) return {};
    auto& cloud = *TRY(ec2());
    const auto done = aws::change_state(cloud, "TerminateInstances", {instance});
    if (!done && done.error().kind != aws::FaultClass::missing) return refused(done.error());
    return {};
}

std::vector<InstanceOutcome> Ec2Provider::protect(const std::vector<std::string>& instances, Protection) {
    std::vector<InstanceOutcome> outcomes;
    for (const auto& instance : instances) outcomes.push_back({instance, {}});
    return outcomes;
}

std::vector<InstanceOutcome> Ec2Provider::change(const char* action, const std::vector<std::string>& instances) {
    const auto cloud = ec2();
    if (cloud) return start_or_stop(**cloud, action, instances);
    std::vector<InstanceOutcome> outcomes;
    for (const auto& instance : instances) outcomes.push_back({instance, cloud.error()});
    return outcomes;
}

}  // namespace berth::scaler
