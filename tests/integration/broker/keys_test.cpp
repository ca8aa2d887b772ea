// SPDX-License-Identifier: Apache-2.0
// Who gets in at all: only enrolled keys, only where their role belongs, only as long as they are enrolled.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <future>

#include "tests/integration/broker/raw_peer.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;

bus::KeyPair fresh_pair() {
    std::array<char, 41> open_half{}, secret_half{};
    zmq_curve_keypair(open_half.data(), secret_half.data());
    return {open_half.data(), secret_half.data()};
}

enum class Met { admitted, refused, nothing };

/// What libzmq itself says of the handshake of one connecting socket.
Met meet(const std::string& address, const std::function<void(zmq::socket_t&)>& configure,
         zmq::socket_type type = zmq::socket_type::dealer) {
    zmq::context_t context(1);
    zmq::socket_t socket(context, type);
    socket.set(zmq::sockopt::linger, 0);
    configure(socket);
    const int wanted = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED;
    if (zmq_socket_monitor(socket.handle(), "inproc://watch", wanted) != 0) return Met::nothing;
    zmq::socket_t watch(context, zmq::socket_type::pair);
    watch.set(zmq::sockopt::linger, 0);
    watch.connect("inproc://watch");
    socket.connect(address);
    zmq_pollitem_t item{watch.handle(), 0, ZMQ_POLLIN, 0};
    auto met = Met::nothing;
    if (zmq_poll(&item, 1, 5'000) > 0) {
        zmq::message_t event;
        std::ignore = watch.recv(event);
        std::uint16_t kind = 0;
        std::memcpy(&kind, event.data(), sizeof kind);
        met = kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED ? Met::admitted : Met::refused;
    }
    zmq_socket_monitor(socket.handle(), nullptr, 0);
    return met;
}

class Keys : public ::testing::Test {
protected:
    Keys() {
        cluster.mint("h-1", Role::host);
        cluster.start("broker");
        to = cluster.connection("robot", Role::client);
    }
    std::function<void(zmq::socket_t&)> curve(const bus::KeyPair& own, const std::string& server_key) {
        return [own, server_key](zmq::socket_t& socket) {
            socket.set(zmq::sockopt::curve_serverkey, server_key);
            socket.set(zmq::sockopt::curve_publickey, own.public_key);
            socket.set(zmq::sockopt::curve_secretkey, own.secret_key);
        };
    }
    bus::KeyPair key_of(const std::string& name) { return *bus::load_key(cluster.state() + "/keys", name); }
    /// A request to the broker itself and its answer.
    static bool answered(RawPeer& peer, Duration within = Duration{5'000}) {
        if (!peer.send({"broker.status.", encode_envelope(peer.envelope("broker.status"))}, within)) return false;
        return peer.hear(within).has_value();
    }

    Cluster cluster;
    bus::Connection to;
};

TEST_F(Keys, enrolled_ones_are_admitted_where_their_role_belongs_and_nowhere_else) {
    const auto allocator_address = cluster.connection("allocator", Role::allocator).requests;
    struct Row {
        std::string name;
        std::string address;
        zmq::socket_type type;
        Met met;
    };
    for (const auto& row : std::vector<Row>{
             {"robot", to.requests, zmq::socket_type::dealer, Met::admitted},
             {"robot", to.events_out, zmq::socket_type::sub, Met::admitted},
             {"robot", to.events_in, zmq::socket_type::pub, Met::admitted},
             {"robot", allocator_address, zmq::socket_type::dealer, Met::refused},
             {"gateway", allocator_address, zmq::socket_type::dealer, Met::refused},
             {"allocator", allocator_address, zmq::socket_type::dealer, Met::admitted},
             {"h-1", to.requests, zmq::socket_type::dealer, Met::admitted},
             {"h-1", to.events_out, zmq::socket_type::sub, Met::refused},
             {"h-1", to.events_in, zmq::socket_type::pub, Met::refused},
             {"h-1", allocator_address, zmq::socket_type::dealer, Met::refused}}) {
        EXPECT_EQ(meet(row.address, curve(key_of(row.name), to.broker_key), row.type), row.met)
            << row.name << " at " << row.address << " (" << static_cast<int>(row.type) << ")";
    }
}

TEST_F(Keys, others_are_refused_on_every_socket) {
    const auto stranger = fresh_pair();
    const auto mixed = bus::KeyPair{key_of("robot").public_key, stranger.secret_key};
    const auto allocator_address = cluster.connection("allocator", Role::allocator).requests;
    struct Row {
        std::string what;
        std::future<Met> met;
    };
    std::vector<Row> rows;                      // all at once: libzmq gives some of them 3 s
    const auto add = [&](std::string what, const std::string& address, zmq::socket_type type, auto configure) {
        rows.push_back({std::move(what), std::async(std::launch::async, meet, address, configure, type)});
    };
    for (const auto& [address, type] : {std::pair{to.requests, zmq::socket_type::dealer},
                                        std::pair{to.events_in, zmq::socket_type::pub},
                                        std::pair{to.events_out, zmq::socket_type::sub},
                                        std::pair{allocator_address, zmq::socket_type::dealer}}) {
        add("a key that is not enrolled", address, type, curve(stranger, to.broker_key));
        add("a public key without its secret", address, type, curve(mixed, to.broker_key));
        add("another server's key", address, type, curve(key_of("robot"), fresh_pair().public_key));
        add("no CURVE at all", address, type, [](zmq::socket_t&) {});
        add("PLAIN", address, type, [](zmq::socket_t& socket) {
            socket.set(zmq::sockopt::plain_username, "robot");
            socket.set(zmq::sockopt::plain_password, "robot");
        });
    }
    for (auto& row : rows) EXPECT_NE(row.met.get(), Met::admitted) << row.what;
    RawPeer tap(cluster, "tap", Role::tap);
    EXPECT_GE(counted(tap, "handshakes_refused"), 4U);
}

TEST_F(Keys, one_that_is_enrolled_while_it_tries_gets_in_by_itself) {
    const auto pair = fresh_pair();
    RawPeer late(pair, to.broker_key, to.requests, zmq::socket_type::dealer, "late");
    RawPeer tap(cluster, "tap", Role::tap);
    ASSERT_TRUE(eventually([&] { return counted(tap, "handshakes_refused") >= 1; }));
    write_text(cluster.state() + "/keys/peers/late", "client " + pair.public_key + "\n");
    EXPECT_TRUE(answered(late)) << "without a restart of anyone";
}

TEST_F(Keys, a_revoked_one_is_not_heard_any_more_and_hears_nothing) {
    RawPeer robot(cluster, "robot", Role::client);
    RawPeer listening(cluster, "robot", Role::client, zmq::socket_type::sub);
    RawPeer tap(cluster, "tap", Role::tap);
    RawPeer tapping(cluster, "tap", Role::tap, zmq::socket_type::sub);
    RawPeer gateway(cluster, "gateway", Role::gateway);
    for (auto* one : {&listening, &tapping}) {
        for (const auto* topic : {"", "broker.beat."}) one->socket().set(zmq::sockopt::subscribe, topic);
        ASSERT_TRUE(one->receive());
    }
    ASSERT_TRUE(answered(robot));
    const auto refused_before = counted(tap, "handshakes_refused");
    ASSERT_TRUE(bus::revoke_key(cluster.state() + "/keys", "robot"));
    ASSERT_TRUE(eventually([&] {
        while (robot.receive(Duration{0})) {}
        robot.send({"broker.status.", encode_envelope(robot.envelope("broker.status"))}, Duration{0});
        return counted(tap, "unknown_sender") > 0;
    })) << "its live connection is not enough";
    ASSERT_TRUE(eventually([&] { return counted(tap, "handshakes_refused") > refused_before; }))
        << "its listening socket was cut and tries in vain";
    while (listening.receive(Duration{0})) {}
    std::string id;
    ASSERT_TRUE(eventually([&] {
        id = gateway.say("claim.requested");
        const auto heard = tapping.hear(Duration{100});
        return heard && heard->topic == "claim.requested.";
    })) << "the others listen on";
    EXPECT_FALSE(listening.receive(Duration{0}));
}

TEST_F(Keys, a_second_broker_on_the_same_state_says_so_and_ends) {
    Child second({std::string{BERTH_BIN_DIR} + "/berth-broker", "--state", cluster.state()}, cluster.state() + "/log/second.log");
    const auto status = second.wait(Duration{10'000});
    ASSERT_TRUE(status);
    EXPECT_NE(*status, 0);
    EXPECT_THAT(read_text(second.log()), HasSubstr("is another broker running on this state?"));
    RawPeer tap(cluster, "tap", Role::tap);
    EXPECT_TRUE(answered(tap)) << "the first goes on";
}

TEST(broker_start, refuses_keys_that_others_can_read_or_that_are_damaged) {
    const auto start = [](const std::function<void(const std::string&)>& damage) {
        Cluster cluster;
        damage(cluster.state() + "/keys");
        Child child({std::string{BERTH_BIN_DIR} + "/berth-broker", "--state", cluster.state()}, cluster.state() + "/log/b.log");
        const auto status = child.wait(Duration{10'000});
        EXPECT_TRUE(status && *status != 0);
        return read_text(child.log());
    };
    EXPECT_THAT(start([](const auto& keys) { ::chmod((keys + "/broker.key").c_str(), 0644); }), HasSubstr("chmod 600"));
    EXPECT_THAT(start([](const auto& keys) { ::unlink((keys + "/broker.key").c_str()); }), HasSubstr("broker.key"));
    EXPECT_THAT(start([](const auto& keys) { write_text(keys + "/peers/x", "client zzz\n"); }), HasSubstr("peers/x"));
    EXPECT_THAT(start([](const auto& keys) {
        const auto text = read_text(keys + "/broker.key");
        write_text(keys + "/broker.key", text.substr(0, 41) + std::string(40, '0') + "\n");
    }), HasSubstr("broker.key")) << "libzmq would serve with the all-zero key";
}

TEST(broker_start, no_key_stands_in_its_log) {
    Cluster cluster;
    cluster.start("broker", {"--log-level", "debug"});
    RawPeer robot(cluster, "robot", Role::client);
    ASSERT_TRUE(robot.say("broker.status").size() && robot.hear());
    ASSERT_EQ(cluster.process("broker").terminate(), 0);
    const auto secret = bus::load_key(cluster.state() + "/keys", "broker")->secret_key;
    EXPECT_THAT(cluster.log_of("broker"), Not(HasSubstr(secret)));
}

}  // namespace
}  // namespace berth::testing
