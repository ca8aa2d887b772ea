// SPDX-License-Identifier: Apache-2.0
// The limit of a claim's latency: what libzmq and the disk alone need for the same way. Four threads stand for
// client, broker, allocator and host; one message goes the way of a claim through them, over loopback with CURVE,
// and meets the same number of fdatasync. Nothing is encoded, decided or checked.
//
//   bench_hops FOLDER
//   {"do": "closed", "way": "BA.BHB…", "seconds": S}   the way after the client: B, A, H; '.' is a sync at A
#include <fcntl.h>
#include <zmq.h>

#include <atomic>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "bench/plumbing/histogram.hpp"
#include "bench/plumbing/turns.hpp"

namespace {

using namespace berth::bench;

struct Pair {                                       // of public and secret key
    std::array<char, 41> open{}, secret{};
    Pair() { zmq_curve_keypair(open.data(), secret.data()); }
};

/// A connection between the broker and one other.
struct Link {
    zmq::socket_t broker, other;
    explicit Link(zmq::context_t& brokers, zmq::context_t& others) : broker(brokers, ZMQ_PAIR), other(others, ZMQ_PAIR) {
        const Pair server, client;
        for (auto* socket : {&broker, &other}) socket->set(zmq::sockopt::linger, 0);
        broker.set(zmq::sockopt::curve_server, true);
        broker.set(zmq::sockopt::curve_secretkey, server.secret.data());
        other.set(zmq::sockopt::curve_serverkey, server.open.data());
        other.set(zmq::sockopt::curve_publickey, client.open.data());
        other.set(zmq::sockopt::curve_secretkey, client.secret.data());
        broker.bind("tcp://127.0.0.1:*");
        other.connect(broker.get(zmq::sockopt::last_endpoint));
    }
};

class Chain {
public:
    explicit Chain(const std::string& folder)
        : client_(brokers_, clients_), allocator_(brokers_, allocators_), host_(brokers_, hosts_),
          file_(::open((folder + "/synced").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
        threads_.emplace_back([this] { broker(); });
        threads_.emplace_back([this] { answer(allocator_.other, true); });
        threads_.emplace_back([this] { answer(host_.other, false); });
    }
    ~Chain() {
        over_ = true;
        for (auto& thread : threads_) thread.join();
        ::close(file_);
    }

    Json closed(const std::string& way, double seconds) {
        Histogram times;
        const auto begun = Steady::now();
        while (seconds_since(begun) < seconds) {
            const auto at = Steady::now();
            std::string text = way + "C";
            text.resize(400, ' ');                  // about what a message of ours has
            client_.other.send(zmq::buffer(text), zmq::send_flags::none);
            zmq::message_t back;
            std::ignore = client_.other.recv(back);
            times.add(Steady::now() - at);
        }
        return {{"count", times.count()}, {"seconds", seconds_since(begun)}, {"latency", times.json()}};
    }

private:
    // Every hop takes the first letter off: it says who has the message now.
    void broker() {
        const std::array<zmq::socket_t*, 3> sockets{&client_.broker, &allocator_.broker, &host_.broker};
        std::array<zmq::pollitem_t, 3> items{};
        for (std::size_t i = 0; i < items.size(); ++i) items[i] = {sockets[i]->handle(), 0, ZMQ_POLLIN, 0};
        while (!over_) {
            zmq::poll(items, std::chrono::milliseconds{100});
            for (std::size_t i = 0; i < items.size(); ++i) {
                if ((items[i].revents & ZMQ_POLLIN) == 0) continue;
                auto text = taken(*sockets[i]);
                const char to = text.at(0);
                (to == 'C' ? client_ : to == 'A' ? allocator_ : host_).broker.send(zmq::buffer(text), zmq::send_flags::none);
            }
        }
    }
    void answer(zmq::socket_t& socket, bool syncs) {
        socket.set(zmq::sockopt::rcvtimeo, 100);
        while (!over_) {
            zmq::message_t message;
            if (!socket.recv(message)) continue;
            auto text = message.to_string().substr(1);
            if (syncs && text.at(0) == '.') {
                text.erase(0, 1);
                if (::pwrite(file_, text.data(), text.size(), 0) < 0 || ::fdatasync(file_) != 0) std::abort();
            }
            socket.send(zmq::buffer(text.substr(1)), zmq::send_flags::none);   // by way of the broker
        }
    }
    static std::string taken(zmq::socket_t& socket) {
        zmq::message_t message;
        std::ignore = socket.recv(message);
        auto text = message.to_string();
        if (text.at(0) == 'B') text.erase(0, 1);
        return text;
    }

    zmq::context_t brokers_{1}, clients_{1}, allocators_{1}, hosts_{1};
    Link client_, allocator_, host_;
    int file_;
    std::atomic<bool> over_{false};
    std::vector<std::thread> threads_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    Chain chain(argv[1]);
    return serve_turns({{"ready", true}}, {{"closed", [&](const Json& asked) { return chain.closed(asked.at("way"), asked.at("seconds")); }}});
}
