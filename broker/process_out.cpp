// SPDX-License-Identifier: Apache-2.0
// How messages leave the broker: to subscribers at once, to one peer with all that a round has for it.
#include <array>
#include <utility>

#include "broker/process.hpp"
#include "events/codec.hpp"

namespace berth::broker {

namespace {

constexpr std::size_t known_wanted_max = 16'384;   // topics

// A second hold on the bytes of a frame that came alone, else a copy of them.
zmq::message_t held(std::string_view bytes, const bus::Frames* frames, std::size_t at) {
    if (frames == nullptr) return zmq::message_t(bytes);
    zmq::message_t out;
    out.copy(const_cast<zmq::message_t&>(frames->parts[at]));
    return out;
}

}  // namespace

void Process::send_to_peer(const ToPeer& to, const Passing& passing) {
    const auto& arrival = passing.arrival;
    if (gather(to.route, arrival.topic, arrival.envelope, to.stamp)) return;
    zmq::message_t route(to.route);
    auto topic = held(arrival.topic, passing.frames, passing.topic_at);
    auto envelope = held(arrival.envelope, passing.frames, passing.topic_at + 1);
    zmq::message_t stamp(encode(to.stamp));
    switch (bus::send_all(requests_, std::array{&route, &topic, &envelope, &stamp})) {
        case bus::Sent::yes: return;
        // A request to a worker that was only just lost has no pending entry on its route left.
        case bus::Sent::unreachable: return carry_out(lose_route(state_, to.route), nullptr);
        case bus::Sent::full: return carry_out(give_back(state_, to.stamp.tag), nullptr);
    }
}

void Process::send_to_subscribers(const ToSubscribers& to, const Passing& passing) {
    const auto& arrival = passing.arrival;
    if (!is_wanted(arrival.topic)) return;
    auto topic = held(arrival.topic, passing.frames, passing.topic_at);
    auto envelope = held(arrival.envelope, passing.frames, passing.topic_at + 1);
    zmq::message_t stamp(encode(to.stamp));
    bus::send_all(events_out_, std::array{&topic, &envelope, &stamp});
}

// Most events concern nobody who listens: they are not even stamped.
bool Process::is_wanted(std::string_view topic) {
    if (const auto known = known_wanted_.find(topic); known != known_wanted_.end()) return known->second;
    bool wanted = false;
    for (std::size_t size = 0; size <= topic.size() && !wanted; ++size) wanted = wanted_.contains(topic.substr(0, size));
    if (known_wanted_.size() >= known_wanted_max) known_wanted_.clear();
    known_wanted_.emplace(topic, wanted);
    return wanted;
}

// False: it leaves alone, at once, after what was gathered for that route.
bool Process::gather(const std::string& route, std::string_view topic, std::string_view envelope, const Stamp& stamp) {
    const auto size = topic.size() + envelope.size();
    const bool small = size <= bus::batch_message_max && batching_.contains(route);
    const auto stamped = small ? encode(stamp) : Bytes{};
    const auto found = leaving_.find(route);
    if (found != leaving_.end() && (!small || !found->second.has_room_for(size + stamped.size()))) {
        const auto batch = std::move(leaving_.extract(found).mapped());
        leave(route, batch);
    }
    if (small) leaving_[route].add(topic, envelope, stamped);
    return small;
}

void Process::leave_together() {
    while (!leaving_.empty()) {       // what can not be sent may be told to others
        for (const auto& [route, batch] : std::exchange(leaving_, {})) leave(route, batch);
    }
}

void Process::leave(const std::string& route, const bus::Batch& batch) {
    zmq::message_t to(route);
    auto sent = bus::Sent::yes;
    if (batch.count() == 1) {
        std::string_view body = batch.body();
        const auto parts = bus::next_of_batch(body);
        zmq::message_t topic(parts->frames[0]);
        zmq::message_t envelope(parts->frames[1]);
        zmq::message_t stamp(parts->frames[2]);
        sent = bus::send_all(requests_, std::array{&to, &topic, &envelope, &stamp});
    } else {
        zmq::message_t topic(bus::batch_topic);
        zmq::message_t body(batch.body());
        sent = bus::send_all(requests_, std::array{&to, &topic, &body});
    }
    if (sent == bus::Sent::unreachable) {
        if (batching_.erase(route) > 0) std::erase(batching_since_, route);
        return carry_out(lose_route(state_, route), nullptr);
    }
    if (sent == bus::Sent::yes) return;
    std::string_view body = batch.body();
    while (const auto parts = bus::next_of_batch(body)) {
        const auto stamp = decode<Stamp>(parts->frames[2]);
        carry_out(give_back(state_, stamp ? stamp->tag : std::string{}), nullptr);
    }
}

void Process::send_own(const std::string& route, const std::string& topic, const Envelope& envelope,
                       const std::string& tag) {
    const auto bytes = encode_envelope(envelope);
    const Stamp own{Role::broker, "broker", tag};
    if (gather(route, topic, bytes, own)) return;
    zmq::message_t to(route);
    zmq::message_t head(topic);
    zmq::message_t body(bytes);
    zmq::message_t stamp(encode(own));
    const auto sent = bus::send_all(requests_, std::array{&to, &head, &body, &stamp});
    if (sent == bus::Sent::unreachable) carry_out(lose_route(state_, route), nullptr);
    if (sent == bus::Sent::full) ++state_.count(Count::slow_receiver);
}

}  // namespace berth::broker
