// SPDX-License-Identifier: Apache-2.0
#include "instances/rental.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::instances {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Instant noon = *from_rfc3339("2026-11-27T12:00:00Z");
constexpr Duration hour{3'600'000};

aws::Machine machine() {
    return {.id = "i-1", .state = "running", .type = "t2.nano", .zone = "us-east-1a", .public_address = "198.51.100.7", .launched_at = noon,
            .tags = {{"berth:cluster", "berth"}, {"berth:kind", "instance"}, {"berth:expires-at", "2026-11-27T13:00:00Z"}, {"berth:created-at", "2026-11-27T12:00:00Z"},
                     {"berth:price", "5800"}, {"berth:ssh-user", "ubuntu"}, {"Name", "mine"}}};
}
Rental rental(const aws::Machine& from = machine()) { return *read_rental(from, "berth"); }

TEST(Rental, all_that_is_known_of_one_stands_in_its_tags) {
    const auto read = rental();
    EXPECT_EQ(read.region, "us-east-1");
    EXPECT_EQ(read.expires_at, noon + hour);
    EXPECT_EQ(read.price, 5'800U);
    EXPECT_EQ(read.address, "198.51.100.7");
    EXPECT_EQ(read_rental(machine(), "another"), std::nullopt) << "another cluster's";
    auto of_a_pool = machine();
    of_a_pool.tags.erase("berth:kind");
    EXPECT_EQ(read_rental(of_a_pool, "berth"), std::nullopt) << "a pool's machine is never ours to end";
}

TEST(Rental, req23_one_whose_time_is_over_is_stopped_and_a_spot_one_ended) {
    const Policy policy;
    auto spot = machine();
    spot.id = "i-2";
    spot.spot = true;
    const std::vector all{rental(), rental(spot)};

    EXPECT_THAT(due(all, policy, noon + hour - Duration{1}), IsEmpty());
    const auto deeds = due(all, policy, noon + hour);

    ASSERT_EQ(deeds.size(), 2U);
    EXPECT_EQ(deeds[0].kind, DeedKind::stop);
    EXPECT_EQ(deeds[1].kind, DeedKind::terminate);
}

TEST(Rental, a_stopped_one_is_kept_for_a_time_and_an_extended_one_from_its_new_end) {
    const Policy policy;
    auto stopped = machine();
    stopped.state = "stopped";
    stopped.transition = "User initiated (2026-11-27 12:30:00 GMT)";

    EXPECT_THAT(due({rental(stopped)}, policy, noon + hour + policy.keep_stopped - Duration{1}), IsEmpty());
    const auto deeds = due({rental(stopped)}, policy, noon + hour + policy.keep_stopped);

    ASSERT_EQ(deeds.size(), 1U);
    EXPECT_EQ(deeds[0].kind, DeedKind::terminate);
    EXPECT_EQ(rental(stopped).stopped_at, noon + hour / 2);
}

TEST(Rental, one_that_lost_its_end_gets_another_and_is_not_ended_on_a_guess) {
    const Policy policy;
    auto bare = machine();
    bare.tags["berth:expires-at"] = "soon";

    const auto deeds = due({rental(bare)}, policy, noon + hour * 48);

    ASSERT_EQ(deeds.size(), 1U);
    EXPECT_EQ(deeds[0].kind, DeedKind::mark);
    EXPECT_EQ(deeds[0].expires_at, noon + policy.duration);
}

TEST(Rental, what_is_over_or_unknown_to_ec2_is_left_alone) {
    const Policy policy;
    for (const auto* state : {"terminated", "shutting-down", "stopping", "state-of-tomorrow"}) {
        SCOPED_TRACE(state);
        auto odd = machine();
        odd.state = state;
        EXPECT_THAT(due({rental(odd)}, policy, noon + hour * 3), IsEmpty());
    }
}

TEST(Rental, req8_an_extension_is_absolute_never_shortens_and_is_capped) {
    const Policy policy;
    EXPECT_EQ(extended(noon + hour, hour * 2, policy, noon), noon + hour * 2);
    EXPECT_EQ(extended(noon + hour * 5, hour, policy, noon), noon + hour * 5);
    EXPECT_EQ(extended(noon + hour, policy.duration_max * 2, policy, noon), noon + policy.duration_max);
    EXPECT_EQ(extended(std::nullopt, hour, policy, noon), noon + hour);
}

TEST(Rental, req31_it_costs_while_it_runs_and_what_it_cost_before_is_kept) {
    auto running = machine();
    EXPECT_EQ(cost_so_far(rental(running), noon + hour), 5'800U);
    running.tags["berth:spent"] = "1000";
    EXPECT_EQ(cost_so_far(rental(running), noon + hour), 6'800U);
    running.state = "stopped";
    running.transition = "User initiated (2026-11-27 12:30:00 GMT)";
    EXPECT_EQ(cost_so_far(rental(running), noon + hour * 10), 3'900U);
    running.transition = "";
    EXPECT_EQ(cost_so_far(rental(running), noon + hour * 10), 6'800U) << "nobody says when: up to its end";
}

TEST(Rental, req31_the_cap_counts_what_runs_and_what_would) {
    Policy policy;
    policy.spend_per_hour_max = 0.01;
    EXPECT_TRUE(check_spend({}, 5'800, policy));
    const auto refused = check_spend({rental()}, 5'800, policy);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::no_capacity);
    EXPECT_THAT(refused.error().text, HasSubstr("spend_per_hour_max"));
    EXPECT_FALSE(check_spend({}, 0, policy)) << "what has no price might cost anything";
    policy.spend_per_hour_max = 0;
    EXPECT_TRUE(check_spend({rental()}, 0, policy));
}

TEST(Rental, what_happened_behind_our_back_is_told) {
    auto stopped = machine();
    stopped.state = "stopped";
    stopped.state_reason = "Client.UserInitiatedShutdown: User initiated shutdown";
    auto larger = machine();
    larger.type = "t2.large";
    auto bare = machine();
    bare.tags.erase("berth:expires-at");

    EXPECT_THAT(changes({rental()}, {rental()}, noon), IsEmpty());
    EXPECT_THAT(changes({rental()}, {rental(stopped)}, noon)[0].what, HasSubstr("before its time is stopped"));
    EXPECT_THAT(changes({rental()}, {rental(larger)}, noon)[0].what, HasSubstr("is a t2.large now"));
    EXPECT_THAT(changes({rental()}, {rental(bare)}, noon)[0].what, HasSubstr("lost its tag"));
    EXPECT_THAT(changes({rental()}, {}, noon)[0].what, HasSubstr("listed no more"));
    EXPECT_THAT(changes({}, {rental()}, noon)[0].what, HasSubstr("is new"));
}

TEST(Rental, a_zone_names_its_region) {
    for (const auto& [zone, region] : {std::pair{"us-east-1a", "us-east-1"}, {"us-gov-west-1b", "us-gov-west-1"}, {"us-west-2-lax-1a", "us-west-2"}, {"ap-southeast-12c", "ap-southeast-12"}}) {
        EXPECT_EQ(region_of_zone(zone).value_or("none"), region);
    }
    for (const auto* wrong : {"us-east-1", "", "somewhere", "1a", "us east 1a"}) EXPECT_FALSE(region_of_zone(wrong)) << wrong;
}

}  // namespace
}  // namespace berth::instances
