// SPDX-License-Identifier: Apache-2.0
// Requests through the real broker: whom they reach, and that each ends by a reply or an error that says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/broker/raw_peer.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;

constexpr auto orphan = request_name<TerminateOrphanRequest>;
constexpr auto claim = request_name<ClaimRequest>;

class Services : public ::testing::Test {
protected:
    /// Peers of these tests beat only where the beats are what is tested.
    explicit Services(const std::string& broker = "worker_silence_max = \"60s\"\n") : cluster("[broker]\n" + broker) {
        cluster.start("broker");
    }
    RawPeer scaler(const std::string& name) {
        cluster.mint(name, Role::scaler);
        return RawPeer(cluster, name, Role::scaler);
    }
    Cluster cluster;
};

class Silence : public Services {
protected:
    Silence() : Services("beat_period = \"100ms\"\nworker_silence_max = \"4s\"\n") {}
};

TEST_F(Services, each_request_goes_to_the_worker_that_was_used_longest_ago) {
    RawPeer a = scaler("s-a"), b = scaler("s-b"), c = scaler("s-c");
    RawPeer reaper(cluster, "reaper", Role::reaper);
    for (auto* worker : {&a, &b, &c}) ASSERT_TRUE(worker->serve("scaler"));
    std::vector<std::string> order;
    for (int i = 0; i < 7; ++i) {
        reaper.say(orphan);
        for (auto* worker : {&a, &b, &c}) ASSERT_TRUE(worker->beat());
        ASSERT_TRUE(eventually([&] {
            for (auto* worker : {&a, &b, &c}) {
                const auto request = worker->hear(Duration{0});
                if (!request) continue;
                order.push_back(worker->name());
                EXPECT_EQ(request->stamp.sender, "reaper");
                return worker->reply(*request);
            }
            return false;
        }));
        const auto reply = reaper.hear();
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->stamp.sender, order.back());
    }
    EXPECT_THAT(order, ::testing::ElementsAre("s-a", "s-b", "s-c", "s-a", "s-b", "s-c", "s-a"));
}

