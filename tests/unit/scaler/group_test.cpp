// SPDX-License-Identifier: Apache-2.0
// A provider whose machines come by themselves, as those of an Auto Scaling group do: a launch is taken
// without an instance, a listing names it later, and what went wrong stands only in the provider's own records.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/scaler/scenario.hpp"

namespace berth::scaler {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

PoolDefined pool_of_hosts(std::uint32_t hosts_min) {
    return {.slots_per_host = 1, .buffer_unit = BufferUnit::hosts, .buffer = 0, .hosts_min = hosts_min, .hosts_max = 10};
}

/// The group gives the oldest launch its machine.
void bring(Scenario& scene, const std::string& name) {
    scene.cloud[name] = Instance{.instance = name, .launch = scene.group_waits.front(), .pool = {"default"}, .state = InstanceState::running,
                                 .launched_at = scene.now, .protected_from_scale_in = true};
    scene.group_waits.pop_front();
}

TEST(Group, a_launch_that_was_taken_waits_for_its_instance_and_is_not_called_for_again) {
    Scenario scene(pool_of_hosts(2));
    scene.is_a_group = true;
    scene.until(25);
    bring(scene, "i-1");
    bring(scene, "i-2");

    scene.until(60);

    EXPECT_THAT(scene.story, ElementsAre("1 granted 2", "1 launch l-1", "1 launch l-2"));
    EXPECT_TRUE(scene.ledger.launches.empty());
    EXPECT_EQ(scene.ledger.hosts.size(), 2U);
}

TEST(Group, what_the_groups_records_say_fails_the_launch_within_one_tick_of_the_listing) {
    Scenario scene(pool_of_hosts(1));
    scene.is_a_group = true;
    scene.until(5);
    scene.troubles.push_back({.pool = {"default"}, .at = scene.now, .failure = LaunchFailure::quota, .text = "8 vCPU are the limit"});

    scene.until(11);

    EXPECT_THAT(scene.story, ElementsAre("1 granted 1", "1 launch l-1", "10 failed l-1 quota"));
    EXPECT_THAT(scene.state.pools.at({"default"}).blocked_by, HasSubstr("quota: 8 vCPU are the limit"));
}

TEST(Group, what_its_records_say_of_an_earlier_launch_is_not_about_this_one) {
    Scenario scene(pool_of_hosts(1));
    scene.is_a_group = true;
    scene.troubles.push_back({.pool = {"default"}, .at = scene.now - Duration{1'000}, .failure = LaunchFailure::quota, .text = "earlier"});

    scene.until(30);

    EXPECT_THAT(scene.story, ElementsAre("1 granted 1", "1 launch l-1"));
}

TEST(Group, a_restarted_scaler_calls_again_for_what_it_does_not_see) {
    Scenario scene(pool_of_hosts(1));
    scene.is_a_group = true;
    scene.until(5);
    scene.restart();

    scene.until(15);

    EXPECT_THAT(scene.story, ElementsAre("1 granted 1", "1 launch l-1", "10 launch l-1"));
}

TEST(Group, an_instance_that_was_stopped_behind_our_back_is_started_again) {
    Scenario scene(pool_of_hosts(0));
    scene.host(1, 1);
    scene.until(5);
    scene.cloud.at("h-1").state = InstanceState::stopped;
    scene.start_error = ProviderError{LaunchFailure::capacity, "none of this type just now"};

    scene.until(11);
    scene.start_error.reset();
    scene.until(41);

    EXPECT_THAT(scene.story, ElementsAre("10 start h-1", "20 start h-1"));
    EXPECT_THAT(scene.lines, Contains("10 host.start_failed h-1"));
}

TEST(Group, a_host_that_is_given_back_is_not_started_again) {
    Scenario scene(pool_of_hosts(0));
    scene.host(1, 1);
    scene.until(5);
    scene.tell(HostCordoned{{{"h-1"}, {"i"}}});
    scene.tell(HostDrained{{{"h-1"}, {"i"}}});
    scene.terminate_works = false;
    scene.cloud.at("h-1").state = InstanceState::stopped;

    scene.until(31);

    EXPECT_THAT(scene.story, ::testing::Not(Contains(HasSubstr("start"))));
}

TEST(Group, an_audits_finding_is_said_once) {
    Scenario scene(pool_of_hosts(0));
    scene.advice.push_back({{"default"}, "AZRebalance ends leased machines: suspend it"});

    scene.until(41);

    EXPECT_EQ(std::count(scene.lines.begin(), scene.lines.end(), "1 pool.advice default"), 1);
    EXPECT_EQ(std::count_if(scene.lines.begin(), scene.lines.end(), [](const auto& line) { return line.find("pool.advice") != std::string::npos; }), 1);
}

TEST(Group, a_host_that_does_not_know_its_launch_is_met_by_what_the_listing_says) {
    Scenario scene(pool_of_hosts(1));
    scene.is_a_group = true;
    scene.agents_know_launch = false;
    scene.until(5);
    bring(scene, "i-1");

    scene.until(60);

    EXPECT_THAT(scene.story, ElementsAre("1 granted 1", "1 launch l-1", "15 met l-1 i-1"));
    EXPECT_TRUE(scene.ledger.launches.empty());
    EXPECT_EQ(scene.ledger.hosts.at({"i-1"}).provider, "local") << "whoever launched it may give it back";
}

TEST(Group, the_price_of_a_machine_is_written_down_once_and_when_it_changes) {
    Scenario scene(pool_of_hosts(1));
    scene.is_a_group = true;
    scene.until(5);
    bring(scene, "i-1");
    scene.cloud.at("i-1").price = HostPrice{"t3.large", "us-east-1a", false, 83'200};
    scene.until(40);
    scene.cloud.at("i-1").price->spot = true;
    scene.cloud.at("i-1").price->microdollars_per_hour = 30'000;

    scene.until(60);

    EXPECT_THAT(scene.story, ElementsAre("1 granted 1", "1 launch l-1", "20 priced i-1 83200", "50 priced i-1 30000"));
    EXPECT_EQ(scene.ledger.hosts.at({"i-1"}).price, scene.cloud.at("i-1").price);
}

}  // namespace
}  // namespace berth::scaler
