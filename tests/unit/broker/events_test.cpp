// SPDX-License-Identifier: Apache-2.0
// Events: who they reach, whose name stands on them.
#include "tests/unit/broker/desk.hpp"

namespace berth::broker {
namespace {

TEST(events, carry_the_senders_key_and_nothing_it_says_of_itself_I23) {
    Desk desk;
    auto lie = desk.envelope(desk.robot, "claim.requested");
    lie.source = "/berth/allocator/x";
    const auto out = desk.give(desk.robot, "claim.requested.", encode_envelope(lie), Channel::events);
    EXPECT_EQ(only<ToSubscribers>(out).stamp, (Stamp{Role::client, "robot", ""}));
}

TEST(events, of_a_host_go_to_subscribers) {
    Desk desk;
    const auto out = desk.publish(desk.h1, "host.activity", "h-1");
    EXPECT_EQ(only<ToSubscribers>(out).stamp.sender, "h-1");
    EXPECT_TRUE(all<ToPeer>(out).empty());
}

TEST(events, of_another_host_are_denied) {
    Desk desk;
    const auto out = desk.publish(desk.h1, "host.activity", "h-2");
    EXPECT_TRUE(all<ToSubscribers>(out).empty());
    EXPECT_EQ(only<Refusal>(out).error.kind, ErrorKind::denied);
    EXPECT_EQ(desk.counted(Count::denied), 1U);
}

TEST(events, of_a_host_come_by_its_one_connection_only) {
    Desk desk;
    const auto out = desk.give(desk.h1, "host.activity.h-1.", encode_envelope(desk.envelope(desk.h1, "host.activity")),
                               Channel::events);
    EXPECT_TRUE(all<ToSubscribers>(out).empty());
    EXPECT_EQ(desk.counted(Count::denied), 1U);
}

TEST(events, workspace_idle_reaches_its_host_alone_and_the_subscribers) {
    Desk desk;
    desk.serve(desk.h1, "host.h-1");
    desk.serve(desk.h2, "host.h-2");
    const auto out = desk.publish(desk.reaper, "workspace.idle", "h-2");
    EXPECT_EQ(only<ToPeer>(out).route, route_of("h-2"));
    EXPECT_EQ(only<ToPeer>(out).stamp, (Stamp{Role::reaper, "reaper", ""}));
    EXPECT_EQ(all<ToSubscribers>(out).size(), 1U) << "the allocator notes it";
}

TEST(events, for_a_host_that_is_not_connected_are_counted_and_still_published) {
    Desk desk;
    const auto out = desk.publish(desk.reaper, "workspace.idle", "h-9");
    EXPECT_TRUE(all<ToPeer>(out).empty());
    EXPECT_EQ(all<ToSubscribers>(out).size(), 1U);
    EXPECT_EQ(desk.counted(Count::unreachable), 1U);
}

TEST(events, follow_a_host_to_its_latest_connection) {
    Desk desk;
    desk.serve(desk.h1, "host.h-1", route_of("first"));
    desk.serve(desk.h1, "host.h-1", route_of("second"));
    EXPECT_EQ(only<ToPeer>(desk.publish(desk.reaper, "workspace.idle", "h-1")).route, route_of("second"));
    lose_route(desk.state, route_of("second"));
    EXPECT_TRUE(all<ToPeer>(desk.publish(desk.reaper, "workspace.idle", "h-1")).empty());
}

TEST(events, that_are_denied_have_no_reply_on_the_events_channel) {
    Desk desk;
    const auto out = desk.publish(desk.robot, "claim.granted");
    EXPECT_TRUE(all<Refusal>(out).empty());
    EXPECT_EQ(only<Dropped>(out).why, Count::denied);
}

TEST(events, of_nobody_enrolled_are_dropped) {
    Desk desk;
    const auto bytes = encode_envelope(desk.envelope(desk.allocator, "claim.granted"));
    Arrival arrival{.channel = Channel::events, .frames = 2, .topic = "claim.granted.", .envelope = bytes};
    EXPECT_EQ(only<Dropped>(step(desk.state, arrival, desk.now)).why, Count::unknown_sender);
}

TEST(events, a_control_process_may_also_use_its_dealer) {
    Desk desk;
    const auto bytes = encode_envelope(desk.envelope(desk.robot, "claim.requested"));
    EXPECT_EQ(all<ToSubscribers>(desk.give(desk.robot, "claim.requested.", bytes, Channel::requests)).size(), 1U);
}

TEST(events, a_request_is_not_taken_on_the_events_channel) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    const auto bytes = encode_envelope(desk.envelope(desk.robot, "allocator.claim"));
    const auto out = desk.give(desk.robot, "allocator.claim.", bytes, Channel::events);
    EXPECT_TRUE(all<ToPeer>(out).empty());
    EXPECT_EQ(desk.counted(Count::denied), 1U);
}

}  // namespace
}  // namespace berth::broker