TEST_F(Services, nobody_serving_is_an_error_at_once) {
    RawPeer robot(cluster, "robot", Role::client);
    ASSERT_TRUE(robot.say(request_name<BrokerStatusRequest>).size() && robot.hear());   // connected
    const auto begun = real_now();
    const auto id = robot.say(claim);
    const auto reply = robot.hear();
    ASSERT_TRUE(reply && reply->envelope.error);
    EXPECT_EQ(reply->stamp, (Stamp{Role::broker, "broker", id}));
    EXPECT_EQ(reply->envelope.correlation_id, id);
    EXPECT_EQ(reply->envelope.error->kind, ErrorKind::unavailable);
    EXPECT_THAT(reply->envelope.error->text, HasSubstr("nobody serves allocator"));
    EXPECT_LT(real_now() - begun, Duration{5'000}) << "not only at the deadline";
}

TEST_F(Services, the_deadline_in_the_request_ends_it_and_a_late_reply_is_dropped_and_counted) {
    RawPeer worker = scaler("s-a");
    RawPeer reaper(cluster, "reaper", Role::reaper);
    RawPeer tap(cluster, "tap", Role::tap);
    ASSERT_TRUE(worker.serve("scaler"));
    const auto id = reaper.say(orphan, "", {}, real_now() + Duration{300});
    const auto request = worker.hear();
    ASSERT_TRUE(request && request->envelope.deadline);
    const auto reply = reaper.hear();
    ASSERT_TRUE(reply && reply->envelope.error);
    EXPECT_EQ(reply->envelope.error->kind, ErrorKind::timeout);
    EXPECT_THAT(reply->envelope.error->text, HasSubstr(id));
    EXPECT_GE(real_now(), *request->envelope.deadline - Duration{2}) << "the broker's clock is another one";
    EXPECT_LT(real_now() - *request->envelope.deadline, Duration{20'000});
    ASSERT_TRUE(worker.reply(*request));
    ASSERT_TRUE(eventually([&] { return counted(tap, "late_replies") == 1; }));
    EXPECT_FALSE(reaper.hear(Duration{0}));
    EXPECT_EQ(counted(tap, "pending"), 0U);
}

TEST_F(Silence, beats_go_both_ways_and_silence_ends_a_worker_and_its_requests) {
    RawPeer worker = scaler("s-a");
    RawPeer reaper(cluster, "reaper", Role::reaper);
    ASSERT_TRUE(worker.serve("scaler"));
    const auto beat = topic_of(event_name<ServeBeat>);
    int heard = 0;
    ASSERT_TRUE(eventually([&] {                       // longer than the silence that would end it
        worker.beat();
        const auto frames = worker.receive(Duration{20});
        heard += frames && frames->at(0) == beat ? 1 : 0;
        return heard >= 45;
    }, Duration{30'000}));
    reaper.say(orphan);
    ASSERT_TRUE(worker.hear());                        // and now it is silent, with the request in its hands
    const auto reply = reaper.hear();
    ASSERT_TRUE(reply && reply->envelope.error);
    EXPECT_EQ(reply->envelope.error->kind, ErrorKind::unavailable);
    EXPECT_THAT(reply->envelope.error->text, HasSubstr("may or may not have done"));
    worker.beat();
    const auto told = worker.hear();
    ASSERT_TRUE(told);
    EXPECT_EQ(told->topic, topic_of(event_name<ServeEnd>)) << "so it knows that it must register again";
    ASSERT_TRUE(worker.serve("scaler"));
    reaper.say(orphan);
    EXPECT_TRUE(worker.hear());
}

TEST_F(Silence, a_worker_that_is_killed_ends_its_requests_long_before_their_deadline) {
    cluster.start("allocator");
    RawPeer robot(cluster, "robot", Role::client);
    RawPeer tap(cluster, "tap", Role::tap);
    const auto id = robot.say(claim, "", encode(ClaimRequest{.key = {"k"}, .user = {"ada"}, .project = {"site"}}),
                              real_now() + Duration{60'000});
    ASSERT_TRUE(eventually([&] { return counted(tap, "pending") == 1; }));
    cluster.process("allocator").kill();
    const auto reply = robot.hear(Duration{20'000});
    ASSERT_TRUE(reply && reply->envelope.error) << "the caller waits in vain";
    EXPECT_EQ(reply->stamp.tag, id);
    EXPECT_EQ(reply->envelope.error->kind, ErrorKind::unavailable);
}

TEST_F(Services, a_worker_that_connects_anew_gets_new_requests_and_its_old_ones_end) {
    RawPeer reaper(cluster, "reaper", Role::reaper);
    auto first = std::make_unique<RawPeer>(scaler("s-a"));
    ASSERT_TRUE(first->serve("scaler"));
    reaper.say(orphan);
    ASSERT_TRUE(first->hear());
    RawPeer second(cluster, "s-a", Role::scaler);
    ASSERT_TRUE(second.serve("scaler"));
    const auto reply = reaper.hear();
    ASSERT_TRUE(reply && reply->envelope.error);
    EXPECT_EQ(reply->envelope.error->kind, ErrorKind::unavailable);
    reaper.say(orphan);
    EXPECT_TRUE(second.hear());
    EXPECT_FALSE(first->hear(Duration{0}));
}

TEST_F(Services, an_answer_over_the_bound_ends_its_request_with_an_error) {
    const std::string much(1536 * 1024, 'x');
    cluster.mint("h-1", Role::host);
    RawPeer host(cluster, "h-1", Role::host);
    RawPeer gateway(cluster, "gateway", Role::gateway);
    const auto to = cluster.connection("allocator", Role::allocator);
    RawPeer allocator(to.own, to.broker_key, to.requests, zmq::socket_type::dealer, "allocator");
    ASSERT_TRUE(host.serve("host.h-1"));
    ASSERT_TRUE(allocator.serve("allocator"));

    gateway.say(request_name<ViewRequest>);
    auto request = allocator.hear();
    ASSERT_TRUE(request && allocator.reply(*request, encode(LinkReply{.url = much})));
    auto reply = gateway.hear();
    ASSERT_TRUE(reply && !reply->envelope.error) << "the allocator may give whole views";
    EXPECT_GT(reply->envelope.data.size(), much.size());

    host.say(request_name<HostHeartbeat>);
    request = allocator.hear();
    ASSERT_TRUE(request && allocator.reply(*request, encode(LinkReply{.url = much})));
    reply = host.hear();
    ASSERT_TRUE(reply && reply->envelope.error) << "but not to a host";
    EXPECT_EQ(reply->envelope.error->kind, ErrorKind::limit);

    allocator.say(request_name<SealCommand>, "h-1");
    request = host.hear();
    ASSERT_TRUE(request && host.reply(*request, encode(LinkReply{.url = much})));
    reply = allocator.hear();
    ASSERT_TRUE(reply && reply->envelope.error) << "a host that sends such a frame is cut off";
    EXPECT_EQ(reply->envelope.error->kind, ErrorKind::unavailable);
}

}  // namespace
}  // namespace berth::testing
