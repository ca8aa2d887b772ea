// SPDX-License-Identifier: Apache-2.0
// Events to many listeners: one publisher and N subscribers, with the sockets of any client of docs/bus.md. Through
// berth-broker each event is authorised, numbered by its sender and carried with a stamp; through zmq_proxy the
// same bytes are carried as they are; NATS gets them in its own protocol.
//
//   bench_events berth [keys]                     starts a broker, with so many keys of listeners
//   bench_events zmq IN OUT [KEY]                 on a bench_zmq_proxy
//   bench_events nats PORT
//   {"do": "closed", "bytes": B, "subscribers": N, "seconds": S}     as fast as all of them take it
//   {"do": "open", "per_second": R, "subscribers": N, "stalled": K, "bytes": B, "seconds": S}   K of them do not read
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "bench/plumbing/poisson.hpp"
#include "bench/plumbing/tcp.hpp"
#include "bench/plumbing/turns.hpp"
#include "bus/socket.hpp"
#include "events/catalog.hpp"
#include "events/codec.hpp"
#include "tests/support/cluster.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

constexpr std::uint64_t window = 4'096;              // on their way at once: below every queue, so nothing is dropped
constexpr std::uint64_t first_number = 1'000'000'000'000'000;   // of one width, so that it is patched in place
constexpr std::string_view topic = "claim.requested.";
constexpr double patience_s = 30;                    // for an event on its way, on a busy machine

std::int64_t now_ns() { return std::chrono::duration_cast<std::chrono::nanoseconds>(Steady::now().time_since_epoch()).count(); }

