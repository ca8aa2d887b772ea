// SPDX-License-Identifier: Apache-2.0
// libzmq's traps around delivery on the library that is installed: what is lost in
// silence, what blocks, what stays open; and what bus/socket.cpp and the endpoint make of it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <set>

#include "tests/support/child.hpp"
#include "tests/support/zap_stub.hpp"

namespace berth::testing {
namespace {

using Steady = std::chrono::steady_clock;

Duration since(Steady::time_point begun) { return std::chrono::duration_cast<Duration>(Steady::now() - begun); }

class Delivery : public ::testing::Test {
protected:
    bus::Bound our_server(zmq::socket_type type, std::size_t message_max = bus::frame_max) {
        return std::move(*bus::open_server(context, {.type = type}, server, {{"tcp://127.0.0.1:*", "d", message_max}}));
    }
    zmq::socket_t client(const std::string& address, zmq::socket_type type, int queue = 16'384) {
        return std::move(*bus::open_client(clients, {.type = type, .send_queue = queue, .receive_queue = queue}, own,
                                           server.public_key, address));
    }

    /// What the XPUB was asked for. A SUB subscribes when its own thread looks at it, and not before.
    static std::string asked_of(zmq::socket_t& out, zmq::socket_t& listener, Duration within = Duration{10'000}) {
        std::string text;
        eventually([&] {
            zmq_pollitem_t item{listener.handle(), 0, ZMQ_POLLIN, 0};
            zmq_poll(&item, 1, 0);
            const auto frames = take(out, 5);
            if (!frames.empty()) text = frames[0];
            return !frames.empty();
        }, within);
        return text;
    }

    bus::KeyPair server = fresh_pair();
    bus::KeyPair own = fresh_pair();
    zmq::context_t context{1};
    ZapStub zap{context, [](const std::string&) { return true; }};
    zmq::context_t clients{1};
};

TEST_F(Delivery, long_topics_may_be_lost_and_ours_are_not_long) {
    const auto lost_of = [](zmq::socket_t& out, zmq::socket_t& listener) {
        std::set<std::size_t> lost;
        for (const std::size_t size : {1UL, 100UL, bus::topic_max, 245UL, 246UL, 250UL, 255UL, 256UL, 300UL}) {
            const std::string topic(size, 't');
            const bool legal = size <= bus::topic_max;        // what may be lost is not waited for as long
            const auto until_asked = [&](char how) {
                eventually([&] { return asked_of(out, listener, Duration{100}) == how + topic; }, Duration{legal ? 10'000 : 500});
            };
            listener.set(zmq::sockopt::subscribe, topic);
            until_asked('\1');
            zmq_send(out.handle(), topic.data(), topic.size(), 0);
            if (take(listener, legal ? 10'000 : 200).empty()) lost.insert(size);
            listener.set(zmq::sockopt::unsubscribe, topic);
            until_asked('\0');
        }
        std::string text;
        for (const auto size : lost) text += std::to_string(size) + " ";
        std::printf("this library loses topics of these sizes: %s\n", text.empty() ? "none" : text.c_str());
        return lost;
    };
    auto out = our_server(zmq::socket_type::xpub);
    auto listener = client(out.addresses[0], zmq::socket_type::sub);
    const auto lost = lost_of(out.socket, listener);
    EXPECT_TRUE(lost.empty() || *lost.begin() > bus::topic_max);
    zmq::socket_t bare_out(context, zmq::socket_type::xpub), bare_listener(clients, zmq::socket_type::sub);
    for (auto* socket : {&bare_out, &bare_listener}) {
        socket->set(zmq::sockopt::linger, 0);
        socket->set(zmq::sockopt::maxmsgsize, std::int64_t{1'000'000});   // 4.3.4 reads a wild size from such a topic
    }
    bare_out.bind("tcp://127.0.0.1:*");
    bare_listener.connect(bare_out.get(zmq::sockopt::last_endpoint));
    lost_of(bare_out, bare_listener);   // left alone, without CURVE
}

TEST_F(Delivery, a_publisher_drops_in_silence_when_a_listener_is_slow_and_does_not_wait_for_it) {
    auto out = our_server(zmq::socket_type::xpub);
    auto slow = client(out.addresses[0], zmq::socket_type::sub, 10);
    slow.set(zmq::sockopt::subscribe, "");
    ASSERT_EQ(asked_of(out.socket, slow), "\1");
    const std::string event(4'096, 'x');
    constexpr int events = 60'000;                       // far more than queue and kernel hold
    const auto begun = Steady::now();
    for (int i = 0; i < events; ++i) ASSERT_EQ(zmq_send(out.socket.handle(), event.data(), event.size(), 0), 4'096);
    EXPECT_LT(since(begun), Duration{20'000}) << "nobody waited";
    int heard = 0;
    while (!take(slow, 300).empty()) ++heard;
    EXPECT_LT(heard, events) << "and nobody said that something was lost: hence sequence numbers (I21)";
    EXPECT_GT(heard, 0);
}

TEST_F(Delivery, a_router_says_when_nobody_is_there) {
    zmq::socket_t bare(context, zmq::socket_type::router);
    bare.set(zmq::sockopt::linger, 0);
    bare.bind("tcp://127.0.0.1:*");
    zmq_send(bare.handle(), "nobody", 6, ZMQ_SNDMORE);
    EXPECT_EQ(zmq_send(bare.handle(), "x", 1, 0), 1) << "left alone: it seems to have been sent";
    auto ours = our_server(zmq::socket_type::router);
    zmq::message_t to(std::string{"nobody"}), text(std::string{"x"});
    EXPECT_EQ(bus::send_all(ours.socket, std::array{&to, &text}), bus::Sent::unreachable);
    EXPECT_EQ(text.to_string_view(), "x") << "and the message is still ours";
}

TEST_F(Delivery, nothing_queues_for_a_connection_that_never_came) {
    zmq::socket_t bare(clients, zmq::socket_type::dealer);
    bare.set(zmq::sockopt::linger, 0);
    bare.connect("tcp://127.0.0.1:1");
    EXPECT_TRUE(put(bare, "x", 100)) << "left alone: taken, for nobody";
    auto ours = client("tcp://127.0.0.1:1", zmq::socket_type::dealer);
    zmq::message_t text(std::string{"x"});
    EXPECT_EQ(bus::send_all(ours, std::array{&text}), bus::Sent::full);
}

TEST_F(Delivery, closing_waits_for_nobody) {
    const auto begun = Steady::now();
    {
        auto pull = our_server(zmq::socket_type::pull);
        zmq::context_t own_context{1};
        auto push = std::move(*bus::open_client(own_context, {.type = zmq::socket_type::push}, own, server.public_key,
                                                pull.addresses[0]));
        const std::string much(100'000, 'x');
        for (int i = 0; i < 2'000 && put(push, much, i == 0 ? 2'000 : 0); ++i) {}
    }   // the sender goes first, with megabytes that nobody takes; the default would wait for ever
    EXPECT_LT(since(begun), Duration{30'000});
}

TEST_F(Delivery, a_frame_over_the_limit_is_refused_before_it_is_taken_in) {
    auto pull = our_server(zmq::socket_type::pull, 2'000);
    auto push = client(pull.addresses[0], zmq::socket_type::push);
    ASSERT_TRUE(put(push, std::string(2'000, 'x')));
    EXPECT_FALSE(take(pull.socket, 10'000).empty());
    ASSERT_TRUE(put(push, std::string(64 * 1024, 'x')));
    EXPECT_TRUE(take(pull.socket, 300).empty());
    ASSERT_TRUE(eventually([&] { return put(push, "small", 100) && !take(pull.socket, 100).empty(); })) << "on a new connection";
}

TEST_F(Delivery, a_subscription_over_the_limit_is_refused) {
    auto out = our_server(zmq::socket_type::xpub, bus::subscription_max);
    auto listener = client(out.addresses[0], zmq::socket_type::sub);
    listener.set(zmq::sockopt::subscribe, "short");
    EXPECT_EQ(asked_of(out.socket, listener), "\1short");
    auto greedy = client(out.addresses[0], zmq::socket_type::sub);
    greedy.set(zmq::sockopt::subscribe, std::string(100 * 1024, 't'));
    EXPECT_EQ(asked_of(out.socket, greedy, Duration{500}), "");
    zmq_send(out.socket.handle(), "short", 5, 0);
    EXPECT_FALSE(take(listener, 10'000).empty()) << "the others are not touched";
}

TEST_F(Delivery, a_listener_subscribes_again_by_itself_when_the_server_comes_back) {
    auto out = our_server(zmq::socket_type::xpub);
    const auto address = out.addresses[0];
    auto listener = client(address, zmq::socket_type::sub);
    listener.set(zmq::sockopt::subscribe, "a");
    listener.set(zmq::sockopt::subscribe, "b");
    ASSERT_NE(asked_of(out.socket, listener), "");
    out.socket.close();
    std::optional<bus::Bound> again;
    ASSERT_TRUE(eventually([&] {
        auto opened = bus::open_server(context, {.type = zmq::socket_type::xpub}, server, {{address, "d"}});
        if (opened) again = std::move(*opened);
        return again.has_value();
    }));
    std::set<std::string> asked;
    ASSERT_TRUE(eventually([&] {
        asked.insert(asked_of(again->socket, listener, Duration{100}));
        asked.erase("");
        return asked.size() == 2;
    }));
    EXPECT_THAT(asked, ::testing::ElementsAre("\1a", "\1b"));
    zmq_send(again->socket.handle(), "b!", 2, 0);
    EXPECT_THAT(take(listener, 10'000), ::testing::ElementsAre("b!"));
}

// Passes bytes between one client and a server until it is told to hold still, with the connections open:
// a pulled cable.
class Cable {
public:
    explicit Cable(const std::string& to) {
        server_port_ = static_cast<std::uint16_t>(std::stoi(to.substr(to.rfind(':') + 1)));
        listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        auto at = loopback(0);
        ::bind(listening_, reinterpret_cast<sockaddr*>(&at), sizeof at);
        ::listen(listening_, 4);
        socklen_t size = sizeof at;
        ::getsockname(listening_, reinterpret_cast<sockaddr*>(&at), &size);
        address_ = "tcp://127.0.0.1:" + std::to_string(ntohs(at.sin_port));
        thread_ = std::thread([this] { carry(); });
    }
    ~Cable() {
        ending_ = true;
        thread_.join();
        for (const int fd : {listening_, near_, far_}) {
            if (fd >= 0) ::close(fd);
        }
    }
    const std::string& address() const { return address_; }
    void pull() { pulled_ = true; }
    int carried_to_server() const { return carried_; }

private:
    static sockaddr_in loopback(std::uint16_t port) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        at.sin_port = htons(port);
        return at;
    }
    void carry() {
        while (!ending_) {
            std::array<pollfd, 3> fds{{{near_ < 0 ? listening_ : -1, POLLIN, 0},
                                       {pulled_ ? -1 : near_, POLLIN, 0},
                                       {pulled_ ? -1 : far_, POLLIN, 0}}};
            if (::poll(fds.data(), fds.size(), 20) <= 0) continue;
            if (fds[0].revents != 0) {
                near_ = ::accept(listening_, nullptr, nullptr);
                far_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                auto at = loopback(server_port_);
                ::connect(far_, reinterpret_cast<sockaddr*>(&at), sizeof at);
            }
            if (fds[1].revents != 0) {
                pass(near_, far_);
                ++carried_;
            }
            if (fds[2].revents != 0) pass(far_, near_);
        }
    }
    static void pass(int from, int to) {
        std::array<char, 65'536> bytes{};
        const auto size = ::read(from, bytes.data(), bytes.size());
        if (size > 0) std::ignore = ::write(to, bytes.data(), static_cast<std::size_t>(size));
    }

    std::uint16_t server_port_ = 0;
    int listening_ = -1, near_ = -1, far_ = -1;
    std::string address_;
    std::atomic<bool> ending_{false}, pulled_{false};
    std::atomic<int> carried_{0};
    std::thread thread_;
};

TEST_F(Delivery, a_pulled_cable_is_noticed_on_both_sides) {
    auto router = our_server(zmq::socket_type::router);
    Cable cable(router.addresses[0]);
    auto dealer = client(cable.address(), zmq::socket_type::dealer);
    auto watch = bus::watch_connection(clients, dealer);
    ASSERT_TRUE(put(dealer, "hello"));
    const auto hello = take(router.socket, 10'000);
    ASSERT_EQ(hello.size(), 2U);
    const auto before = cable.carried_to_server();
    ASSERT_TRUE(eventually([&] { return cable.carried_to_server() > before; })) << "its first ping, by which the server knows how long to wait";
    ASSERT_FALSE(bus::was_cut(watch));
    const auto begun = Steady::now();
    cable.pull();
    ASSERT_TRUE(eventually([&] { return bus::was_cut(watch); }, Duration{20'000})) << "no FIN came, and none will";
    EXPECT_LT(since(begun), Duration{20'000});
    EXPECT_TRUE(eventually([&] {
        zmq::message_t to(hello[0]), text(std::string{"x"});
        return bus::send_all(router.socket, std::array{&to, &text}) == bus::Sent::unreachable;
    })) << "the server forgets the route too";
    bus::end_watch(dealer);
}

}  // namespace
}  // namespace berth::testing
