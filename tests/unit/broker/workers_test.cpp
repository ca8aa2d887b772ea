// SPDX-License-Identifier: Apache-2.0
// Workers: how one becomes known, how it is found gone, and what then becomes of its requests.
#include "tests/unit/broker/desk.hpp"

namespace berth::broker {
namespace {

using ::testing::HasSubstr;

TEST(workers, a_host_serves_itself_only) {
    Desk desk;
    EXPECT_EQ(only<Registered>(desk.serve(desk.h1, "host.h-1")).service, "host.h-1");
    for (const auto* service : {"host.h-2", "allocator", "scaler", "host.", "host", "", "host.h-1.x"}) {
        const auto out = desk.serve(desk.h1, service);
        EXPECT_TRUE(all<Registered>(out).empty()) << service;
        EXPECT_EQ(only<Refusal>(out).error.kind, ErrorKind::denied) << service;
    }
}

TEST(workers, clients_gateways_and_taps_serve_nothing) {
    Desk desk;
    for (const auto& from : {desk.robot, desk.gateway, desk.tap, desk.reaper}) {
        EXPECT_EQ(only<Refusal>(desk.serve(from, "allocator")).error.kind, ErrorKind::denied);
    }
    EXPECT_TRUE(desk.state.workers.empty());
}

TEST(workers, a_registration_without_sense_is_refused) {
    Desk desk;
    const auto bytes = encode_envelope(desk.envelope(desk.h1, "broker.serve"));
    EXPECT_EQ(only<Refusal>(desk.give(desk.h1, "broker.serve.", bytes)).error.kind, ErrorKind::invalid);
}

TEST(workers, beats_keep_it_and_silence_ends_it) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    desk.request(desk.robot, "allocator.claim");
    desk.now += desk.state.policy.worker_silence_max;
    EXPECT_TRUE(all<WorkerLost>(tick(desk.state, desk.now)).empty());
    EXPECT_TRUE(desk.beat(desk.allocator).empty());
    desk.now += desk.state.policy.worker_silence_max;
    EXPECT_TRUE(all<WorkerLost>(tick(desk.state, desk.now)).empty());
    desk.now += Duration{1};
    const auto out = tick(desk.state, desk.now);
    EXPECT_EQ(only<WorkerLost>(out).worker, "allocator");
    EXPECT_EQ(only<Refusal>(out).error.kind, ErrorKind::unavailable);
    EXPECT_THAT(only<Refusal>(out).error.text, HasSubstr("may or may not have done"));
    EXPECT_EQ(only<Refusal>(desk.request(desk.robot, "allocator.claim")).error.kind, ErrorKind::unavailable);
}

TEST(workers, a_beat_of_one_that_is_not_known_is_told_so) {
    Desk desk;
    EXPECT_EQ(only<NotServing>(desk.beat(desk.allocator)).route, route_of("allocator"));
    desk.serve(desk.allocator, "allocator");
    EXPECT_EQ(only<NotServing>(desk.beat(desk.allocator, route_of("new"))).route, route_of("new"));
}

TEST(workers, one_that_connects_anew_loses_what_it_had_on_the_old_connection) {
    Desk desk;
    desk.serve(desk.allocator, "allocator", route_of("old"));
    desk.request(desk.robot, "allocator.claim");
    const auto out = desk.serve(desk.allocator, "allocator", route_of("new"));
    EXPECT_EQ(only<Refusal>(out).error.kind, ErrorKind::unavailable);
    EXPECT_EQ(only<Registered>(out).route, route_of("new"));
    EXPECT_EQ(only<ToPeer>(desk.request(desk.robot, "allocator.claim")).route, route_of("new"));
    EXPECT_EQ(desk.state.services.at("allocator").workers.size(), 1U);
}

TEST(workers, registering_again_on_the_same_connection_keeps_its_requests) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    const auto sent = only<ToPeer>(desk.request(desk.robot, "allocator.claim"));
    EXPECT_TRUE(all<Refusal>(desk.serve(desk.allocator, "allocator")).empty());
    EXPECT_EQ(all<ToPeer>(desk.reply(desk.allocator, sent.stamp.tag)).size(), 1U);
}

TEST(workers, one_that_leaves_takes_no_more_and_its_requests_end) {
    Desk desk;
    desk.serve(desk.allocator, "allocator");
    desk.request(desk.robot, "allocator.claim");
    const auto bytes = encode_envelope(desk.envelope(desk.allocator, "broker.leave"));
    const auto out = desk.give(desk.allocator, "broker.leave.", bytes);
    EXPECT_EQ(all<Refusal>(out).size(), 1U);
    EXPECT_TRUE(desk.state.workers.empty());
    EXPECT_TRUE(desk.give(desk.allocator, "broker.leave.", bytes).empty());
}

