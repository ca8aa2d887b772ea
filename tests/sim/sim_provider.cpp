// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_provider.hpp"

#include <fmt/format.h>

namespace berth::sim {

namespace {

constexpr Duration call_least{20};
constexpr Duration call_most{800};
constexpr Duration boot_usual{1'500};
constexpr Duration boot_slow_most{40'000};
constexpr Duration listed_after_end{15'000};
constexpr Duration stale_most{8'000};
const std::string process = "scaler";     // whose thread waits for the answers

}  // namespace

SimProvider::SimProvider(World& world, Truth& truth) : world_(world), truth_(truth), rng_(world.stream("provider")) {}

void SimProvider::adopt(const HostId& host, const HostIncarnation& incarnation) {
    instances_[host.value] = Instance{.instance = host.value, .incarnation = incarnation, .pool = {"default"},
                                      .state = InstanceState::running, .launched_at = world_.now};
    on_boot({host, incarnation, std::nullopt, world_.now});
}

void SimProvider::ended(const HostId& host, const HostIncarnation& incarnation) {
    const auto at = instances_.find(host.value);
    if (at == instances_.end() || at->second.incarnation != incarnation) return;
    if (rng_.chance(0.3)) {
        instances_.erase(at);
    } else {
        at->second.state = InstanceState::terminated;
        forget_later(host.value, incarnation);
    }
}

void SimProvider::forget_later(const std::string& instance, const HostIncarnation& incarnation) {
    world_.after({}, listed_after_end, [this, instance, incarnation] {
        const auto at = instances_.find(instance);
        if (at != instances_.end() && at->second.incarnation == incarnation) instances_.erase(at);
    });
}

// ---- listings

void SimProvider::list(OnListing done) {
    ProviderSnapshot snapshot{.provider = "sim", .read_at = world_.now_of(process), .complete = true};
    snapshot.instances.reserve(instances_.size());
    for (const auto& [name, instance] : instances_) snapshot.instances.push_back(instance);
    if (world_.faults.listing_stale > 0) past_.emplace_back(world_.now, snapshot.instances);
    while (!past_.empty() && past_.front().first + stale_most < world_.now) past_.pop_front();
    if (world_.strikes(world_.faults.listing_stale, "listing_stale")) snapshot.instances = past_[world_.pick(past_.size())].second;
    if (world_.strikes(world_.faults.listing_partial, "listing_partial")) {
        snapshot.complete = false;
        snapshot.instances.resize(world_.pick(snapshot.instances.size() + 1));
    }
    world_.after(process, world_.pick(call_least, call_most),
                 [done = std::move(done), snapshot = std::move(snapshot)]() mutable { done(std::move(snapshot)); });
}

// ---- calls

void SimProvider::answer(const OnAnswer& done, scaler::CallAnswered answered) {
    if (!answered.error && world_.strikes(world_.faults.answer_lost, "answer_lost")) {
        answered.launched.clear();
        answered.instances.clear();
        answered.error = scaler::ProviderError{LaunchFailure::lost, "the connection was lost"};
    }
    world_.after(process, world_.pick(call_least, call_most), [done, answered] { done(answered); });
}

void SimProvider::call(const scaler::Call& wanted, OnAnswer done) {
    if (const auto* launching = std::get_if<scaler::LaunchCall>(&wanted.body)) return launch(wanted.id, *launching, done);
    if (const auto* ending = std::get_if<scaler::TerminateCall>(&wanted.body)) return terminate(wanted.id, *ending, done);
    scaler::CallAnswered answered{.call = wanted.id};
    if (const auto* protect = std::get_if<scaler::ProtectCall>(&wanted.body)) {
        for (const auto& name : protect->instances) {
            const auto at = instances_.find(name);
            if (at != instances_.end()) at->second.protected_from_scale_in = protect->protection == scaler::Protection::on;
            answered.instances.push_back({name, {}});
        }
    } else {
        for (const auto& name : std::get<scaler::StartCall>(wanted.body).instances) answered.instances.push_back({name, {}});
    }
    answer(done, std::move(answered));
}

// Each of them has an outcome of its own.
void SimProvider::launch(scaler::CallId id, const scaler::LaunchCall& wanted, const OnAnswer& done) {
    scaler::CallAnswered answered{.call = id};
    for (const auto& launch : wanted.launches) answered.launched.push_back(launch_one(launch.launch, wanted.pool));
    answer(done, std::move(answered));
}

scaler::LaunchOutcome SimProvider::launch_one(const LaunchId& launch, const PoolDefined& pool) {
    if (const auto known = by_token_.find(launch); known != by_token_.end()) {
        const auto at = instances_.find(known->second);
        if (at == instances_.end()) return {launch, {}, scaler::ProviderError{LaunchFailure::lost, "it ended"}};
        return {launch, at->second, {}};      // the same token: the same instance
    }
    if (world_.strikes(world_.faults.launch_fails, "launch_fails")) {
        constexpr std::array kinds{LaunchFailure::quota, LaunchFailure::capacity, LaunchFailure::throttle, LaunchFailure::permission};
        return {launch, {}, scaler::ProviderError{kinds[world_.pick(kinds.size())], "the cloud says no"}};
    }
    const auto name = next_name();
    instances_[name] = Instance{.instance = name, .incarnation = {"i1"}, .launch = launch, .pool = pool.pool,
                                .state = InstanceState::pending, .launched_at = world_.now, .protected_from_scale_in = true};
    by_token_[launch] = name;
    truth_.launched.insert(launch);
    auto time = boot_usual + Duration{static_cast<std::int64_t>(rng_.below(2'000))};
    bool boots = true;
    if (world_.strikes(world_.faults.boot_slow, "boot_slow", name)) {
        time = world_.pick(boot_usual, boot_slow_most);
        boots = world_.pick(5) != 0;      // or never speaks
    }
    if (boots) world_.after({}, time, [this, name] { boot(name); });
    return {launch, instances_.at(name), {}};
}

void SimProvider::boot(const std::string& instance) {
    const auto at = instances_.find(instance);
    if (at == instances_.end() || at->second.state != InstanceState::pending) return;
    at->second.state = InstanceState::running;
    on_boot({{instance}, at->second.incarnation, at->second.launch, at->second.launched_at});
}

void SimProvider::terminate(scaler::CallId id, const scaler::TerminateCall& wanted, const OnAnswer& done) {
    const auto at = instances_.find(wanted.instance);
    const bool there = at != instances_.end() && at->second.incarnation == wanted.incarnation &&
                       at->second.state != InstanceState::terminated;
    if (!there) return answer(done, {.call = id});
    if (world_.strikes(world_.faults.launch_fails, "terminate_fails")) {
        return answer(done, {.call = id, .error = scaler::ProviderError{LaunchFailure::throttle, "too many calls"}});
    }
    const Machine machine{{wanted.instance}, wanted.incarnation, at->second.launch, at->second.launched_at};
    truth_.ends.push_back({Truth::machine(machine.host, machine.incarnation), machine.host, machine.incarnation, world_.now,
                           machine.launched_at, machine.launch});
    ++truth_.changes;
    at->second.state = InstanceState::terminating;
    world_.after({}, world_.pick(Duration{200}, Duration{3'000}), [this, machine] {
        const auto found = instances_.find(machine.host.value);
        if (found == instances_.end() || found->second.incarnation != machine.incarnation) return;
        found->second.state = InstanceState::terminated;
        on_end(machine);
        forget_later(machine.host.value, machine.incarnation);
    });
    answer(done, {.call = id});
}

}  // namespace berth::sim
