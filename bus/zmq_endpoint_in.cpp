// SPDX-License-Identifier: Apache-2.0
// What comes to an endpoint: checked, then given to whoever waits for it, serves it or subscribed to it.
#include "bus/zmq_endpoint_inside.hpp"

#include <utility>

#include "base/diagnostics.hpp"
#include "events/topic.hpp"

namespace berth::bus {

namespace {

constexpr Duration clock_difference_least{1'000};

// "/berth/<sender>/…"
bool is_source_of(std::string_view source, std::string_view sender) {
    constexpr std::string_view root = "/berth/";
    if (!source.starts_with(root)) return false;
    source.remove_prefix(root.size());
    return source.starts_with(sender) && source.size() > sender.size() && source[sender.size()] == '/';
}

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
    if (channel == Channel::requests && frames.count == 2 && !frames.overflow && frames.text(0) == batch_topic) return take_batch(frames.text(1));
    if (frames.count != 3 || frames.overflow) return refuse_message("not three frames", "");
    take_message(frames.text(0), frames.text(1), frames.text(2), channel);
}

void ZmqEndpoint::Inside::take_batch(std::string_view body) {
    if (body.empty()) {                // the answer to our hello
        to_requests.batches(true);
        return to_events.batches(true);
    }
    if (!is_batch(body)) return refuse_message("a batch that is none", "");
    while (const auto parts = next_of_batch(body)) {
        if (parts->count != 3) refuse_message("not three frames", "");
        else take_message(parts->frames[0], parts->frames[1], parts->frames[2], Channel::requests);
    }
}

void ZmqEndpoint::Inside::take_message(std::string_view topic_text, std::string_view bytes, std::string_view stamp_bytes, Channel channel) {
    auto stamp = decode<Stamp>(stamp_bytes);
    if (!stamp) return refuse_message(stamp.error().text, "");
    if (channel == Channel::requests && stamp->role == Role::broker) broker_heard = loop.now();
    auto envelope = decode_envelope(bytes, stamp->role == Role::allocator
                                               ? trusted_limits
                                               : DecodeLimits{frame_max, DecodeLimits{}.depth, DecodeLimits{}.items});
    if (!envelope) return refuse_message(envelope.error().text, stamp->sender);
    if (!is_source_of(envelope->source, stamp->sender)) return refuse_message("the source is not the sender", stamp->sender);
    Delivery delivery{.envelope = std::move(*envelope), .stamp = std::move(*stamp)};
    if (channel == Channel::requests && topic_text == reply_topic) return take_reply(std::move(delivery));
    auto topic = parse_topic(topic_text);
    if (!topic) return refuse_message("the topic is malformed", delivery.stamp.sender);
    delivery.name = std::move(topic->name);
    delivery.key = std::move(topic->key);
    if (delivery.envelope.type != type_attribute(delivery.name)) return refuse_message("type and topic differ", delivery.stamp.sender);
    if (find_request_row(delivery.name) != nullptr) return take_request(delivery);
    take_event(delivery, std::string{topic_text});
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
