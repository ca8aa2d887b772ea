// SPDX-License-Identifier: Apache-2.0
// What leaves an endpoint: events, requests and their ends; what waits for a connection.
#include "bus/zmq_endpoint_inside.hpp"

#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/diagnostics.hpp"

namespace berth::bus {

namespace {

constexpr std::size_t outstanding_max = 65'536;
constexpr Duration flush_period{5};
constexpr Duration cut_pause{50};                              // shorter than libzmq's first reconnect
constexpr Duration hello_patience{86'400'000};                 // until there is a broker; then it has no use

}  // namespace

Envelope ZmqEndpoint::Inside::envelope_for(std::string_view name, Bytes data, const Note& note) {
    Envelope envelope{.id = next_id(), .source = source, .type = type_attribute(name), .subject = note.subject,
                      .time = loop.now(), .data = std::move(data), .trace_parent = note.trace_parent,
                      .reason = note.reason};
    if (!note.cause.empty()) envelope.causation_id = note.cause;
    return envelope;
}

void ZmqEndpoint::Inside::send_request_channel(Outbox::Message message) {
    if (!to_requests.add(requests, std::move(message), loop.now())) ++counters.refused;
}

void ZmqEndpoint::Inside::leave_together() {
    if (to_requests.empty() && to_events.empty()) return;
    const auto now = loop.now();
    counters.refused += to_requests.flush(requests, now);
    if (events_in) counters.refused += to_events.flush(events_in, now);
    flush_later();
}

void ZmqEndpoint::Inside::say_hello() {
    to_requests.batches(false);
    to_events.batches(false);
    send_request_channel({std::string{batch_topic}, {}, {}, loop.now() + hello_patience});
}

void ZmqEndpoint::Inside::flush_later() {
    if (flush_timer || (to_requests.empty() && to_events.empty())) return;
    flush_timer = loop.after(flush_period, [this] {
        flush_timer.reset();
        leave_together();
    });
}

void ZmqEndpoint::Inside::publish(const std::string& topic, Envelope envelope) {
    envelope.sequence = sequences.next(topic);
    auto bytes = encode_envelope(envelope);
    if (bytes.size() > frame_max || topic.size() > topic_max) {
        ++counters.refused;
        log_error("bus.too_large", {{"topic", topic.substr(0, topic_max)}, {"bytes", bytes.size()}});
        return;
    }
    ++counters.published;
    Outbox::Message message{topic, std::move(bytes), {}, loop.now() + event_patience};
    if (is_host()) return send_request_channel(std::move(message));
    if (!events_in) open_events_in();
    if (!to_events.add(events_in, std::move(message), loop.now())) ++counters.refused;
}

// An XPUB, unlike a PUB, says when the broker listens: what is published before that waits.
void ZmqEndpoint::Inside::open_events_in() {
    auto opened = open_client(context, {.type = zmq::socket_type::xpub, .message_max = subscription_max},
                              connection.own, connection.broker_key, connection.events_in);
    check(opened.has_value(), "the address was tried when the endpoint was opened");
    events_in = std::move(*opened);
    to_events.pause();
    loop.watch_socket(events_in.handle(), [this] { return drain_listening(); });
}

bool ZmqEndpoint::Inside::drain_listening() {
    Frames frames;
    for (std::size_t i = 0; i < drain_max; ++i) {
        if (!receive(events_in, frames)) return false;
        if (frames.text(0).starts_with('\1')) {
            to_events.resume();
            counters.refused += to_events.flush(events_in, loop.now());
        } else if (frames.text(0).starts_with('\0')) {
            to_events.pause();
        }
    }
    return true;
}

void ZmqEndpoint::Inside::open_events_out() {
    auto opened = open_client(context, {.type = zmq::socket_type::sub}, connection.own, connection.broker_key,
                              connection.events_out);
    check(opened.has_value(), "the address was tried when the endpoint was opened");
    events_out = std::move(*opened);
    loop.watch_socket(events_out.handle(), [this] { return drain(events_out, Channel::events); });
}

void ZmqEndpoint::Inside::ask(std::string_view name, Bytes data, Duration timeout, const Note& note, OnReply handler, OnAbsent absent) {
    const auto* row = find_request_row(name);
    check(row != nullptr, "only requests of the catalog are asked");
    if (row->routing == Routing::by_host && note.key.empty()) {
        return answer_soon(std::move(handler), Error{ErrorKind::invalid, fmt::format("{} names no host", name)});
    }
    if (pending.size() >= outstanding_max) {
        return answer_soon(std::move(handler),
                           Error{ErrorKind::limit, fmt::format("{} requests are outstanding already", outstanding_max)});
    }
    auto envelope = envelope_for(name, std::move(data), note);
    const auto until = loop.now() + timeout;
    envelope.time += broker_ahead;
    envelope.deadline = until + broker_ahead;
    auto bytes = encode_envelope(envelope);
    if (bytes.size() > frame_max) {
        return answer_soon(std::move(handler),
                           Error{ErrorKind::limit, fmt::format("{} of {} bytes is over the limit of {}", name,
                                                               bytes.size(), frame_max)});
    }
    const auto id = envelope.id;
    const auto timer = loop.after(timeout, [this, id] { time_out(id); });
    pending.emplace(id, Pending{std::string{name}, timer, std::move(handler), std::move(absent)});
    Outbox::Message message{topic_of(name, row->routing == Routing::by_host ? note.key : std::string{}),
                            std::move(bytes), {}, until, id};
    if (to_requests.add(requests, std::move(message), loop.now())) return;
    finish(id, fail(ErrorKind::limit, "{} {} waits for no connection: {} messages wait already", name, id,
                    Outbox::waiting_max));
}

void ZmqEndpoint::Inside::answer_soon(OnReply handler, Error error) {
    loop.after(Duration{0}, [handler = std::move(handler), error = std::move(error)] { handler(fail(error)); });
}

void ZmqEndpoint::Inside::time_out(const std::string& id) {
    const auto found = pending.find(id);
    if (found == pending.end()) return;
    ++counters.timeouts;
    const auto name = found->second.name;
    finish(id, fail(ErrorKind::timeout, "{} {} was not answered by its deadline; ask again with the same key", name,
                    id));
}

void ZmqEndpoint::Inside::finish(const std::string& id, Result<Delivery> outcome) {
    auto found = pending.extract(id);
    if (found.empty()) return;
    loop.cancel(found.mapped().timer);
    found.mapped().handler(std::move(outcome));
}

// By the bus' own word: who asks may take this apart from what a callee answered, and ask again.
void ZmqEndpoint::Inside::finish_absent(const std::string& id, const Error& error) {
    auto found = pending.extract(id);
    if (found.empty()) return;
    loop.cancel(found.mapped().timer);
    if (found.mapped().absent) return found.mapped().absent(error);
    found.mapped().handler(fail(error));
}

// The connection to the broker ended. What was on it may or may not have been done, and nobody will
// say any more: its callers are told now, not at their deadline. Looks a moment later, when it is
// certain that what is not waiting was on the old connection, and nothing yet on a new one.
void ZmqEndpoint::Inside::lose_connection() {
    if (cut_timer) return;
    cut_timer = loop.after(cut_pause, [this] {
        cut_timer.reset();
        const auto waiting = to_requests.requests();
        std::vector<std::string> lost;
        for (const auto& [id, one] : pending) {
            if (!waiting.contains(id)) lost.push_back(id);
        }
        for (const auto& id : lost) {
            const auto found = pending.find(id);
            if (found == pending.end()) continue;
            finish_absent(id, {ErrorKind::unavailable,
                               fmt::format("the connection to the broker ended before {} {} was answered; it may or may "
                                           "not have been done: ask again with the same key", found->second.name, id)});
        }
        say_hello();                                                        // to the next connection
        if (registration == Registration::registered) register_service();   // with it
    });
}

}  // namespace berth::bus
