// SPDX-License-Identifier: Apache-2.0
// The shell of the broker: sockets, keys, frames. It asks step.cpp what to do with each message and
// does it, moving frames from socket to socket without copying them.
//
//   peers' PUB ─► XSUB (events_in) ─┐
//                                   ├─► step ─► XPUB (events_out) ─► peers' SUB
//   peers' DEALER ◄─► ROUTER ───────┘
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "bus/batch.hpp"
#include "bus/zmq_loop.hpp"
#include "bus/socket.hpp"
#include "broker/flood.hpp"
#include "broker/peer_book.hpp"
#include "broker/step.hpp"
#include "broker/zap.hpp"

namespace berth::broker {

struct Addresses {
    std::string events_in;
    std::string events_out;
    std::string requests;
    std::string requests_allocator;
    std::string requests_hosts;           // empty: no host on another machine is served
    BERTH_FIELDS(Addresses, events_in, events_out, requests, requests_allocator, requests_hosts)
};

class Process {
public:
    /// Binds everything and writes <state>/bus.toml; serves once the loop runs.
    static Result<std::unique_ptr<Process>> open(bus::ZmqLoop& loop, Policy policy, const std::string& state_dir);
    ~Process();

    const Addresses& addresses() const { return addresses_; }

private:
    Process(bus::ZmqLoop& loop, Policy policy, std::string state_dir);
    Result<void> bind_all();
    Result<bus::Bound> bind_one(zmq::socket_type type, const std::vector<bus::Listener>& listeners);
    Result<void> write_addresses() const;
    void start();

    bool drain_events();
    bool drain_subscriptions();
    bool drain_requests();
    /// A message on its way: where it lies, and the frames themselves when it came alone.
    struct Passing {
        const Arrival& arrival;
        const bus::Frames* frames = nullptr;
        std::size_t topic_at = 0;
    };
    Arrival arrival_of(const bus::Frames& frames, Channel channel);
    /// Both give how many messages it was.
    std::size_t take(const bus::Frames& frames, const Arrival& arrival);
    std::size_t take_batch(const Arrival& arrival);
    void carry_out(Decisions decisions, const Passing* passing);
    void look_after_peers();
    void restart_events_out();
    void stop_flood(const std::string& key);

    void send_to_peer(const ToPeer& to, const Passing& passing);
    void send_to_subscribers(const ToSubscribers& to, const Passing& passing);
    bool gather(const std::string& route, std::string_view topic, std::string_view envelope, const Stamp& stamp);
    void leave_together();
    void leave(const std::string& route, const bus::Batch& batch);
    void note_batching(const std::string& route);
    bool is_wanted(std::string_view topic);
    void send_own(const std::string& route, const std::string& topic, const Envelope& envelope, const std::string& tag);
    Envelope own_envelope(std::string_view name);
    void publish_beat();
    void note(Count why, const std::string& sender, const std::string& text);

    bus::ZmqLoop& loop_;
    std::string state_dir_;
    State state_;
    std::string source_;
    std::uint64_t ids_ = 0;
    std::uint64_t beats_ = 0;
    bus::KeyPair own_;
    Addresses addresses_;
    std::unique_ptr<PeerBook> book_;
    std::shared_ptr<const PeerBook::Peers> peers_;
    zmq::context_t context_;
    std::unique_ptr<Zap> zap_;
    FloodWatch floods_;
    zmq::socket_t events_in_;
    zmq::socket_t events_out_;
    zmq::socket_t requests_;
    std::map<std::string, bus::Batch> leaving_;               // what this round gathered, by route
    std::set<std::string, std::less<>> batching_;             // routes of who reads several messages in one frame
    std::deque<std::string> batching_since_;                  // the same, the oldest first
    std::set<std::string, std::less<>> wanted_;               // what subscribers subscribed to
    std::map<std::string, bool, std::less<>> known_wanted_;   // topics that were compared with it
    std::map<std::pair<Count, std::string>, Instant> noted_;  // when this was last said
};

}  // namespace berth::broker
