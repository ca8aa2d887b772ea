// SPDX-License-Identifier: Apache-2.0
// Many hosts in one thread, each with a key and a connection of its own, as docs/bus.md tells a stranger to
// write one: registered as a worker, beating as hostagent does, every slot a standby that is bound, linked
// and stopped at once. A load of the benches that need 10,000 hosts on the real wire.
//
//   bench_fleet STATE FIRST COUNT SLOTS [heartbeat ms] [beat of the worker ms, 0: none]
//   {"do": "silence", "hosts": N}      the last N say nothing from now on; answers when
//   {"do": "count"}                    what was sent and answered so far
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/config.hpp"
#include "bench/plumbing/histogram.hpp"
#include "bench/plumbing/turns.hpp"
#include "bus/socket.hpp"
#include "events/catalog.hpp"
#include "events/codec.hpp"
#include "events/topic.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

constexpr int connecting_at_once = 200;      // more handshakes at a time time out at one broker
constexpr double patience_s = 300;           // for all to be registered

struct Host {
    std::string name;
    zmq::socket_t socket;
    std::vector<SlotReport> slots;
    Steady::time_point asked;                // its heartbeat that is not answered yet
    std::uint64_t sequence = 0;
    bool silent = false;
};

class Fleet {
public:
    Fleet(std::string state, std::uint32_t first, std::uint32_t count, std::uint32_t slots, double heartbeat_s, double beat_s)
        : state_(std::move(state)), slots_(slots), heartbeat_s_(heartbeat_s), beat_s_(beat_s), hosts_(count),
          ready_(::epoll_create1(EPOLL_CLOEXEC)) {
        context_.set(zmq::ctxopt::max_sockets, static_cast<int>(count) + 16);
        enrol_all(first);
        watch(STDIN_FILENO, stdin_mark);
    }

    void run() {
        const auto bus = *Config::load(state_ + "/bus.toml");
        address_ = bus.find("bus", "requests")->value;
        broker_key_ = *bus::load_broker_key(state_ + "/keys");
        begun_ = Steady::now();
        while (open_) {
            connect_some();
            std::array<epoll_event, 256> events{};
            const int count = ::epoll_wait(ready_, events.data(), static_cast<int>(events.size()), 2);
            for (int i = 0; i < count; ++i) {
                const auto mark = events[static_cast<std::size_t>(i)].data.u64;
                if (mark == stdin_mark) hear_harness(); else drain(mark);
            }
            beat_due();
            if (registered_ < hosts_.size() && seconds_since(begun_) > patience_s) {
                say({{"error", fmt::format("{} of {} hosts are registered after {} s", registered_, hosts_.size(), patience_s)}});
                return;
            }
        }
    }

private:
    static constexpr std::uint64_t stdin_mark = ~std::uint64_t{0};

    void watch(int fd, std::uint64_t mark) const {
        epoll_event event{.events = EPOLLIN, .data = {.u64 = mark}};
        ::epoll_ctl(ready_, EPOLL_CTL_ADD, fd, &event);
    }

    // As an operator enrols a stranger: one line in keys/peers, without a secret in that folder.
    void enrol_all(std::uint32_t first) {
        keys_.resize(hosts_.size());
        for (std::size_t i = 0; i < hosts_.size(); ++i) {
            auto& host = hosts_[i];
            host.name = fmt::format("h-{:06}", first + i);
            std::array<char, 41> open_half{}, secret_half{};
            zmq_curve_keypair(open_half.data(), secret_half.data());
            keys_[i] = {open_half.data(), secret_half.data()};
            const auto path = fmt::format("{}/keys/peers/{}", state_, host.name);
            std::ofstream(path + ".new") << "host " << keys_[i].public_key << "\n";
            std::filesystem::permissions(path + ".new", std::filesystem::perms{0600});
            std::filesystem::rename(path + ".new", path);
            for (std::uint32_t slot = 0; slot < slots_; ++slot) host.slots.push_back({slot, SlotPhase::prepared, {}, {}, {"c"}, ""});
        }
    }

    void connect_some() {
        while (connected_ < hosts_.size() && connected_ - registered_ < connecting_at_once) {
            const auto i = connected_++;
            auto opened = bus::open_client(context_, {.type = zmq::socket_type::dealer, .one_of_thousands = true}, keys_[i], broker_key_, address_);
            if (!opened) throw std::runtime_error(opened.error().text);
            hosts_[i].socket = std::move(*opened);
            watch(hosts_[i].socket.get(zmq::sockopt::fd), i);
            ask(i, ServeRequest{"host." + hosts_[i].name});
        }
    }

