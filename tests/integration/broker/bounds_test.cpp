// SPDX-License-Identifier: Apache-2.0
// Bad input on the wire (I24): it is refused, counted, and the broker serves everyone else as before.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "base/rng.hpp"
#include "tests/integration/broker/raw_peer.hpp"

namespace berth::testing {
namespace {

/// Megabytes more than before. Under ASan freed memory stays for a while, and all has red zones.
constexpr std::uint64_t more(std::uint64_t mb) {
#ifdef __SANITIZE_ADDRESS__
    return 3 * mb + 300;
#else
    return mb;
#endif
}

class Bounds : public ::testing::Test {
protected:
    Bounds() {
        cluster.start("broker");
        gateway.emplace(cluster, "gateway", Role::gateway);
        robot.emplace(cluster, "robot", Role::client);
        EXPECT_TRUE(status(*robot));
    }
    void TearDown() override {
        EXPECT_TRUE(cluster.process("broker").alive()) << cluster.log_of("broker");
        EXPECT_TRUE(status(*gateway)) << "the others are served as before";
    }
    static bool status(RawPeer& peer) {
        const auto id = peer.say("broker.status");
        while (const auto reply = peer.hear()) {
            if (reply->stamp.tag == id) return !reply->envelope.error;
        }
        return false;
    }
    bool becomes(const std::string& counter, std::uint64_t at_least) {
        return eventually([&] { return counted(*gateway, counter) >= at_least; });
    }
    std::uint64_t broker_rss_mb() {
        std::ifstream file("/proc/" + std::to_string(cluster.process("broker").pid()) + "/statm");
        std::uint64_t total = 0, resident = 0;
        file >> total >> resident;
        return resident * 4096 / 1'000'000;
    }