/// One event, whose number and time of sending are written over in place.
class Event {
public:
    explicit Event(std::size_t bytes) {
        Envelope envelope{.id = std::string(32, '#'), .source = "/berth/gateway/b", .type = type_attribute("claim.requested"),
                          .time = Instant{Duration{1'000}}, .data = encode(ClaimRequest{.key = {"k"}, .user = {"u"}, .project = {"p"}}), .sequence = first_number};
        for (std::size_t more = 1; encode_envelope(envelope).size() < bytes; ++more) {
            envelope.data = encode(ClaimRequest{.key = {std::string(more, 'k')}, .user = {"u"}, .project = {"p"}});
        }
        bytes_ = encode_envelope(envelope);
        id_at_ = bytes_.find(std::string(32, '#'));
        number_at_ = bytes_.find(std::to_string(first_number));
    }
    std::size_t size() const { return bytes_.size(); }
    const std::string& numbered(std::uint64_t number, std::int64_t at_ns) {
        fmt::format_to_n(bytes_.data() + id_at_, 32, "{:016}{:016}", number % first_number, at_ns % 1'000'000'000'000'000);
        fmt::format_to_n(bytes_.data() + number_at_, 16, "{:016}", first_number + number);
        return bytes_;
    }
    struct Seen {
        std::uint64_t number;
        std::int64_t at_ns;
    };
    Seen read(std::string_view text) const {
        const auto digits = [&](std::size_t at) {
            std::uint64_t value = 0;
            for (const char c : text.substr(id_at_ + at, 16)) value = value * 10 + static_cast<std::uint64_t>(c - '0');
            return value;
        };
        return {digits(0), static_cast<std::int64_t>(digits(16))};
    }

private:
    std::string bytes_;
    std::size_t id_at_ = 0, number_at_ = 0;
};

/// Where events are carried: who publishes and who listens there.
class Way {
public:
    virtual ~Way() = default;
    virtual void subscribe(std::size_t count) = 0;
    virtual void publish(const std::string& bytes) = 0;
    /// Takes what has come to listener i, `take(text)` each; waits a little for the first.
    virtual void drain(std::size_t i, const std::function<void(std::string_view)>& take) = 0;
    virtual void wait(std::size_t from, std::size_t to) = 0;
};

class ZmqWay : public Way {
public:
    using Make = std::function<zmq::socket_t(zmq::context_t&, zmq::socket_type, std::size_t)>;
    explicit ZmqWay(Make make) : make_(std::move(make)), publisher_(make_(publishing_, zmq::socket_type::xpub, 0)) {}
    void subscribe(std::size_t count) override {
        while (listeners_.size() > count) listeners_.pop_back();
        while (listeners_.size() < count) {
            listeners_.push_back(make_(listening_, zmq::socket_type::sub, listeners_.size()));
            listeners_.back().set(zmq::sockopt::subscribe, topic);
        }
    }
    void publish(const std::string& bytes) override {
        publisher_.send(zmq::buffer(topic), zmq::send_flags::sndmore);
        publisher_.send(zmq::buffer(bytes), zmq::send_flags::none);
    }
    void drain(std::size_t i, const std::function<void(std::string_view)>& take) override {
        bus::Frames frames;
        for (std::size_t count = 0; count < bus::drain_max && bus::receive(listeners_[i], frames); ++count) take(frames.text(1));
    }
    void wait(std::size_t from, std::size_t to) override {
        std::vector<zmq::pollitem_t> items;
        for (std::size_t i = from; i < to; ++i) items.push_back({listeners_[i].handle(), 0, ZMQ_POLLIN, 0});
        zmq::poll(items, std::chrono::milliseconds{10});
    }

private:
    Make make_;
    zmq::context_t publishing_{1}, listening_{1};
    zmq::socket_t publisher_;
    std::vector<zmq::socket_t> listeners_;
};

class NatsWay : public Way {
public:
    explicit NatsWay(std::uint16_t port) : port_(port), publisher_(connect_to(port)) {
        send_all(publisher_, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n");
    }
    void subscribe(std::size_t count) override {
        while (listeners_.size() > count) {
            ::close(listeners_.back().fd);
            listeners_.pop_back();
        }
        while (listeners_.size() < count) {
            listeners_.push_back({connect_to(port_), {}});
            send_all(listeners_.back().fd, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB claim.requested 1\r\nPING\r\n");
        }
    }
    void publish(const std::string& bytes) override {
        out_ += fmt::format("PUB claim.requested {}\r\n{}\r\n", bytes.size(), bytes);
        if (out_.size() > 16'384) flush();
    }
    void flush() {
        send_all(publisher_, out_);
        out_.clear();
    }
    void drain(std::size_t i, const std::function<void(std::string_view)>& take) override {
        auto& one = listeners_[i];
        std::array<char, 65'536> bytes;
        const auto got = ::recv(one.fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (got > 0) one.in.append(bytes.data(), static_cast<std::size_t>(got));
        std::size_t at = 0;
        for (auto end = one.in.find("\r\n"); end != std::string::npos; end = one.in.find("\r\n", at)) {
            const auto line = std::string_view{one.in}.substr(at, end - at);
            if (!line.starts_with("MSG ")) {                  // INFO, PONG
                if (line == "PING") send_all(one.fd, "PONG\r\n");
                at = end + 2;
                continue;
            }
            const auto size = std::stoul(std::string{line.substr(line.rfind(' ') + 1)});
            if (one.in.size() < end + 2 + size + 2) break;
            take(std::string_view{one.in}.substr(end + 2, size));
            at = end + 2 + size + 2;
        }
        one.in.erase(0, at);
    }
    void wait(std::size_t from, std::size_t to) override {
        std::vector<pollfd> items;
        for (std::size_t i = from; i < to; ++i) items.push_back({listeners_[i].fd, POLLIN, 0});
        ::poll(items.data(), items.size(), 10);
    }

private:
    struct Listener {
        int fd;
        std::string in;
    };
    std::uint16_t port_;
    int publisher_;
    std::string out_;
    std::vector<Listener> listeners_;
};

class Load {
public:
    explicit Load(Way& way) : way_(way) {}

    Json closed(const Json& asked) {
        prepare(asked);
        std::atomic<bool> over{false};
        std::thread listening([&] { listen(over, 0); });
        const auto begun = Steady::now();
        const double seconds = asked.at("seconds");
        std::uint64_t sent = 0;
        while (sent % 64 != 0 || seconds_since(begun) < seconds) {
            for (auto since = Steady::now(); sent - least() >= window;) {
                flush();
                std::this_thread::yield();
                if (seconds_since(since) > patience_s) throw std::runtime_error("an event did not come in time");
            }
            way_.publish(event_->numbered(++sent, now_ns()));
        }
        flush();
        finish(sent, begun, over, listening);
        return figures(sent);
    }

    Json open(const Json& asked) {
        prepare(asked);
        const std::size_t stalled = asked.at("stalled");
        std::atomic<bool> over{false};
        std::thread listening([&] { listen(over, stalled); });
        std::uint64_t sent = 0;
        const auto begun = Steady::now();
        Poisson arrivals(asked.at("per_second"), asked.at("seconds"));
        pollfd due{arrivals.fd(), POLLIN, 0};
        while (!arrivals.over()) {
            ::poll(&due, 1, 100);
            arrivals.due([&](Steady::time_point at) {
                way_.publish(event_->numbered(++sent, std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count()));
            });
            flush();
        }
        finish(sent, begun, over, listening, stalled);
        auto told = figures(sent);
        if (stalled > 0) {                            // it reads again: what is there, and what it knows to be missing
            std::uint64_t got = 0, missing = 0, last = 0;
            for (auto since = Steady::now(); seconds_since(since) < 1 && last < sent;) {
                way_.wait(0, 1);
                way_.drain(0, [&](std::string_view text) {
                    const auto number = event_->read(text).number;
                    if (number <= last) return;                   // of the beginning
                    missing += number - last - 1;
                    last = number;
                    ++got;
                    since = Steady::now();
                });
                if (last < sent && seconds_since(since) > 0.2) way_.publish(event_->numbered(++sent, now_ns()));
            }
            told["stalled"] = {{"sent", sent}, {"got", got}, {"missing", missing}, {"exact", got + missing == last && last == sent}};
        }
        return told;
    }

private:
    void prepare(const Json& asked) {
        event_ = std::make_unique<Event>(asked.at("bytes").get<std::size_t>());
        const std::size_t count = asked.at("subscribers");
        way_.subscribe(0);                            // no listener has anything left from before
        way_.subscribe(count);
        heard_ = std::vector<std::atomic<std::uint64_t>>(count);
        times_ = {};
        // An event that comes to each of them says that all listen; numbers begin anew.
        std::vector<bool> listens(count);
        const auto begun = Steady::now();
        while (std::count(listens.begin(), listens.end(), true) < static_cast<std::ptrdiff_t>(count)) {
            way_.publish(event_->numbered(0, now_ns()));
            flush();
            way_.wait(0, count);
            for (std::size_t i = 0; i < count; ++i) way_.drain(i, [&](std::string_view) { listens[i] = true; });
            if (seconds_since(begun) > patience_s) throw std::runtime_error("the listeners hear nothing");
        }
    }
    void flush() {
        if (auto* nats = dynamic_cast<NatsWay*>(&way_)) nats->flush();
    }
    void listen(const std::atomic<bool>& over, std::size_t from) {
        while (!over) {
            way_.wait(from, heard_.size());
            for (std::size_t i = from; i < heard_.size(); ++i) {
                std::uint64_t last = 0;
                way_.drain(i, [&](std::string_view text) {
                    const auto seen = event_->read(text);
                    if (seen.number == 0) return;                 // of the beginning
                    last = seen.number;
                    if (i + 1 == heard_.size()) {
                        const auto late = now_ns() % 1'000'000'000'000'000 - seen.at_ns;
                        times_.add(std::chrono::nanoseconds{late});
                    }
                });
                if (last > 0) heard_[i] = last;
            }
        }
    }
    std::uint64_t least(std::size_t from = 0) const {
        std::uint64_t found = ~std::uint64_t{0};
        for (std::size_t i = from; i < heard_.size(); ++i) found = std::min(found, heard_[i].load());
        return found;
    }
    void finish(std::uint64_t sent, Steady::time_point begun, std::atomic<bool>& over, std::thread& listening, std::size_t from = 0) {
        for (const auto since = Steady::now(); least(from) < sent && seconds_since(since) < patience_s;) std::this_thread::yield();
        seconds_ = seconds_since(begun);
        over = true;
        listening.join();
        lost_ = sent - std::min(sent, least(from));
    }
    Json figures(std::uint64_t sent) const {
        return {{"count", sent}, {"seconds", seconds_}, {"bytes", event_->size()}, {"failed", lost_}, {"error", "events did not come"},
                {"latency", times_.json()}};
    }

    Way& way_;
    std::unique_ptr<Event> event_;
    std::vector<std::atomic<std::uint64_t>> heard_;
    Histogram times_;
    double seconds_ = 0;
    std::uint64_t lost_ = 0;
};

int serve(Way& way, const Json& ready) {
    Load load(way);
    return serve_turns(ready, {{"closed", [&](const Json& asked) { return load.closed(asked); }},
                               {"open", [&](const Json& asked) { return load.open(asked); }}});
}

zmq::socket_t plain_socket(zmq::context_t& context, zmq::socket_type type, const std::string& address, const std::string& key) {
    zmq::socket_t socket(context, type);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::sndhwm, 16'384);
    socket.set(zmq::sockopt::rcvhwm, 16'384);
    if (type == zmq::socket_type::xpub) socket.set(zmq::sockopt::xpub_nodrop, true);
    if (!key.empty()) {
        std::array<char, 41> open{}, secret{};
        zmq_curve_keypair(open.data(), secret.data());
        socket.set(zmq::sockopt::curve_serverkey, key);
        socket.set(zmq::sockopt::curve_publickey, open.data());
        socket.set(zmq::sockopt::curve_secretkey, secret.data());
    }
    socket.connect(address);
    return socket;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view how = argc > 1 ? argv[1] : "";
    if (how == "zmq" && argc > 3) {
        const std::string in = argv[2], out = argv[3], key = argc > 4 ? argv[4] : "";
        ZmqWay way([&](zmq::context_t& context, zmq::socket_type type, std::size_t) {
            return plain_socket(context, type, type == zmq::socket_type::xpub ? in : out, key);
        });
        return serve(way, {{"ready", true}});
    }
    if (how == "nats" && argc > 2) {
        NatsWay way(static_cast<std::uint16_t>(std::stoi(argv[2])));
        return serve(way, {{"ready", true}});
    }
    if (how != "berth") return 2;
    testing::Cluster cluster;
    for (int i = 0; i < (argc > 2 ? std::stoi(argv[2]) : 16); ++i) cluster.mint(fmt::format("tap-{}", i), Role::tap);
    const auto broker = cluster.start("broker", {"--log-level", "warn"}).pid();
    ZmqWay way([&](zmq::context_t& context, zmq::socket_type type, std::size_t i) {
        const bool publishes = type == zmq::socket_type::xpub;
        const auto to = publishes ? cluster.connection("gateway", Role::gateway) : cluster.connection(fmt::format("tap-{}", i), Role::tap);
        auto socket = bus::open_client(context, {.type = type}, to.own, to.broker_key, publishes ? to.events_in : to.events_out);
        if (!socket) throw std::runtime_error(socket.error().text);
        return std::move(*socket);
    });
    return serve(way, {{"ready", true}, {"pids", {{"broker", broker}}}});
}