    Envelope envelope_for(Host& host, std::string_view name, Bytes data) {
        return {.id = fmt::format("{}", ++ids_), .source = fmt::format("/berth/{}/b", host.name), .type = type_attribute(name),
                .time = clock_.now(), .data = std::move(data)};
    }
    void send(std::size_t i, std::string topic, const Envelope& envelope, const std::string* tag = nullptr) {
        zmq::message_t first(topic), second(encode_envelope(envelope)), third(tag ? *tag : std::string{});
        auto& socket = hosts_[i].socket;
        const auto sent = tag ? bus::send_all(socket, std::array{&first, &second, &third}) : bus::send_all(socket, std::array{&first, &second});
        if (sent != bus::Sent::yes) late_.push_back({i, std::move(topic), encode_envelope(envelope), tag ? std::optional(*tag) : std::nullopt});
        touched_.push_back(i);
    }
    template <class T>
    void ask(std::size_t i, const T& body) { send(i, topic_of(request_name<T>), envelope_for(hosts_[i], request_name<T>, encode(body))); }

    // A send may take the edge of the descriptor with it, so who sent is looked at too.
    void drain(std::size_t i) {
        bus::Frames frames;
        while (bus::receive(hosts_[i].socket, frames)) take(i, frames);
    }

    void take(std::size_t i, const bus::Frames& frames) {
        auto& host = hosts_[i];
        if (frames.count != 3 || host.silent) return;
        const auto envelope = decode_envelope(frames.text(1));
        if (!envelope) return;
        if (frames.text(0) == reply_topic) return take_reply(i, *envelope);
        const auto stamp = decode<Stamp>(frames.text(2));
        if (const auto topic = parse_topic(frames.text(0)); topic && stamp) serve(i, topic->name, *envelope, stamp->tag);
    }

    void take_reply(std::size_t i, const Envelope& envelope) {
        if (envelope.error) {
            ++failed_;
            last_error_ = envelope.error->text;
        }
        const auto name = name_in_type(envelope.type);
        if (name == "broker.serve.reply" && !envelope.error) {
            ask(i, RegisterRequest{.host = {hosts_[i].name}, .incarnation = {"i-" + hosts_[i].name}, .pool = {"default"},
                                   .instance = hosts_[i].name, .public_ip = "127.0.0.1", .proxy_port = 1, .slots = slots_, .version = "bench"});
        } else if (name == "broker.serve.reply") {   // the broker has not read its key yet
            ask(i, ServeRequest{"host." + hosts_[i].name});
        } else if (name == "allocator.register.reply" && !envelope.error) {
            heartbeat(i);
            if (++registered_ == hosts_.size()) say({{"ready", true}, {"hosts", registered_}, {"seconds", seconds_since(begun_)}});
        } else if (name == "allocator.heartbeat.reply") {
            ++answered_;
            latency_.add(Steady::now() - hosts_[i].asked);
            for (auto& slot : hosts_[i].slots) {
                if (slot.phase == SlotPhase::stopped) slot = {slot.slot, SlotPhase::prepared, slot.epoch, {}, {"c"}, ""};
            }
        }
    }

    void serve(std::size_t i, const std::string& name, const Envelope& request, const std::string& tag) {
        const auto reply = [&](Bytes data) {
            auto envelope = envelope_for(hosts_[i], name + ".reply", std::move(data));
            envelope.correlation_id = request.id;
            send(i, std::string{reply_topic}, envelope, &tag);
        };
        if (const auto bind = name == "host.bind" ? decode<BindCommand>(request.data) : Result<BindCommand>{fail(ErrorKind::invalid, "")}) {
            const auto& order = bind->order;
            hosts_[i].slots.at(order.slot) = {order.slot, SlotPhase::bound, order.epoch, order.workspace, {"k"}, ""};
            reply(encode(BindReply{{"k"}, "http://" + order.workspace.value + ".localhost:1/"}));
        } else if (const auto stop = name == "host.stop" ? decode<StopCommand>(request.data) : Result<StopCommand>{fail(ErrorKind::invalid, "")}) {
            hosts_[i].slots.at(stop->slot) = {stop->slot, SlotPhase::stopped, stop->epoch, stop->workspace, {}, ""};
            reply(encode(StopReply{stop->slot, stop->epoch}));
        } else if (const auto link = name == "host.link" ? decode<LinkCommand>(request.data) : Result<LinkCommand>{fail(ErrorKind::invalid, "")}) {
            const auto url = "http://" + link->workspace.value + ".localhost:1/";
            reply(encode(LinkReply{url, url + "_berth/open?token=t", "t"}));
        }
    }

