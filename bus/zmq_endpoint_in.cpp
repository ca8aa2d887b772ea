// SPDX-License-Identifier: Apache-2.0
// What comes to an endpoint: checked, then given to whoever waits for it, serves it or subscribed to it.
#include "bus/zmq_endpoint_inside.hpp"

#include <utility>

#include "base/diagnostics.hpp"
#include "events/topic.hpp"

namespace berth::bus {

namespace {

constexpr Duration clock_difference_least{1'000};

}  // namespace

bool ZmqEndpoint::Inside::drain(zmq::socket_t& socket, Channel channel) {
    Frames frames;
    for (std::size_t i = 0; i < drain_max; ++i) {
        if (!receive(socket, frames)) return false;
        take(frames, channel);
    }
    return true;
}

void ZmqEndpoint::Inside::refuse_message(std::string_view why, const std::string& sender) {
    ++counters.refused;
    log_warn("bus.refused", {{"why", why}, {"sender", sender}});
}

void ZmqEndpoint::Inside::take(const Frames& frames, Channel channel) {
    if (frames.count != 3 || frames.overflow) return refuse_message("not three frames", "");
    const auto stamp = decode<Stamp>(frames.text(2));
    if (!stamp) return refuse_message(stamp.error().text, "");
    if (channel == Channel::requests && stamp->role == Role::broker) broker_heard = loop.now();
    auto envelope = decode_envelope(frames.text(1), stamp->role == Role::allocator
                                                        ? trusted_limits
                                                        : DecodeLimits{frame_max, DecodeLimits{}.depth,
                                                                       DecodeLimits{}.items});
    if (!envelope) return refuse_message(envelope.error().text, stamp->sender);
    if (!envelope->source.starts_with(fmt::format("/berth/{}/", stamp->sender))) {
        return refuse_message("the source is not the sender", stamp->sender);
    }
    Delivery delivery{.envelope = std::move(*envelope), .stamp = *stamp};
    if (channel == Channel::requests && frames.text(0) == reply_topic) return take_reply(std::move(delivery));
    const auto topic = parse_topic(frames.text(0));
    if (!topic) return refuse_message("the topic is malformed", stamp->sender);
    delivery.name = topic->name;
    delivery.key = topic->key;
    if (name_in_type(delivery.envelope.type) != delivery.name) {
        return refuse_message("type and topic differ", stamp->sender);
    }
    if (find_request_row(delivery.name) != nullptr) return take_request(delivery);
    take_event(delivery, std::string{frames.text(0)});
}

void ZmqEndpoint::Inside::take_reply(Delivery delivery) {
    const auto found = pending.find(delivery.stamp.tag);
    if (found == pending.end()) {
        ++counters.late_replies;
        return;
    }
    if (delivery.envelope.correlation_id != found->first) {
        return refuse_message("the reply answers another request", delivery.stamp.sender);
    }
    ++counters.delivered;
    const auto id = found->first;
    delivery.name = found->second.name;
    if (delivery.envelope.error && delivery.stamp.role == Role::broker && delivery.envelope.error->kind == ErrorKind::unavailable) {
        return finish_absent(id, *delivery.envelope.error);
    }
    if (delivery.envelope.error && delivery.stamp.role == Role::broker) note_late(delivery);
    if (delivery.envelope.error) return finish(id, fail(*delivery.envelope.error));
    finish(id, std::move(delivery));
}

// Its clock and ours parted: one of us began before the machine slept, or before its clock was set. From
// here on our requests bear its time; what truly came late was late by little.
void ZmqEndpoint::Inside::note_late(const Delivery& refusal) {
    if (refusal.envelope.error->kind != ErrorKind::timeout) return;
    const auto ahead = refusal.envelope.time - loop.now();
    if (std::chrono::abs(ahead - broker_ahead) < clock_difference_least) return;
    broker_ahead = std::chrono::abs(ahead) < clock_difference_least ? Duration{0} : ahead;
    log_warn("clock.jumped", {{"why", fmt::format("the clock of the broker is {} {} ours: one of us is older than a change of this machine's clock. "
                                                  "Requests go by the broker's clock now; a restart of the older process ends it",
                                                  to_text(std::chrono::abs(ahead)), ahead > Duration{0} ? "ahead of" : "behind")}});
}

void ZmqEndpoint::Inside::take_request(const Delivery& delivery) {
    const Responder responder([within = std::weak_ptr(self), asked = Asked{delivery.name, delivery.envelope.id, delivery.stamp.tag}](
                                  const Outgoing* body, const Error* error) {
        if (const auto endpoint = within.lock()) (*endpoint)->inside_->send_answer(asked, body, error);
    });
    const auto found = served.find(delivery.name);
    if (found == served.end()) {
        ++counters.refused;
        return responder.refuse({ErrorKind::not_found,
                                 fmt::format("{} does not serve {}", connection.peer.name, delivery.name)});
    }
    ++counters.delivered;
    found->second(delivery, responder);
}

void ZmqEndpoint::Inside::take_event(const Delivery& delivery, const std::string& topic) {
    if (delivery.stamp.role == Role::broker && delivery.name == event_name<ServeEnd>) return broker_forgot();
    if (delivery.stamp.role == Role::broker && delivery.name == event_name<ServeBeat>) return;
    if (delivery.envelope.sequence) {
        const auto missing = watch.note(delivery.stamp.sender, delivery.envelope.source, topic,
                                        *delivery.envelope.sequence);
        if (missing) {
            ++counters.gaps;
            if (gap_handler) gap_handler(delivery.envelope.source, *missing);
        }
    }
    ++counters.delivered;
    for (std::size_t i = 0; i < subscriptions.size(); ++i) {
        const auto& [name, handler] = subscriptions[i];
        if (name.empty() || name == delivery.name) handler(delivery);
    }
}

}  // namespace berth::bus
