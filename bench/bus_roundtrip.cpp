// SPDX-License-Identifier: Apache-2.0
// Promise: a request through the broker costs little more than its hops, and events flow as fast as a
// cluster needs. Real berth-broker, CURVE on every hop, endpoints as every process has them. The peer in
// the same run: libzmq alone between two threads, REQ/REP and PUB/SUB, without and with CURVE.
//
//   bench_bus_roundtrip [round trips] [events]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "tests/support/cluster.hpp"
#include "tests/support/zap_stub.hpp"

namespace {

using namespace berth;
using namespace berth::testing;
using Steady = std::chrono::steady_clock;

constexpr std::size_t payload_bytes = 200;       // and an envelope of about as much
constexpr std::size_t window = 4'096;            // events on their way: below every queue, so none is dropped

double seconds_since(Steady::time_point begun) { return std::chrono::duration<double>(Steady::now() - begun).count(); }

struct Figures {
    double per_second = 0;
    double p50_us = 0;
    double p99_us = 0;
};

Figures figures_of(std::vector<double>& seconds, double total) {
    std::sort(seconds.begin(), seconds.end());
    const auto at = [&](double share) { return seconds[static_cast<std::size_t>(share * static_cast<double>(seconds.size() - 1))] * 1e6; };
    return {static_cast<double>(seconds.size()) / total, at(0.5), at(0.99)};
}

void print(const char* what, const Figures& figures, const Figures& raw) {
    std::printf("%-44s %8.0f/s  p50 %7.1f us  p99 %7.1f us   %.2f of raw rate, %.2f x raw p50\n", what, figures.per_second,
                figures.p50_us, figures.p99_us, figures.per_second / raw.per_second, figures.p50_us / raw.p50_us);
}

// ---- libzmq alone

struct RawPair {
    RawPair(zmq::socket_type server_type, zmq::socket_type client_type, bool curve) {
        const auto keys = fresh_pair(), own = fresh_pair();
        server = zmq::socket_t(servers, server_type);
        client = zmq::socket_t(clients, client_type);
        for (auto* socket : {&server, &client}) {
            socket->set(zmq::sockopt::linger, 0);
            socket->set(zmq::sockopt::sndhwm, 16'384);
            socket->set(zmq::sockopt::rcvhwm, 16'384);
        }
        if (curve) {
            server.set(zmq::sockopt::curve_server, true);
            server.set(zmq::sockopt::curve_secretkey, keys.secret_key);
            client.set(zmq::sockopt::curve_serverkey, keys.public_key);
            client.set(zmq::sockopt::curve_publickey, own.public_key);
            client.set(zmq::sockopt::curve_secretkey, own.secret_key);
        }
        server.bind("tcp://127.0.0.1:*");
        client.connect(server.get(zmq::sockopt::last_endpoint));
    }
    zmq::context_t servers{1}, clients{1};
    zmq::socket_t server, client;
};

Figures raw_round_trips(bool curve, std::size_t count) {
    RawPair pair(zmq::socket_type::rep, zmq::socket_type::req, curve);
    std::thread echo([&] {
        zmq::message_t message;
        for (std::size_t i = 0; i < count; ++i) {
            if (!pair.server.recv(message)) return;
            pair.server.send(message, zmq::send_flags::none);
        }
    });
    std::vector<double> seconds;
    const std::string text(2 * payload_bytes, 'x');
    const auto begun = Steady::now();
    for (std::size_t i = 0; i < count; ++i) {
        const auto at = Steady::now();
        zmq_send(pair.client.handle(), text.data(), text.size(), 0);
        zmq::message_t reply;
        std::ignore = pair.client.recv(reply);
        seconds.push_back(seconds_since(at));
    }
    const double total = seconds_since(begun);
    echo.join();
    return figures_of(seconds, total);
}

double raw_events_per_second(bool curve, std::size_t count) {
    RawPair pair(zmq::socket_type::xpub, zmq::socket_type::sub, curve);
    pair.client.set(zmq::sockopt::subscribe, "");
    std::atomic<std::size_t> heard{0};
    std::thread listening([&] {
        zmq::message_t message;
        while (heard < count && pair.client.recv(message)) ++heard;
    });
    zmq::message_t subscription;
    std::ignore = pair.server.recv(subscription);
    const std::string text(2 * payload_bytes, 'x');
    const auto begun = Steady::now();
    for (std::size_t i = 0; i < count; ++i) {
        while (i - heard >= window) std::this_thread::yield();
        zmq_send(pair.server.handle(), text.data(), text.size(), 0);
    }
    listening.join();
    return static_cast<double>(count) / seconds_since(begun);
}

// ---- the same through berth

class Worker {
public:
    explicit Worker(Cluster& cluster) : peer_(cluster, "scaler", Role::scaler) {
        peer_.endpoint().serve<TerminateOrphanRequest>(
            [](TerminateOrphanRequest, const bus::Delivery&, bus::Responder to) { to.reply(Done{.count = 1}); });
        thread_ = std::thread([this] { peer_.loop().run(); });
    }
    ~Worker() {
        peer_.loop().stop();
        thread_.join();
    }

private:
    TestPeer peer_;
    std::thread thread_;
};

class Asking {
public:
    Asking(TestPeer& peer, std::size_t count) : peer_(peer), count_(count) {}

    Figures run(std::size_t outstanding) {
        seconds_.clear();
        begun_ = failed_ = 0;
        const auto at = Steady::now();
        for (std::size_t i = 0; i < outstanding; ++i) next();
        peer_.loop().run();
        if (failed_ > 0) std::printf("%zu FAILED\n", failed_);
        return figures_of(seconds_, seconds_since(at));
    }

private:
    void next() {
        if (begun_ >= count_) return;
        ++begun_;
        const auto at = Steady::now();
        peer_.endpoint().request<TerminateOrphanRequest>({.instance = std::string(payload_bytes, 'i')}, Duration{30'000},
                                                         [this, at](const Result<Done>& reply) {
                                                             failed_ += reply ? 0 : 1;
                                                             seconds_.push_back(seconds_since(at));
                                                             if (seconds_.size() == count_) return peer_.loop().stop();
                                                             next();
                                                         });
    }

    TestPeer& peer_;
    std::size_t count_;
    std::size_t begun_ = 0, failed_ = 0;
    std::vector<double> seconds_;
};

double events_per_second(Cluster& cluster, std::size_t count) {
    std::atomic<std::size_t> heard{0};
    std::atomic<bool> listens{false};
    TestPeer tap(cluster, "tap", Role::tap);
    tap.endpoint().subscribe("claim.requested", [&](const bus::Delivery&) {
        listens = true;
        ++heard;
    });
    std::thread listening([&] { tap.loop().run(); });
    TestPeer gateway(cluster, "gateway", Role::gateway);
    const ClaimRequest event{.key = {"k"}, .user = {std::string(payload_bytes, 'u')}, .project = {"p"}};
    gateway.until([&] {
        gateway.endpoint().publish(event);
        return listens.load();
    });
    gateway.until([] { return false; }, Duration{200});   // what was published before it listened is over
    heard = 0;
    std::size_t sent = 0;
    const auto begun = Steady::now();
    const auto timer = gateway.loop().every(Duration{1}, [&] {
        while (sent < count && sent - heard < window) {
            gateway.endpoint().publish(event);
            ++sent;
        }
        if (heard >= count) gateway.loop().stop();
    });
    gateway.loop().run();
    const double total = seconds_since(begun);
    gateway.loop().cancel(timer);
    tap.loop().stop();
    listening.join();
    return static_cast<double>(count) / total;
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t trips = argc > 1 ? std::stoul(argv[1]) : 20'000;
    const std::size_t events = argc > 2 ? std::stoul(argv[2]) : 200'000;
    Cluster cluster;
    cluster.start("broker", {"--log-level", "warn"});

    const auto raw = raw_round_trips(false, trips);
    print("raw REQ/REP, plain, one hop", raw, raw);
    const auto raw_curve = raw_round_trips(true, trips);
    print("raw REQ/REP, CURVE, one hop", raw_curve, raw);
    {
        Worker worker(cluster);
        TestPeer reaper(cluster, "reaper", Role::reaper);
        if (!reaper.until([&] { return reaper.ask(TerminateOrphanRequest{.instance = "i"}, Duration{500}).has_value(); })) return 1;
        Asking asking(reaper, trips);
        print("berth request, through the broker, 1 at a time", asking.run(1), raw_curve);
        print("berth request, 64 outstanding", asking.run(64), raw_curve);
        print("berth request, 1024 outstanding", asking.run(1'024), raw_curve);
    }
    const double plain = raw_events_per_second(false, events);
    const double curve = raw_events_per_second(true, events);
    const double ours = events_per_second(cluster, events);
    std::printf("events of %zu bytes: raw PUB/SUB %.0f/s, raw with CURVE %.0f/s, berth through the broker %.0f/s (%.2f of raw "
                "with CURVE)\n", 2 * payload_bytes, plain, curve, ours, ours / curve);
}
