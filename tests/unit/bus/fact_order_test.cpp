// SPDX-License-Identifier: Apache-2.0
// A view, then every fact by its position; anything else makes what is known void (I21).
#include <gtest/gtest.h>

#include "bus/follower.hpp"

namespace berth::bus {
namespace {

FactRecord fact(std::uint64_t position) {
    return {Position{position}, Term{1}, Instant{}, WorkspaceDestroyed{{"w-1"}}, Reason{"r", "allocator", "p", {}}, ""};
}
const Instant begun{Duration{1000}};
const Term first_term = term_of(Position{1}, begun);
FactRecord took_over(std::uint64_t position, Instant at) {
    return {Position{position}, term_of(Position{position}, at), at, TookOver{"L", "v"}, Reason{"r", "allocator", "p", {}}, ""};
}
LedgerHead head(std::uint64_t position, std::string ledger = "L") { return {std::move(ledger), Term{1}, Position{position}}; }

FactOrder following_at(std::uint64_t position) {
    FactOrder order;
    EXPECT_TRUE(order.begin("L", Position{position}, first_term));
    return order;
}

TEST(fact_order, keeps_facts_until_the_view_is_there_and_gives_those_that_follow_it) {
    FactOrder order;
    for (const std::uint64_t at : {4U, 5U, 6U}) EXPECT_EQ(order.place("L", fact(at)), FactPlace::kept);
    EXPECT_FALSE(order.following());
    const auto next = order.begin("L", Position{5}, first_term);
    ASSERT_TRUE(next);
    ASSERT_EQ(next->size(), 1U);
    EXPECT_EQ(next->front().position, Position{6});
    EXPECT_EQ(order.position(), Position{6});
    EXPECT_EQ(order.place("L", fact(7)), FactPlace::next);
}

TEST(fact_order, a_hole_between_view_and_facts_is_an_error) {
    FactOrder order;
    order.place("L", fact(8));
    const auto next = order.begin("L", Position{5}, first_term);
    ASSERT_FALSE(next);
    EXPECT_NE(next.error().text.find("facts 6 to 7"), std::string::npos) << next.error().text;
    EXPECT_FALSE(order.following());
}

TEST(fact_order, facts_of_another_ledger_that_were_kept_are_left_out) {
    FactOrder order;
    order.place("old", fact(6));
    order.place("L", fact(6));
    const auto next = order.begin("L", Position{5}, first_term);
    ASSERT_TRUE(next);
    EXPECT_EQ(next->size(), 1U);
}

TEST(fact_order, keeps_no_more_than_its_bound_and_then_sees_the_hole) {
    FactOrder order;
    for (std::uint64_t at = 1; at <= FactOrder::kept_max + 1; ++at) order.place("L", fact(at));
    EXPECT_FALSE(order.begin("L", Position{0}, first_term));
}

TEST(fact_order, tells_next_known_gap_and_foreign) {
    auto order = following_at(10);
    EXPECT_EQ(order.place("L", fact(11)), FactPlace::next);
    EXPECT_EQ(order.place("L", fact(11)), FactPlace::known);
    EXPECT_EQ(order.place("L", fact(3)), FactPlace::known);
    EXPECT_EQ(order.place("L", fact(13)), FactPlace::gap);
    EXPECT_EQ(order.place("M", fact(12)), FactPlace::foreign);
    EXPECT_EQ(order.position(), Position{11}) << "what does not follow changes nothing";
    order.ask_again();
    EXPECT_EQ(order.place("L", fact(14)), FactPlace::kept);
}

TEST(fact_order, another_term_at_a_passed_position_is_an_old_copy_that_went_on) {
    auto order = following_at(10);
    EXPECT_EQ(order.place("L", took_over(1, begun)), FactPlace::known);
    EXPECT_EQ(order.place("L", took_over(1, begun + Duration{5})), FactPlace::gap);
    EXPECT_EQ(order.place("L", took_over(7, begun)), FactPlace::gap);
    EXPECT_EQ(order.place("L", took_over(11, begun)), FactPlace::next);
    EXPECT_EQ(order.place("L", took_over(11, begun)), FactPlace::known) << "a new term is known from then on";
    FactOrder asking;
    asking.place("L", took_over(11, begun));
    ASSERT_TRUE(asking.begin("L", Position{10}, first_term));
    EXPECT_EQ(asking.place("L", took_over(11, begun)), FactPlace::known) << "also when it was kept";
}

TEST(fact_order, a_beacon_ahead_has_a_beat_for_the_facts_to_arrive) {
    auto order = following_at(10);
    EXPECT_FALSE(order.is_behind(head(10)));
    EXPECT_FALSE(order.is_behind(head(12)));
    order.place("L", fact(11));
    order.place("L", fact(12));
    EXPECT_FALSE(order.is_behind(head(13)));
    EXPECT_TRUE(order.is_behind(head(13))) << "a whole beat, and 13 did not come";
}

TEST(fact_order, a_beacon_from_before_the_view_is_no_loss_but_a_second_one_is) {
    auto order = following_at(10);
    EXPECT_FALSE(order.is_behind(head(9))) << "it was on its way when the view was made";
    EXPECT_FALSE(order.is_behind(head(10)));
    EXPECT_FALSE(order.is_behind(head(8)));
    EXPECT_TRUE(order.is_behind(head(8))) << "the ledger is an old copy";
}

TEST(fact_order, a_beacon_of_another_ledger_is_a_loss_at_once) {
    auto order = following_at(10);
    EXPECT_TRUE(order.is_behind(head(10, "M")));
    FactOrder asking;
    EXPECT_FALSE(asking.is_behind(head(10, "M"))) << "nothing is known yet";
}

}  // namespace
}  // namespace berth::bus