TEST(workers, one_that_can_not_be_reached_ends_with_its_requests_and_the_other_goes_on) {
    Desk desk;
    const Sender a{"scaler-a", Role::scaler};
    const Sender b{"scaler-b", Role::scaler};
    desk.serve(a, "scaler");
    desk.serve(b, "scaler");
    desk.request(desk.reaper, "scaler.terminate_orphan");
    const auto out = lose_route(desk.state, route_of("scaler-a"));
    EXPECT_EQ(only<WorkerLost>(out).worker, "scaler-a");
    EXPECT_EQ(all<Refusal>(out).size(), 1U);
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(only<ToPeer>(desk.request(desk.reaper, "scaler.terminate_orphan")).route, route_of("scaler-b"));
    }
    EXPECT_TRUE(lose_route(desk.state, route_of("nobody")).empty());
}

TEST(workers, a_revoked_one_is_gone_at_once) {
    Desk desk;
    desk.serve(desk.h1, "host.h-1");
    desk.request(desk.allocator, "host.bind", "h-1");
    const auto out = revoke(desk.state, "h-1");
    EXPECT_EQ(only<Refusal>(out).route, route_of("allocator"));
    EXPECT_TRUE(desk.state.host_routes.empty());
    EXPECT_FALSE(desk.state.services.contains("host.h-1")) << "services of hosts that are gone do not pile up";
}

TEST(workers, hear_the_broker_every_second) {
    Desk desk;
    desk.state.policy.beat_period = Policy{}.beat_period;
    desk.serve(desk.allocator, "allocator");
    for (int second = 0; second < 20; ++second) {
        EXPECT_EQ(all<Beat>(tick(desk.state, desk.now + Duration{999})).size(), 0U);
        EXPECT_EQ(all<Beat>(tick(desk.state, desk.now += Duration{1'000})).size(), 1U);
        desk.beat(desk.allocator);
    }
}

TEST(workers, that_are_hosts_are_beaten_when_they_beat) {
    Desk desk;
    desk.state.policy.beat_period = Policy{}.beat_period;
    desk.serve(desk.h1, "host.h-1");
    desk.serve(desk.allocator, "allocator");
    for (int i = 0; i < 4; ++i) {
        desk.now += Duration{5'000};
        desk.beat(desk.allocator);
        EXPECT_EQ(only<Beat>(desk.beat(desk.h1)).route, route_of("h-1"));
        const auto out = tick(desk.state, desk.now);
        EXPECT_TRUE(all<WorkerLost>(out).empty());
        EXPECT_EQ(only<Beat>(out).route, route_of("allocator"));
    }
    desk.now += host_silence_max;
    desk.beat(desk.allocator);
    EXPECT_TRUE(all<WorkerLost>(tick(desk.state, desk.now)).empty());
    const auto out = tick(desk.state, desk.now += Duration{1});
    EXPECT_EQ(only<WorkerLost>(out).worker, "h-1");
    EXPECT_TRUE(desk.state.workers.contains("allocator"));
}

TEST(workers, that_are_hosts_are_beaten_while_they_are_asked_something) {
    Desk desk;
    desk.state.policy.beat_period = Policy{}.beat_period;
    desk.serve(desk.h1, "host.h-1");
    EXPECT_TRUE(tick(desk.state, desk.now += Duration{4'000}).empty());
    const auto asked = only<ToPeer>(desk.request(desk.allocator, "host.bind", "h-1"));
    EXPECT_TRUE(tick(desk.state, desk.now += Duration{999}).empty());
    EXPECT_EQ(only<Beat>(tick(desk.state, desk.now += Duration{1})).route, route_of("h-1"));
    EXPECT_EQ(only<Beat>(tick(desk.state, desk.now += Duration{1'000})).route, route_of("h-1")) << "so that the end of its connection is seen";
    desk.reply(desk.h1, asked.stamp.tag);
    EXPECT_TRUE(tick(desk.state, desk.now += Duration{1'000}).empty());
    EXPECT_TRUE(tick(desk.state, desk.now += Duration{1'000}).empty());
}

TEST(workers, one_that_went_is_looked_at_no_more) {
    Desk desk;
    desk.serve(desk.h1, "host.h-1");
    desk.serve(desk.h1, "host.h-1", route_of("new"));
    desk.serve(desk.allocator, "allocator");
    EXPECT_EQ(desk.state.due.size(), 2U);
    desk.give(desk.allocator, "broker.leave.", encode_envelope(desk.envelope(desk.allocator, "broker.leave")));
    revoke(desk.state, "h-1");
    EXPECT_TRUE(desk.state.due.empty());
}

TEST(workers, one_tick_ends_a_bounded_number_of_requests) {
    Desk desk;
    desk.state.policy.pending_per_peer_max = 100'000;
    desk.serve(desk.allocator, "allocator");
    for (std::size_t i = 0; i < expired_per_tick_max + 10; ++i) {
        desk.request(desk.robot, "allocator.claim", "", desk.now + Duration{5});
    }
    desk.now += Duration{5};
    EXPECT_EQ(all<Refusal>(tick(desk.state, desk.now)).size(), expired_per_tick_max);
    EXPECT_EQ(all<Refusal>(tick(desk.state, desk.now)).size(), 10U);
}

}  // namespace
}  // namespace berth::broker