    Cluster cluster;
    std::optional<RawPeer> gateway;
    std::optional<RawPeer> robot;
};

TEST_F(Bounds, messages_without_sense_are_dropped_and_counted) {
    const auto sound = encode_envelope(robot->envelope("allocator.claim"));
    const std::vector<std::vector<std::string>> junk{
        {"x"}, {"", ""}, {"allocator.claim.", ""}, {"allocator.claim.", "junk"}, {"allocator.claim.", "\x80"},
        {"allocator.claim.", sound, "tag", "more"}, {"allocator.claim.", sound, "x"}, {"reply.", sound},
        {"allocator.claim.", sound + "trailing"}, {"allocator.claim.", std::string("\xdf\xff\xff\xff\xff", 5)},
        {"allocator.claim.", std::string("\xdd\x7f\xff\xff\xff", 5)}, {"allocator.claim.", std::string(10'000, '\x91')}};
    for (const auto& frames : junk) ASSERT_TRUE(robot->send(frames));
    EXPECT_TRUE(becomes("malformed", junk.size()));
    ASSERT_TRUE(robot->send({std::string(129, 't'), sound}));
    EXPECT_TRUE(becomes("oversized", 1));
    EXPECT_FALSE(robot->hear(Duration{0})) << "what has no id has no answer";
    for (const auto* topic : {"no.such.", "allocator.claim", "allocator..", "allocator.claim.h 1."}) {
        ASSERT_TRUE(robot->send({topic, encode_envelope(robot->envelope("allocator.claim"))}));
        const auto reply = robot->hear();
        ASSERT_TRUE(reply && reply->envelope.error) << topic;
    }
}

TEST_F(Bounds, a_frame_over_the_limit_cuts_its_sender_alone_and_it_comes_back) {
    const auto rss = broker_rss_mb();
    ASSERT_TRUE(robot->send({"allocator.claim.", std::string(32 * 1024 * 1024, 'x')}));
    ASSERT_TRUE(eventually([&] {
        auto made = robot->envelope("broker.status");
        robot->send({"broker.status.", encode_envelope(made)}, Duration{100});
        const auto reply = robot->hear(Duration{100});
        return reply && reply->stamp.tag == made.id;
    })) << "a new connection";
    EXPECT_LT(broker_rss_mb(), rss + more(16)) << "the frame was never taken in";
}

TEST_F(Bounds, a_message_of_ten_thousand_frames_is_thrown_away_frame_by_frame) {
    const auto rss = broker_rss_mb();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(robot->send(std::vector<std::string>(10'000, std::string(512, 'x'))));
    EXPECT_TRUE(becomes("malformed", 3));
    EXPECT_LT(broker_rss_mb(), rss + more(64));
    EXPECT_TRUE(status(*robot));
}

TEST_F(Bounds, a_routing_id_of_ones_own_choice_is_answered_never) {
    // Two connections with one id: libzmq would give the messages of the one to the other.
    RawPeer squatter(cluster, "tap", Role::tap, zmq::socket_type::dealer, "gateway");
    RawPeer zero(cluster, "tap", Role::tap, zmq::socket_type::dealer, "\1\2\3\4\5");
    ASSERT_TRUE(squatter.send({"broker.status.", encode_envelope(squatter.envelope("broker.status"))}));
    ASSERT_TRUE(zero.send({"broker.status.", encode_envelope(zero.envelope("broker.status"))}));
    EXPECT_TRUE(becomes("chosen_route", 2));
    EXPECT_FALSE(squatter.receive(Duration{0}));
    EXPECT_FALSE(zero.receive(Duration{0}));
}

TEST_F(Bounds, a_flood_of_requests_is_refused_beyond_the_cap_and_others_go_on) {
    Cluster small("[broker]\npending_per_peer_max = 100\nworker_silence_max = \"60s\"\n");
    small.start("broker");
    RawPeer worker(small, "scaler", Role::scaler);
    RawPeer flood(small, "reaper", Role::reaper);
    ASSERT_TRUE(worker.serve("scaler"));
    for (int i = 0; i < 1'000; ++i) flood.say("scaler.terminate_orphan");
    int limited = 0;
    ASSERT_TRUE(eventually([&] {
        while (const auto reply = flood.hear(Duration{0})) {
            limited += reply->envelope.error && reply->envelope.error->kind == ErrorKind::limit ? 1 : 0;
        }
        return limited == 900;
    })) << limited;
    RawPeer tap(small, "tap", Role::tap);
    EXPECT_EQ(counted(tap, "pending"), 100U);
    EXPECT_EQ(counted(tap, "over_limit"), 900U);
    for (int i = 0; i < 100; ++i) {
        const auto request = worker.hear();
        ASSERT_TRUE(request && worker.reply(*request));
    }
    for (int i = 0; i < 100; ++i) {
        const auto reply = flood.hear();
        ASSERT_TRUE(reply && !reply->envelope.error);
    }
}

TEST_F(Bounds, a_listener_that_does_not_read_stops_nobody_and_costs_what_its_queue_costs) {
    RawPeer stuck(cluster, "tap", Role::tap, zmq::socket_type::sub);
    RawPeer good(cluster, "robot", Role::client, zmq::socket_type::sub);
    stuck.socket().set(zmq::sockopt::rcvhwm, 10);
    for (auto* one : {&stuck, &good}) {
        for (const auto* topic : {"claim.", "broker.beat."}) one->socket().set(zmq::sockopt::subscribe, topic);
        ASSERT_TRUE(one->receive());
    }
    const auto rss = broker_rss_mb();
    RawPeer sender(cluster, "gateway", Role::gateway);
    const auto event = encode_envelope(sender.envelope("claim.requested", encode(LinkReply{.url = std::string(1'000, 'x')})));
    std::size_t heard = 0;
    constexpr std::size_t events = 60'000;     // 60 MB, several times what a listener's queue holds
    constexpr std::size_t window = 2'000;      // and what the one that does read is behind at most
    for (std::size_t i = 0; i < events; ++i) {
        ASSERT_TRUE(sender.send({"claim.requested.", event}));
        while (i >= heard + window) {
            const auto got = good.receive();
            ASSERT_TRUE(got) << "after " << heard;
            heard += got->at(0) == "claim.requested." ? 1 : 0;
        }
    }
    ASSERT_TRUE(eventually([&] {
        while (const auto got = good.receive(Duration{0})) heard += got->at(0) == "claim.requested." ? 1 : 0;
        return heard == events;
    }, Duration{20'000})) << heard << " of " << events;
    EXPECT_LT(broker_rss_mb(), rss + more(120)) << "the queue of the one that does not read is bounded";
}

TEST_F(Bounds, a_flood_of_subscriptions_shuts_its_sender_out_and_the_others_listen_on) {
    RawPeer good(cluster, "robot", Role::client, zmq::socket_type::sub);
    for (const auto* topic : {"claim.", "broker.beat."}) good.socket().set(zmq::sockopt::subscribe, topic);
    ASSERT_TRUE(good.receive());
    const auto to = cluster.connection("tap", Role::tap);
    zmq::context_t own{1};
    auto flood = std::move(*bus::open_client(own, {.type = zmq::socket_type::sub, .send_queue = 100'000}, to.own,
                                             to.broker_key, to.events_out));
    const auto rss = broker_rss_mb();
    Rng rng(3);
    for (int i = 0; i < 25'000; ++i) flood.set(zmq::sockopt::subscribe, fmt::format("{:0200}", rng.next()));
    ASSERT_TRUE(eventually([&] {
        zmq_pollitem_t item{flood.handle(), 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, 0);   // a SUB subscribes when its thread looks at it
        return counted(*gateway, "subscription_floods") == 1;
    }, Duration{20'000}));
    EXPECT_TRUE(becomes("handshakes_refused", 1)) << "it tries again, in vain";
    EXPECT_LT(broker_rss_mb(), rss + more(250));
    ASSERT_TRUE(eventually([&] {
        gateway->say("claim.requested");
        const auto heard = good.hear(Duration{50});
        return heard && heard->topic == "claim.requested.";
    }));
    RawPeer asking(cluster, "tap", Role::tap);
    EXPECT_TRUE(status(asking)) << "it may still ask";
}

TEST_F(Bounds, silent_connections_do_not_keep_honest_ones_out_and_are_ended) {
    const auto address = cluster.connection("robot", Role::client).requests;
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    std::vector<pollfd> silent;
    for (int i = 0; i < 400; ++i) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
        silent.push_back({fd, POLLRDHUP, 0});
    }
    const auto begun = real_now();
    RawPeer honest(cluster, "tap", Role::tap);
    EXPECT_TRUE(status(honest));
    EXPECT_LT(real_now() - begun, Duration{5'000}) << "400 connections that never say a word";
    EXPECT_TRUE(eventually([&] {
        ::poll(silent.data(), silent.size(), 0);
        return std::all_of(silent.begin(), silent.end(), [](const auto& one) { return one.revents != 0; });
    })) << "a handshake has 3 s";
    for (const auto& one : silent) ::close(one.fd);
}

TEST_F(Bounds, ten_thousand_mutated_messages_end_nothing) {
    Rng rng(7);
    auto sample = robot->envelope("allocator.claim", encode(ClaimRequest{.key = {"k"}, .user = {"ada"}, .project = {"p"}}));
    sample.deadline = real_now() + Duration{60'000};
    const auto sound = encode_envelope(sample);
    for (int i = 0; i < 10'000; ++i) {
        std::vector<std::string> frames{"allocator.claim.", sound};
        for (std::uint64_t k = 0, n = 1 + rng.below(3); k < n; ++k) {
            auto& frame = frames[rng.below(frames.size())];
            switch (rng.below(5)) {
                case 0: frame[rng.below(frame.size())] = static_cast<char>(rng.below(256)); break;
                case 1: frame.resize(1 + rng.below(frame.size())); break;
                case 2: frame.insert(rng.below(frame.size()), 1, static_cast<char>(rng.below(256))); break;
                case 3: frames.insert(frames.begin() + static_cast<std::ptrdiff_t>(rng.below(frames.size())), "x"); break;
                default: frame.insert(rng.below(frame.size()), "\xdb\xff\xff\xff\xff"); break;
            }
        }
        ASSERT_TRUE(robot->send(frames));
        while (i % 64 == 0 && robot->receive(Duration{0})) {}
    }
    ASSERT_TRUE(status(*robot));
    EXPECT_GT(counted(*gateway, "malformed"), 1'000U);
}

}  // namespace
}  // namespace berth::testing