    void heartbeat(std::size_t i) {
        auto& host = hosts_[i];
        const HostHeartbeat beat{.host = {host.name}, .incarnation = {"i-" + host.name}, .slots = host.slots};
        host.asked = Steady::now();
        ask(i, beat);                                       // for its orders
        auto envelope = envelope_for(host, event_name<HostHeartbeat>, encode(beat));
        envelope.sequence = ++host.sequence;
        send(i, topic_of(event_name<HostHeartbeat>, host.name), envelope);   // for everyone else
        ++sent_;
    }

    // Spread over the period, so that each host has its own time in it.
    void beat_due() {
        const auto step = [&](double period, Steady::time_point& at, std::size_t& next, auto&& act) {
            if (period <= 0 || registered_ < hosts_.size()) {
                at = Steady::now();
                return;
            }
            const auto gap = std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(period / static_cast<double>(hosts_.size())));
            for (; at <= Steady::now(); at += gap, next = (next + 1) % hosts_.size()) {
                if (!hosts_[next].silent) act(next);
            }
        };
        step(heartbeat_s_, heartbeat_at_, heartbeat_next_, [&](std::size_t i) { heartbeat(i); });
        step(beat_s_, beat_at_, beat_next_, [&](std::size_t i) {
            send(i, topic_of(event_name<ServeBeat>), envelope_for(hosts_[i], event_name<ServeBeat>, encode(ServeBeat{})));
        });
        for (auto late = std::exchange(late_, {}); auto& [i, topic, bytes, tag] : late) {
            zmq::message_t first(topic), second(bytes), third(tag.value_or(""));
            auto& socket = hosts_[i].socket;
            const auto sent = tag ? bus::send_all(socket, std::array{&first, &second, &third}) : bus::send_all(socket, std::array{&first, &second});
            if (sent != bus::Sent::yes) late_.push_back({i, topic, bytes, tag});
            touched_.push_back(i);
        }
        while (!touched_.empty()) {
            for (const auto touched = std::exchange(touched_, {}); const auto i : touched) drain(i);
        }
    }

    void hear_harness() {
        std::array<char, 4'096> bytes{};
        const auto got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
        if (got <= 0) {
            open_ = false;
            return;
        }
        const auto asked = Json::parse(std::string_view{bytes.data(), static_cast<std::size_t>(got)});
        if (asked.at("do") == "silence") {
            const auto count = asked.at("hosts").get<std::size_t>();
            for (std::size_t i = hosts_.size() - count; i < hosts_.size(); ++i) hosts_[i].silent = true;
            say({{"silent", count}});
        } else {
            say({{"sent", sent_}, {"answered", answered_}, {"failed", failed_}, {"last_error", last_error_}, {"latency", latency_.json()}});
            latency_ = {};
        }
    }

    std::string state_, address_, broker_key_, last_error_;
    std::uint32_t slots_;
    double heartbeat_s_, beat_s_;
    zmq::context_t context_{1};
    std::vector<Host> hosts_;
    std::vector<bus::KeyPair> keys_;
    int ready_;
    bool open_ = true;
    std::size_t connected_ = 0, registered_ = 0;
    std::uint64_t ids_ = 0, sent_ = 0, answered_ = 0, failed_ = 0;
    struct Late {
        std::size_t host;
        std::string topic;
        Bytes bytes;
        std::optional<std::string> tag;
    };
    std::deque<Late> late_;
    std::vector<std::size_t> touched_;
    Steady::time_point begun_, heartbeat_at_, beat_at_;
    std::size_t heartbeat_next_ = 0, beat_next_ = 0;
    Histogram latency_;
    RealClock clock_;
};

}  // namespace

int main(int count, char** words) {
    if (count < 5) return 2;
    const auto number = [&](int at, double otherwise) { return count > at ? std::stod(words[at]) : otherwise; };
    Fleet fleet(words[1], static_cast<std::uint32_t>(number(2, 1)), static_cast<std::uint32_t>(number(3, 1)),
                static_cast<std::uint32_t>(number(4, 20)), number(5, 15'000) / 1e3, number(6, 5'000) / 1e3);
    fleet.run();
}
