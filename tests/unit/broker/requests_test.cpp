// SPDX-License-Identifier: Apache-2.0
// Requests: to which worker, until when, and that each one ends: by a reply or by an error that says why.
#include "tests/unit/broker/desk.hpp"

namespace berth::broker {
namespace {

using ::testing::HasSubstr;

TEST(requests, reach_the_worker_and_the_reply_reaches_the_caller) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    const auto out = only<ToPeer>(desk.request(desk.robot, "allocator.claim"));
    EXPECT_EQ(out.route, route_of("allocator"));
    EXPECT_EQ(out.stamp.sender, "robot");
    EXPECT_EQ(out.stamp.role, Role::client);
    const auto id = desk.last_id;
    const auto back = only<ToPeer>(desk.reply(desk.allocator, out.stamp.tag));
    EXPECT_EQ(back.route, route_of("robot"));
    EXPECT_EQ(back.stamp, (Stamp{Role::allocator, "allocator", id})) << "the caller knows its request by the tag";
    EXPECT_TRUE(desk.state.pending.empty());
    EXPECT_TRUE(desk.state.deadlines.empty());
    EXPECT_TRUE(desk.state.pending_of.empty());
}

TEST(requests, that_nobody_serves_are_refused_at_once) {
    Desk desk;
    const auto refusal = only<Refusal>(desk.request(desk.robot, "allocator.claim"));
    EXPECT_EQ(refusal.error.kind, ErrorKind::unavailable);
    EXPECT_THAT(refusal.error.text, HasSubstr("nobody serves allocator now"));
    EXPECT_EQ(refusal.request_id, desk.last_id);
    EXPECT_EQ(desk.counted(Count::unserved), 1U);
}

TEST(requests, to_a_host_reach_that_host) {
    Desk desk;
    desk.serve(desk.h1, "host.h-1");
    desk.serve(desk.h2, "host.h-2");
    EXPECT_EQ(only<ToPeer>(desk.request(desk.allocator, "host.bind", "h-2")).route, route_of("h-2"));
    EXPECT_EQ(only<Refusal>(desk.request(desk.allocator, "host.bind", "h-3")).error.kind, ErrorKind::unavailable);
}

TEST(requests, go_to_the_worker_that_was_used_longest_ago) {
    Desk desk;
    const std::vector<Sender> workers{{"scaler-a", Role::scaler}, {"scaler-b", Role::scaler}, {"scaler-c", Role::scaler}};
    for (const auto& worker : workers) desk.serve(worker, "scaler");
    std::vector<std::string> order;
    for (int i = 0; i < 7; ++i) order.push_back(only<ToPeer>(desk.request(desk.reaper, "scaler.terminate_orphan")).route.substr(1));
    EXPECT_THAT(order, ::testing::ElementsAre("scaler-a", "scaler-b", "scaler-c", "scaler-a", "scaler-b", "scaler-c", "scaler-a"));
    desk.serve(workers[1], "scaler");   // registering again does not move it to the front
    EXPECT_EQ(only<ToPeer>(desk.request(desk.reaper, "scaler.terminate_orphan")).route.substr(1), "scaler-b");
    EXPECT_EQ(only<ToPeer>(desk.request(desk.reaper, "scaler.terminate_orphan")).route.substr(1), "scaler-c");
}

TEST(requests, carry_their_deadline_and_end_there) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    const auto deadline = desk.now + Duration{250};
    desk.request(desk.robot, "allocator.claim", "", deadline);
    const auto id = desk.last_id;
    EXPECT_EQ(desk.state.pending.begin()->second.deadline, deadline);
    desk.now = deadline - Duration{1};
    EXPECT_TRUE(tick(desk.state, desk.now).empty());
    desk.now = deadline;
    const auto refusal = only<Refusal>(tick(desk.state, desk.now));
    EXPECT_EQ(refusal.error.kind, ErrorKind::timeout);
    EXPECT_EQ(refusal.request_id, id);
    EXPECT_EQ(refusal.route, route_of("robot"));
    EXPECT_EQ(desk.counted(Count::expired), 1U);
    EXPECT_TRUE(desk.state.pending.empty());
}

TEST(requests, without_a_deadline_have_the_default_one_and_none_is_later_than_the_cap) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    desk.request(desk.robot, "allocator.claim");
    EXPECT_EQ(desk.state.pending.at(1).deadline, desk.now + desk.state.policy.deadline_default);
    desk.request(desk.robot, "allocator.claim", "", desk.now + Duration{999'999'999});
    EXPECT_EQ(desk.state.pending.at(2).deadline, desk.now + desk.state.policy.deadline_max);
}

