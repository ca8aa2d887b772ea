// SPDX-License-Identifier: Apache-2.0
// What hosts cost, told from facts as the gateway lists them.
#include "cli/cost.hpp"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

Instant at(const std::string& clock) { return *from_rfc3339("2026-11-27T" + clock + ":00.000Z"); }

Json fact(const std::string& clock, const std::string& type, Json data) { return {{"at", "2026-11-27T" + clock + ":00.000Z"}, {"type", type}, {"data", std::move(data)}}; }
Json registered(const std::string& clock, const std::string& host, const std::string& life = "i1") {
    return fact(clock, "host.registered", {{"host", host}, {"incarnation", life}, {"pool", "default"}});
}
Json ref(const std::string& host, const std::string& life = "i1") { return {{"host", host}, {"incarnation", life}}; }
Json priced(const std::string& clock, const std::string& host, std::uint64_t micros, const std::string& life = "i1") {
    return fact(clock, "host.priced", {{"host", ref(host, life)}, {"price", {{"machine_type", "t3.large"}, {"zone", "z"}, {"spot", false}, {"microdollars_per_hour", micros}}}});
}
Json gone(const std::string& clock, const std::string& host, const std::string& life = "i1") { return fact(clock, "host.gone", {{"host", ref(host, life)}}); }

TEST(Cost, req31_a_host_costs_from_its_registration_until_it_is_gone) {
    const Json facts = Json::array({registered("08:00", "h-1"), priced("08:01", "h-1", 100'000), registered("09:00", "h-2"), gone("10:00", "h-1")});
    const auto costs = costs_of(facts, at("00:00"), at("12:00"));
    ASSERT_EQ(costs.size(), 2U);
    EXPECT_EQ(costs[0].cost, 200'000U) << "its first price holds from its registration";
    EXPECT_FALSE(costs[0].there);
    EXPECT_EQ(costs[1].cost, 0U);
    EXPECT_TRUE(costs[1].type.empty()) << "nobody said what it costs";
    EXPECT_EQ(costs[1].ran, Duration{3 * 3'600'000});
}

TEST(Cost, another_price_holds_from_when_it_was_said) {
    const Json facts = Json::array({registered("08:00", "h-1"), priced("08:00", "h-1", 100'000), priced("09:00", "h-1", 40'000)});
    const auto costs = costs_of(facts, at("00:00"), at("10:00"));
    EXPECT_EQ(costs.at(0).cost, 140'000U);
    EXPECT_EQ(costs.at(0).per_hour, 40'000U);
}

TEST(Cost, only_what_was_after_since_counts_and_what_was_over_by_then_is_not_listed) {
    const Json facts = Json::array({registered("01:00", "h-0"), priced("01:00", "h-0", 9), gone("02:00", "h-0"), registered("08:00", "h-1"), priced("08:00", "h-1", 100'000)});
    const auto costs = costs_of(facts, at("09:30"), at("10:00"));
    ASSERT_EQ(costs.size(), 1U);
    EXPECT_EQ(costs[0].cost, 50'000U);
}

TEST(Cost, a_next_life_of_a_machine_begins_without_a_price_and_facts_of_the_old_one_are_not_its) {
    const Json facts = Json::array({registered("08:00", "h-1"), priced("08:00", "h-1", 100'000), registered("08:30", "h-1"), registered("09:00", "h-1", "i2"),
                                    gone("09:30", "h-1"), fact("09:40", "host.priced", {{"host", 5}}), fact("09:41", "claim.granted", {})});
    const auto costs = costs_of(facts, at("00:00"), at("10:00"));
    ASSERT_EQ(costs.size(), 2U);
    EXPECT_EQ(costs[0].cost, 100'000U);
    EXPECT_TRUE(costs[1].there);
    EXPECT_EQ(costs[1].cost, 0U);
}

Json with_slots(const std::string& clock, const std::string& host, unsigned slots) {
    auto one = registered(clock, host);
    one["data"]["slots"] = slots;
    return one;
}
Json leased(const std::string& clock, const std::string& workspace, const std::string& user, const std::string& host) {
    return fact(clock, "lease.granted", {{"workspace", workspace}, {"user", user}, {"project", "site"}, {"host", host}});
}

TEST(Cost, req31_a_user_pays_for_their_slots_and_nobody_for_the_rest) {
    const Json facts = Json::array({with_slots("08:00", "h-1", 4), priced("08:00", "h-1", 400'000), leased("08:30", "w-1", "ada", "h-1"), leased("09:00", "w-2", "bob", "h-1"),
                                    fact("09:30", "workspace.stopped", {{"workspace", "w-1"}}), gone("10:00", "h-1")});
    const auto costs = use_costs_of(facts, at("00:00"), at("12:00"));
    ASSERT_EQ(costs.size(), 3U);
    EXPECT_TRUE(costs[0].user.empty());
    EXPECT_EQ(costs[0].cost, 600'000U) << "8 slot hours of $0.1 were there, two were leased";
    EXPECT_EQ(costs[1].user, "ada");
    EXPECT_EQ(costs[1].leased, Duration{3'600'000});
    EXPECT_EQ(costs[1].cost, 100'000U);
    EXPECT_EQ(costs[2].user, "bob");
    EXPECT_EQ(costs[2].cost, 100'000U) << "until the host was gone";
}

TEST(Cost, a_lease_that_began_before_since_costs_from_since_and_at_the_price_of_its_time) {
    const Json facts = Json::array({with_slots("08:00", "h-1", 1), priced("08:00", "h-1", 100'000), leased("08:00", "w-1", "ada", "h-1"), priced("10:00", "h-1", 200'000)});
    const auto costs = use_costs_of(facts, at("09:00"), at("11:00"));
    ASSERT_EQ(costs.size(), 1U) << "all of it was hers";
    EXPECT_EQ(costs[0].cost, 300'000U);
    EXPECT_EQ(costs[0].project, "site");
}

}  // namespace
}  // namespace berth::cli
