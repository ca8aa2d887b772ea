// SPDX-License-Identifier: Apache-2.0
// The scaler's shell on the real bus and the real allocator, with a provider that does what no
// provider should: throws, hangs, answers nothing, forgets to list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>

#include "scaler/one_by_one.hpp"
#include "scaler/process.hpp"
#include "scaler/worker.hpp"
#include "tests/integration/allocator/scripted_host.hpp"

namespace berth::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using scaler::Provided;
using scaler::ProviderError;

/// What the scripted cloud has and does; shared by the test and the worker's thread.
struct Cloud {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::string, Instance> instances;
    std::vector<std::string> launches;            // every call, by its token
    std::vector<std::string> ends;
    std::uint32_t listings = 0;
    std::uint32_t throws = 0;                     // so many calls of launch() do
    bool throws_no_exception = false;
    bool throws_too_late = true;                  // it has done what it was told to
    bool launch_hangs = false;
    bool list_fails = false;

    std::size_t launch_calls() {
        const std::lock_guard lock(mutex);
        return launches.size();
    }
    std::size_t end_calls() {
        const std::lock_guard lock(mutex);
        return ends.size();
    }
    std::uint32_t list_calls() {
        const std::lock_guard lock(mutex);
        return listings;
    }
    void let_go() {
        const std::lock_guard lock(mutex);
        launch_hangs = false;
        changed.notify_all();
    }
};

class ScriptedProvider final : public scaler::OneByOne {
public:
    ScriptedProvider(std::string name, std::shared_ptr<Cloud> cloud) : name_(std::move(name)), cloud_(std::move(cloud)) {}

    Provided<scaler::Listed> list() override {
        const std::lock_guard lock(cloud_->mutex);
        ++cloud_->listings;
        if (cloud_->list_fails) throw std::runtime_error("the listing broke");
        ProviderSnapshot snapshot{.provider = name_, .read_at = clock_.now(), .complete = true};
        for (const auto& [id, instance] : cloud_->instances) snapshot.instances.push_back(instance);
        return snapshot;
    }
    Provided<Instance> launch_one(const LaunchId& launch, const PoolDefined& pool) override {
        std::unique_lock lock(cloud_->mutex);
        cloud_->launches.push_back(launch.value);
        if (cloud_->throws > 0 && !cloud_->throws_too_late) fail_somehow();
        const auto id = "h-" + std::to_string(1 + std::count_if(cloud_->instances.begin(), cloud_->instances.end(),
                                                                [&](const auto& entry) { return entry.second.launch != launch; }));
        auto& instance = cloud_->instances[id];
        instance = {.instance = id, .incarnation = {"i-" + id}, .launch = launch, .pool = pool.pool, .state = InstanceState::running,
                    .launched_at = clock_.now(), .protected_from_scale_in = true};
        if (cloud_->throws > 0) fail_somehow();
        cloud_->changed.wait(lock, [&] { return !cloud_->launch_hangs; });
        return instance;
    }
    Provided<void> terminate(const std::string& instance, const HostIncarnation&) override {
        const std::lock_guard lock(cloud_->mutex);
        cloud_->ends.push_back(instance);
        cloud_->instances.at(instance).state = InstanceState::terminated;
        return {};
    }
    Provided<void> protect_one(const std::string&, scaler::Protection) override { return {}; }

private:
    [[noreturn]] void fail_somehow() {
        --cloud_->throws;
        if (cloud_->throws_no_exception) throw 7;
        throw std::runtime_error("socket closed");
    }

    RealClock clock_;
    std::string name_;
    std::shared_ptr<Cloud> cloud_;
};