TEST(requests, that_come_after_their_deadline_reach_nobody) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    const auto out = desk.request(desk.robot, "allocator.claim", "", desk.now);
    EXPECT_TRUE(all<ToPeer>(out).empty());
    EXPECT_EQ(only<Refusal>(out).error.kind, ErrorKind::timeout);
}

TEST(requests, wait_as_long_as_their_sender_does_whatever_its_clock_says) {
    const auto ask = [](Duration behind, Duration lain) {      // a request with a wait of 2 s
        Desk desk;
        desk.serve(desk.allocator, "allocator");
        const auto right = desk.now;
        desk.now = right - behind;                             // when the sender made it, by its own clock
        auto made = desk.envelope(desk.h1, "allocator.register");
        made.deadline = desk.now + Duration{2'000};
        desk.now = right + lain;
        const auto out = desk.give(desk.h1, topic_of("allocator.register"), encode_envelope(made));
        if (all<ToPeer>(out).empty()) return only<Refusal>(out).error.text;
        EXPECT_EQ(desk.state.pending.begin()->second.deadline, desk.now + Duration{2'000});
        return std::string{};
    };
    EXPECT_EQ(ask(Duration{0}, Duration{1'999}), "");
    EXPECT_EQ(ask(Duration{9'000}, Duration{0}), "") << "its clock is behind";
    EXPECT_EQ(ask(Duration{-3'600'000}, Duration{0}), "") << "its clock is ahead";
    EXPECT_THAT(ask(Duration{12'000}, Duration{0}), HasSubstr("or the clock of h-1 is wrong"));
    EXPECT_THAT(ask(Duration{0}, Duration{12'000}), HasSubstr("came after its deadline"));
}

TEST(requests, late_and_repeated_replies_are_dropped_and_counted) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    const auto sent = only<ToPeer>(desk.request(desk.robot, "allocator.claim", "", desk.now + Duration{10}));
    desk.now += Duration{10};
    tick(desk.state, desk.now);
    EXPECT_EQ(only<Dropped>(desk.reply(desk.allocator, sent.stamp.tag)).why, Count::late_replies);
    const auto other = only<ToPeer>(desk.request(desk.robot, "allocator.claim"));
    EXPECT_EQ(all<ToPeer>(desk.reply(desk.allocator, other.stamp.tag)).size(), 1U);
    EXPECT_TRUE(all<ToPeer>(desk.reply(desk.allocator, other.stamp.tag)).empty());
    EXPECT_EQ(desk.counted(Count::late_replies), 2U);
}

TEST(requests, a_reply_by_someone_else_is_denied_and_ends_nothing) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    desk.serve(desk.h1, "host.h-1");
    const auto sent = only<ToPeer>(desk.request(desk.robot, "allocator.claim"));
    EXPECT_EQ(only<Dropped>(desk.reply(desk.h1, sent.stamp.tag)).why, Count::denied);
    EXPECT_EQ(only<Dropped>(desk.reply(desk.robot, sent.stamp.tag)).why, Count::denied);
    EXPECT_EQ(only<Dropped>(desk.reply(desk.allocator, sent.stamp.tag, "\x80", route_of("elsewhere"))).why, Count::denied);
    EXPECT_EQ(all<ToPeer>(desk.reply(desk.allocator, sent.stamp.tag)).size(), 1U);
}

TEST(requests, a_made_up_tag_answers_nothing) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    desk.request(desk.robot, "allocator.claim");
    for (const auto* tag : {"", "1", "b00t-", "b00t-2", "b00t-01x", "b00t--1", "other-1", "b00t-99999999999999999999999"}) {
        EXPECT_EQ(only<Dropped>(desk.reply(desk.allocator, tag)).why, Count::late_replies) << tag;
    }
    EXPECT_EQ(only<Dropped>(desk.reply(desk.allocator, std::string(200, '1'))).why, Count::oversized);
    EXPECT_EQ(desk.state.pending.size(), 1U);
}

TEST(requests, of_one_peer_are_capped_and_the_others_go_on_I24) {
    Policy policy;
    policy.pending_per_peer_max = 3;
    Desk desk(policy);
    desk.serve(desk.allocator, "allocator");
    for (int i = 0; i < 3; ++i) EXPECT_EQ(all<ToPeer>(desk.request(desk.robot, "allocator.claim")).size(), 1U);
    EXPECT_EQ(only<Refusal>(desk.request(desk.robot, "allocator.claim")).error.kind, ErrorKind::limit);
    EXPECT_EQ(all<ToPeer>(desk.request(desk.gateway, "allocator.claim")).size(), 1U);
    EXPECT_EQ(desk.counted(Count::over_limit), 1U);
    desk.reply(desk.allocator, "b00t-1");
    EXPECT_EQ(all<ToPeer>(desk.request(desk.robot, "allocator.claim")).size(), 1U);
}

TEST(requests, of_all_together_are_capped_I24) {
    Policy policy;
    policy.pending_max = 2;
    Desk desk(policy);
    desk.serve(desk.allocator, "allocator");
    desk.request(desk.robot, "allocator.claim");
    desk.request(desk.gateway, "allocator.claim");
    EXPECT_EQ(only<Refusal>(desk.request(desk.reaper, "allocator.reap")).error.kind, ErrorKind::limit);
    EXPECT_FALSE(desk.state.pending_of.contains("reaper"));
}

TEST(requests, that_a_full_worker_does_not_take_are_given_back) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    const auto sent = only<ToPeer>(desk.request(desk.robot, "allocator.claim"));
    const auto refusal = only<Refusal>(give_back(desk.state, sent.stamp.tag));
    EXPECT_EQ(refusal.error.kind, ErrorKind::unavailable);
    EXPECT_EQ(refusal.route, route_of("robot"));
    EXPECT_EQ(desk.counted(Count::slow_receiver), 1U);
    EXPECT_TRUE(give_back(desk.state, sent.stamp.tag).empty());
}

TEST(requests, an_answer_larger_than_a_host_takes_becomes_an_error) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    const auto sent = only<ToPeer>(desk.request(desk.h1, "allocator.heartbeat"));
    const auto out = desk.reply(desk.allocator, sent.stamp.tag, Bytes(envelope_bytes_max + 1, 'x'));
    EXPECT_EQ(only<Refusal>(out).error.kind, ErrorKind::limit);
    const auto asked = only<ToPeer>(desk.request(desk.gateway, "allocator.view"));
    EXPECT_EQ(all<ToPeer>(desk.reply(desk.allocator, asked.stamp.tag, Bytes(envelope_bytes_max + 1, 'x'))).size(), 1U);
}

TEST(requests, an_answer_larger_than_a_worker_may_give_ends_the_request_with_an_error) {
    Desk desk;
    desk.serve(desk.h1, "host.h-1");
    const auto sent = only<ToPeer>(desk.request(desk.allocator, "host.bind", "h-1"));
    const auto out = desk.reply(desk.h1, sent.stamp.tag, Bytes(envelope_bytes_max + 1, 'x'));
    EXPECT_EQ(only<Refusal>(out).error.kind, ErrorKind::limit);
    EXPECT_EQ(desk.counted(Count::oversized), 1U);
    EXPECT_TRUE(desk.state.pending.empty());
}

TEST(requests, of_a_revoked_caller_end_without_an_answer_I23) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    const auto sent = only<ToPeer>(desk.request(desk.robot, "allocator.claim"));
    const auto kept = only<ToPeer>(desk.request(desk.gateway, "allocator.claim"));
    revoke(desk.state, "robot");
    EXPECT_TRUE(all<ToPeer>(desk.reply(desk.allocator, sent.stamp.tag)).empty());
    EXPECT_EQ(desk.counted(Count::late_replies), 1U);
    EXPECT_EQ(all<ToPeer>(desk.reply(desk.allocator, kept.stamp.tag)).size(), 1U);
}

TEST(requests, with_the_same_id_twice_have_two_answers) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    const auto bytes = encode_envelope(desk.envelope(desk.robot, "allocator.claim"));
    const auto one = only<ToPeer>(desk.give(desk.robot, "allocator.claim.", bytes));
    const auto two = only<ToPeer>(desk.give(desk.robot, "allocator.claim.", bytes));
    EXPECT_NE(one.stamp.tag, two.stamp.tag);
    EXPECT_EQ(all<ToPeer>(desk.reply(desk.allocator, two.stamp.tag)).size(), 1U);
    EXPECT_EQ(all<ToPeer>(desk.reply(desk.allocator, one.stamp.tag)).size(), 1U);
}

TEST(requests, status_is_answered_by_the_broker_itself) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    desk.serve(desk.h1, "host.h-1");
    desk.request(desk.robot, "allocator.claim");
    const auto status = only<StatusReply>(desk.request(desk.robot, "broker.status")).status;
    ASSERT_EQ(status.services.size(), 2U);
    EXPECT_EQ(status.services[0], (ServiceStatus{"allocator", 1, 1}));
    EXPECT_EQ(status.services[1], (ServiceStatus{"host.h-1", 1, 0}));
    EXPECT_THAT(status.counters, ::testing::Contains(Counter{"pending", 1}));
    EXPECT_EQ(only<Refusal>(desk.request(desk.h1, "broker.status")).error.kind, ErrorKind::denied);
}

}  // namespace
}  // namespace berth::broker
