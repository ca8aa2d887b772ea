// SPDX-License-Identifier: Apache-2.0
// What an endpoint holds, and its three parts: zmq_endpoint_out.cpp, zmq_endpoint_in.cpp, zmq_endpoint_serving.cpp.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "bus/zmq_endpoint.hpp"
#include "bus/outbox.hpp"
#include "bus/sequences.hpp"
#include "bus/socket.hpp"

namespace berth::bus {

constexpr Duration event_patience{10'000};                     // how long an event waits for a connection

struct ZmqEndpoint::Inside {
    struct Pending {
        std::string name;
        TimerId timer = 0;
        OnReply handler;
        OnAbsent absent;
    };
    struct Asked {                        // a request of somebody: what its answer must bear
        std::string name;
        std::string id;
        std::string tag;
    };
    enum class Registration { none, asking, registered };
    enum class Channel { events, requests };

    Inside(ZmqLoop& on, Connection to);

    ZmqLoop& loop;
    Connection connection;
    std::string boot;
    std::string source;
    std::uint64_t ids = 0;
    Counters counters;
    std::shared_ptr<ZmqEndpoint*> self;                           // what responders hold on to

    zmq::context_t context{1};
    zmq::socket_t requests;
    zmq::socket_t requests_cut;                                // says when the connection of `requests` ended
    zmq::socket_t events_in;                                   // ours to the broker; made when first used
    zmq::socket_t events_out;                                  // the broker's to us; made when first used
    Outbox to_requests;
    Outbox to_events;
    std::optional<TimerId> flush_timer;
    std::optional<TimerId> cut_timer;

    SequenceSource sequences;
    SequenceWatch watch;
    std::function<void(const std::string&, std::uint64_t)> gap_handler;
    std::deque<std::pair<std::string, OnDelivery>> subscriptions;
    std::map<std::string, Pending, std::less<>> pending;
    std::map<std::string, OnRequest, std::less<>> served;

    std::string service;
    Registration registration = Registration::none;
    std::function<void()> serving_handler;                     // until the first registration
    Instant broker_heard;
    Duration broker_ahead{0};                                  // its clock, by its last word on a request that came late
    std::optional<TimerId> beat_timer;
    std::optional<TimerId> serve_timer;

    bool is_host() const { return connection.peer.role == Role::host; }
    std::size_t own_message_max() const {
        return connection.peer.role == Role::allocator ? trusted_frame_max : frame_max;
    }
    std::string next_id() { return fmt::format("{}-{}", boot, ++ids); }

    // ---- out
    Envelope envelope_for(std::string_view name, Bytes data, const Note& note);
    void send_request_channel(Outbox::Message message);
    void send_answer(const Asked& asked, const Outgoing* body, const Error* error);
    void flush_later();
    void leave_together();
    void say_hello();
    void publish(const std::string& topic, Envelope envelope);
    void open_events_in();
    bool drain_listening();
    void open_events_out();
    void ask(std::string_view name, Bytes data, Duration timeout, const Note& note, OnReply handler, OnAbsent absent = {});
    void answer_soon(OnReply handler, Error error);
    void time_out(const std::string& id);
    void finish(const std::string& id, Result<Delivery> outcome);
    void finish_absent(const std::string& id, const Error& error);
    void lose_connection();

    // ---- in; drain: true when more may wait
    bool drain(zmq::socket_t& socket, Channel channel);
    void refuse_message(std::string_view why, const std::string& sender);
    void take(const Frames& frames, Channel channel);
    void take_batch(std::string_view body);
    void take_message(std::string_view topic, std::string_view bytes, std::string_view stamp_bytes, Channel channel);
    void take_reply(Delivery delivery);
    void note_late(const Delivery& refusal);
    void take_request(const Delivery& delivery);
    void take_event(const Delivery& delivery, const std::string& topic);

    // ---- serving
    void register_service();
    void beat();
    void broker_forgot();
    void leave();
};

}  // namespace berth::bus