class ScalerProcess : public ::testing::Test {
protected:
    void start(const std::string& pools) {
        write_text(cluster.config(), pools);
        cluster.start("broker");
        cluster.start("allocator");
        robot.emplace(cluster, "robot", Role::client);
        start_process();
    }
    void start_process() {
        process.reset();
        peer.reset();
        peer.emplace(cluster, "scaler", Role::scaler);
        scaler::Providers providers;
        for (const auto& [name, its] : clouds) providers[name] = scaler::on_a_thread(peer->loop(), std::make_unique<ScriptedProvider>(name, its));
        process.emplace(peer->loop(), peer->endpoint(), policy, Rng{1}, providers);
    }
    bool until(const std::function<bool()>& is_so, Duration within = Duration{10'000}) { return peer->until(is_so, within); }
    std::vector<FactRecord> facts() {
        const auto reply = robot->ask(FactsRequest{.limit = 5'000});
        return reply ? reply->facts : std::vector<FactRecord>{};
    }
    template <class T>
    std::vector<T> facts_of() {
        std::vector<T> found;
        for (const auto& record : facts()) {
            if (const auto* fact = std::get_if<T>(&record.fact)) found.push_back(*fact);
        }
        return found;
    }
    /// Both loops, in turns, until it is so.
    bool both(ScriptedHost& host, const std::function<bool()>& is_so, Duration within = Duration{10'000}) {
        return eventually([&] {
            peer->until([] { return false; }, Duration{2});
            host.peer().until([] { return false; }, Duration{2});
            return is_so();
        }, within);
    }
    void TearDown() override {
        for (const auto& [name, its] : clouds) its->let_go();
        process.reset();
    }

    Cluster cluster;
    std::map<std::string, std::shared_ptr<Cloud>> clouds{{"local", std::make_shared<Cloud>()}};
    Cloud& cloud = *clouds.at("local");
    scaler::Policy policy{.tick = Duration{20}, .list_every = Duration{50}, .cooldown = Duration{50}, .shrink_after = Duration{300},
                          .beacon_silence = Duration{2'000}, .retry = Duration{20}, .retry_max = Duration{100},
                          .ask_timeout = Duration{1'000}};
    std::optional<TestPeer> peer;
    std::optional<TestPeer> robot;
    std::optional<scaler::Process> process;
};

constexpr const char* one = "[pool.default]\nslots_per_host = 1\nbuffer = 1\nhosts_max = 2\n";

TEST_F(ScalerProcess, what_a_provider_throws_is_an_answer_that_was_lost_and_is_asked_for_again) {
    cloud.throws = 2;
    start(one);
    ASSERT_TRUE(until([&] { return cloud.launch_calls() >= 1; }));
    const auto seen = cloud.list_calls();
    ASSERT_TRUE(until([&] { return cloud.list_calls() > seen + 5; }));
    // As soon as it is listed although its call threw, nothing is called again.
    {
        const std::lock_guard lock(cloud.mutex);
        EXPECT_THAT(cloud.instances, SizeIs(1));
        EXPECT_LE(cloud.launches.size(), 3U);
        EXPECT_THAT(cloud.launches, Each(cloud.launches.front())) << "each time the same token";
    }
    EXPECT_THAT(facts_of<LaunchStarted>(), SizeIs(1));
    EXPECT_THAT(facts_of<LaunchFailed>(), SizeIs(0));
    EXPECT_FALSE(process->failure());
}

TEST_F(ScalerProcess, a_provider_that_throws_in_every_call_fails_its_launch_with_what_it_threw) {
    cloud.throws = 1'000;
    cloud.throws_no_exception = true;
    cloud.throws_too_late = false;
    start(one);
    ASSERT_TRUE(until([&] { return cloud.launch_calls() >= 3; }));
    std::vector<LaunchFailed> failed;
    ASSERT_TRUE(until([&] { return !(failed = facts_of<LaunchFailed>()).empty(); }));
    EXPECT_EQ(failed.front().failure, LaunchFailure::lost);
    EXPECT_THAT(failed.front().text, HasSubstr("the provider threw"));
    const std::lock_guard lock(cloud.mutex);
    EXPECT_EQ(std::set<std::string>(cloud.launches.begin(), cloud.launches.begin() + 3).size(), 1U) << "each time the same token";
}

TEST_F(ScalerProcess, a_provider_that_hangs_keeps_nobody_elses_hosts_waiting_and_ends_the_process_in_the_end) {
    clouds["slow"] = std::make_shared<Cloud>();
    clouds["slow"]->launch_hangs = true;
    policy.call_max = Duration{6'000};
    start(std::string{one} + "[pool.far]\nprovider = \"slow\"\nslots_per_host = 1\nbuffer = 1\nhosts_max = 1\n");
    ASSERT_TRUE(until([&] { return clouds["slow"]->launch_calls() == 1; }));
    ASSERT_TRUE(until([&] { return cloud.launch_calls() == 1; })) << "the other provider has a thread of its own";
    const auto seen = cloud.list_calls();
    ASSERT_TRUE(until([&] { return cloud.list_calls() > seen + 3; }));
    EXPECT_FALSE(process->failure());
    ASSERT_TRUE(eventually([&] {
        until([&] { return process->failure().has_value(); }, Duration{200});
        return process->failure().has_value();
    }, Duration{20'000}));
    EXPECT_THAT(process->failure()->text, HasSubstr("provider slow"));
    EXPECT_EQ(clouds["slow"]->launch_calls(), 1U);
    EXPECT_FALSE(process->stop(Duration{50})) << "its thread is still in the call";

    // The next life: the launch is in the ledger, so the same token is called for again.
    clouds["slow"]->let_go();
    start_process();
    ASSERT_TRUE(until([&] { return clouds["slow"]->list_calls() >= 3; }));
    EXPECT_THAT(facts_of<LaunchStarted>(), SizeIs(2)) << "one for each pool";
    EXPECT_EQ(clouds["slow"]->instances.size(), 1U);
}

TEST_F(ScalerProcess, a_listing_that_throws_stops_no_claim_and_is_no_empty_listing) {
    start(one);
    ASSERT_TRUE(until([&] { return cloud.launch_calls() == 1; }));
    {
        const std::lock_guard lock(cloud.mutex);
        cloud.list_fails = true;
    }
    const auto seen = cloud.list_calls();
    ASSERT_TRUE(until([&] { return cloud.list_calls() > seen + 5; }));
    EXPECT_THAT(facts_of<LaunchFailed>(), SizeIs(0)) << "what is not listed just now is not lost";
    EXPECT_FALSE(process->failure());
}

TEST_F(ScalerProcess, ends_a_surplus_only_while_it_hears_of_it) {
    start("[pool.default]\nslots_per_host = 1\nbuffer = 0\nhosts_max = 2\n");
    const auto list_it = [&](bool fails) {
        const std::lock_guard lock(cloud.mutex);
        cloud.list_fails = fails;
    };
    list_it(true);
    {
        const std::lock_guard lock(cloud.mutex);
        cloud.instances["h-1"] = {.instance = "h-1", .incarnation = {"i-h-1"}, .pool = {"default"}, .state = InstanceState::running,
                                  .protected_from_scale_in = true};
    }
    ScriptedHost host(cluster, "h-1", 1);
    ASSERT_TRUE(host.enrol());
    const auto seen = cloud.list_calls();
    ASSERT_TRUE(both(host, [&] { return cloud.list_calls() > seen + 20; }));
    EXPECT_EQ(cloud.end_calls(), 0U) << "a second of surplus, and nobody who lists it";
    EXPECT_THAT(facts_of<HostCordoned>(), SizeIs(0));
    list_it(false);
    ASSERT_TRUE(both(host, [&] { return cloud.end_calls() == 1; }));
    ASSERT_TRUE(both(host, [&] { return facts_of<HostGone>().size() == 1; }));
    std::vector<std::string> steps;
    for (const auto& record : facts()) {
        if (type_of(record.fact).starts_with("host.")) steps.emplace_back(type_of(record.fact));
    }
    EXPECT_THAT(steps, ElementsAre("host.registered", "host.cordoned", "host.drained", "host.gone"));
}

TEST_F(ScalerProcess, tends_its_hosts_before_it_knows_anything) {
    struct Tending final : scaler::OneByOne {
        explicit Tending(std::atomic<int>& count) : count_(count) {}
        Provided<scaler::Listed> list() override { return tl::make_unexpected(ProviderError{LaunchFailure::lost, "no"}); }
        Provided<Instance> launch_one(const LaunchId&, const PoolDefined&) override { return Instance{}; }
        Provided<void> terminate(const std::string&, const HostIncarnation&) override { return {}; }
        Provided<void> protect_one(const std::string&, scaler::Protection) override { return {}; }
        void tend() override {
            if (++count_ == 1) throw std::runtime_error("once");
        }
        std::atomic<int>& count_;
    };
    cluster.start("broker");                      // and no allocator
    peer.emplace(cluster, "scaler", Role::scaler);
    std::atomic<int> count{0};
    scaler::Providers providers;
    providers["local"] = scaler::on_a_thread(peer->loop(), std::make_unique<Tending>(count));
    process.emplace(peer->loop(), peer->endpoint(), policy, Rng{1}, providers);
    EXPECT_TRUE(until([&] { return count >= 1; }));
    EXPECT_TRUE(until([&] { return count >= 2; })) << "and again after it threw";
}

}  // namespace
}  // namespace berth::testing
