// SPDX-License-Identifier: Apache-2.0
#include "bus/endpoint.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "base/check.hpp"
#include "base/config.hpp"
#include "base/diagnostics.hpp"
#include "base/rng.hpp"
#include "bus/sequences.hpp"
#include "bus/socket.hpp"
#include "events/topic.hpp"

namespace berth::bus {

namespace {

constexpr std::size_t outstanding_max = 65'536;
constexpr std::size_t waiting_max = 16'384;                    // messages that no connection takes yet
constexpr std::size_t waiting_bytes_max = 128 * 1024 * 1024;
constexpr Duration flush_period{5};
constexpr Duration beat_period{1'000};
constexpr Duration broker_silence_max{3'000};
constexpr Duration serve_timeout{1'000};
constexpr Duration serve_pause{500};
constexpr Duration event_patience{10'000};                     // how long an event waits for a connection

}  // namespace

// What waits for a connection, in order. A message that waited past its use is thrown away.
class Outbox {
public:
    struct Message {
        std::string topic;
        Bytes envelope;
        std::string tag;                                       // of a reply; else empty
        Instant until;
    };

    bool empty() const { return waiting_.empty(); }
    void pause() { paused_ = true; }
    void resume() { paused_ = false; }

    /// False when it had to be thrown away.
    bool send(zmq::socket_t& socket, Message message, Instant now) {
        flush(socket, now);
        if (waiting_.empty() && !paused_ && pass(socket, message)) return true;
        const auto size = message.topic.size() + message.envelope.size();
        if (waiting_.size() >= waiting_max || bytes_ + size > waiting_bytes_max) return false;
        bytes_ += size;
        waiting_.push_back(std::move(message));
        return true;
    }

    /// Gives how many were thrown away because they were too old.
    std::uint64_t flush(zmq::socket_t& socket, Instant now) {
        std::uint64_t dropped = 0;
        while (!waiting_.empty()) {
            const bool late = waiting_.front().until <= now;
            if (!late && (paused_ || !pass(socket, waiting_.front()))) break;
            dropped += late ? 1 : 0;
            bytes_ -= waiting_.front().topic.size() + waiting_.front().envelope.size();
            waiting_.pop_front();
        }
        return dropped;
    }

private:
    static bool pass(zmq::socket_t& socket, const Message& message) {
        zmq::message_t topic(message.topic);
        zmq::message_t envelope(message.envelope);
        if (message.tag.empty()) return send_all(socket, std::array{&topic, &envelope}) == Sent::yes;
        zmq::message_t tag(message.tag);
        return send_all(socket, std::array{&topic, &envelope, &tag}) == Sent::yes;
    }

    std::deque<Message> waiting_;
    std::size_t bytes_ = 0;
    bool paused_ = false;
};

struct Endpoint::Inside {
    struct Pending {
        std::string name;
        TimerId timer = 0;
        OnReply handler;
    };
    enum class Registration { none, asking, registered };

    Inside(Loop& on, Connection to)
        : loop(on), connection(std::move(to)), boot(random_hex(8)),
          source(fmt::format("/berth/{}/{}", connection.peer.name, boot)) {}

    Loop& loop;
    Connection connection;
    std::string boot;
    std::string source;
    std::uint64_t ids = 0;
    Counters counters;
    std::shared_ptr<Endpoint*> self;                           // what responders hold on to

    zmq::context_t context{1};
    zmq::socket_t requests;
    zmq::socket_t events_in;                                   // ours to the broker; made when first used
    zmq::socket_t events_out;                                  // the broker's to us; made when first used
    Outbox to_requests;
    Outbox to_events;
    std::optional<TimerId> flush_timer;

    SequenceSource sequences;
    SequenceWatch watch;
    std::function<void(const std::string&, std::uint64_t)> gap_handler;
    std::deque<std::pair<std::string, OnDelivery>> subscriptions;
    std::map<std::string, Pending, std::less<>> pending;
    std::map<std::string, OnRequest, std::less<>> served;

    std::string service;
    Registration registration = Registration::none;
    Instant broker_heard;
    std::optional<TimerId> beat_timer;
    std::optional<TimerId> serve_timer;

    bool is_host() const { return connection.peer.role == Role::host; }
    std::size_t own_message_max() const {
        return connection.peer.role == Role::allocator ? trusted_frame_max : frame_max;
    }

    // ---- out

    Envelope envelope_for(std::string_view name, Bytes data, const Note& note) {
        Envelope envelope{.id = next_id(), .source = source, .type = type_attribute(name), .subject = note.subject,
                          .time = loop.now(), .data = std::move(data), .trace_parent = note.trace_parent,
                          .reason = note.reason};
        if (!note.cause.empty()) envelope.causation_id = note.cause;
        return envelope;
    }
    std::string next_id() { return fmt::format("{}-{}", boot, ++ids); }

    void send_request_channel(Outbox::Message message) {
        if (!to_requests.send(requests, std::move(message), loop.now())) ++counters.refused;
        flush_later();
    }

    void flush_later() {
        if (flush_timer || (to_requests.empty() && to_events.empty())) return;
        flush_timer = loop.after(flush_period, [this] {
            flush_timer.reset();
            counters.refused += to_requests.flush(requests, loop.now());
            if (events_in) counters.refused += to_events.flush(events_in, loop.now());
            flush_later();
        });
    }

    void publish(const std::string& topic, Envelope envelope) {
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
        if (!to_events.send(events_in, std::move(message), loop.now())) ++counters.refused;
        flush_later();
    }

    // An XPUB, unlike a PUB, says when the broker listens: what is published before that waits.
    void open_events_in() {
        auto opened = open_client(context, {.type = zmq::socket_type::xpub, .message_max = subscription_max},
                                  connection.own, connection.broker_key, connection.events_in);
        check(opened.has_value(), "the address was tried when the endpoint was opened");
        events_in = std::move(*opened);
        to_events.pause();
        loop.watch_socket(events_in.handle(), [this] { return drain_listening(); });
    }

    bool drain_listening() {
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

    void open_events_out() {
        auto opened = open_client(context, {.type = zmq::socket_type::sub}, connection.own, connection.broker_key,
                                  connection.events_out);
        check(opened.has_value(), "the address was tried when the endpoint was opened");
        events_out = std::move(*opened);
        loop.watch_socket(events_out.handle(), [this] { return drain(events_out, Channel::events); });
    }

    void ask(std::string_view name, Bytes data, Duration timeout, const Note& note, OnReply handler) {
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
        envelope.deadline = until;
        auto bytes = encode_envelope(envelope);
        if (bytes.size() > frame_max) {
            return answer_soon(std::move(handler),
                               Error{ErrorKind::limit, fmt::format("{} of {} bytes is over the limit of {}", name,
                                                                   bytes.size(), frame_max)});
        }
        const auto id = envelope.id;
        const auto timer = loop.after(timeout, [this, id] { time_out(id); });
        pending.emplace(id, Pending{std::string{name}, timer, std::move(handler)});
        Outbox::Message message{topic_of(name, row->routing == Routing::by_host ? note.key : std::string{}),
                                std::move(bytes), {}, until};
        if (to_requests.send(requests, std::move(message), loop.now())) return flush_later();
        finish(id, fail(ErrorKind::limit, "{} {} waits for no connection: {} messages wait already", name, id,
                        waiting_max));
    }

    void answer_soon(OnReply handler, Error error) {
        loop.after(Duration{0}, [handler = std::move(handler), error = std::move(error)] { handler(fail(error)); });
    }

    void time_out(const std::string& id) {
        const auto found = pending.find(id);
        if (found == pending.end()) return;
        ++counters.timeouts;
        const auto name = found->second.name;
        finish(id, fail(ErrorKind::timeout, "{} {} was not answered by its deadline; ask again with the same key", name,
                        id));
    }

    void finish(const std::string& id, Result<Delivery> outcome) {
        auto found = pending.extract(id);
        if (found.empty()) return;
        loop.cancel(found.mapped().timer);
        found.mapped().handler(std::move(outcome));
    }

    // ---- in

    enum class Channel { events, requests };

    bool drain(zmq::socket_t& socket, Channel channel) {
        Frames frames;
        for (std::size_t i = 0; i < drain_max; ++i) {
            if (!receive(socket, frames)) return false;
            take(frames, channel);
        }
        return true;
    }

    void refuse_message(std::string_view why, const std::string& sender) {
        ++counters.refused;
        log_warn("bus.refused", {{"why", why}, {"sender", sender}});
    }

    void take(const Frames& frames, Channel channel) {
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

    void take_reply(Delivery delivery) {
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
        if (delivery.envelope.error) return finish(id, fail(*delivery.envelope.error));
        finish(id, std::move(delivery));
    }

    void take_request(const Delivery& delivery) {
        Responder responder;
        responder.endpoint_ = self;
        responder.answered_ = std::make_shared<bool>(false);
        responder.tag_ = delivery.stamp.tag;
        responder.request_id_ = delivery.envelope.id;
        responder.request_name_ = delivery.name;
        const auto found = served.find(delivery.name);
        if (found == served.end()) {
            ++counters.refused;
            return responder.refuse({ErrorKind::not_found,
                                     fmt::format("{} does not serve {}", connection.peer.name, delivery.name)});
        }
        ++counters.delivered;
        found->second(delivery, std::move(responder));
    }

    void take_event(const Delivery& delivery, const std::string& topic) {
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

    // ---- serving

    void register_service() {
        if (serve_timer) return;
        registration = Registration::asking;
        auto on_reply = [this](const Result<Delivery>& reply) {
            if (reply) {
                registration = Registration::registered;
                broker_heard = loop.now();
                return log_line(LogLevel::debug, "bus.serving", {{"service", service}});
            }
            registration = Registration::none;
            if (reply.error().kind != ErrorKind::timeout) {
                log_warn("bus.not_serving", {{"service", service}, {"why", reply.error().text}});
            }
            serve_timer = loop.after(reply.error().kind == ErrorKind::timeout ? Duration{0} : serve_pause, [this] {
                serve_timer.reset();
                register_service();
            });
        };
        ask(request_name<ServeRequest>, encode(ServeRequest{service}), serve_timeout, {}, std::move(on_reply));
    }

    void beat() {
        if (registration != Registration::registered) return;
        if (loop.now() - broker_heard > broker_silence_max) {
            log_warn("bus.broker_silent", {{"service", service}});
            return register_service();
        }
        // A beat that no connection takes now is of no use later.
        zmq::message_t topic(topic_of(event_name<ServeBeat>));
        zmq::message_t body(encode_envelope(envelope_for(event_name<ServeBeat>, encode(ServeBeat{}), {})));
        send_all(requests, std::array{&topic, &body});
    }

    void broker_forgot() {
        if (registration == Registration::registered) register_service();
    }

    void leave() {
        if (registration != Registration::registered) return;
        zmq::message_t topic(topic_of(event_name<ServeEnd>));
        zmq::message_t body(encode_envelope(envelope_for(event_name<ServeEnd>, encode(ServeEnd{}), {})));
        send_all(requests, std::array{&topic, &body});
    }
};

// ---- the outside

Result<Connection> read_connection(const std::string& bus_file, const std::string& keys_dir, const Peer& peer) {
    const auto file = TRY(Config::load(bus_file));
    const auto address = [&](std::string_view key) -> Result<std::string> {
        if (auto setting = file.find("bus", key)) return setting->value;
        return fail(ErrorKind::corrupt, "{} has no bus.{}: is the broker of this version?", bus_file, key);
    };
    const std::string_view requests = peer.role == Role::allocator ? "requests_allocator" : "requests";
    return Connection{.events_in = TRY(address("events_in")), .events_out = TRY(address("events_out")),
                      .requests = TRY(address(requests)), .broker_key = TRY(load_broker_key(keys_dir)),
                      .own = TRY(load_key(keys_dir, peer.name)), .peer = peer};
}

void Responder::send(Bytes data, std::optional<Error> error) const {
    const auto endpoint = endpoint_.lock();
    if (!endpoint || *answered_) return;
    *answered_ = true;
    auto& inside = *(*endpoint)->inside_;
    auto envelope = inside.envelope_for(request_name_ + ".reply", std::move(data), {});
    envelope.correlation_id = request_id_;
    envelope.error = std::move(error);
    auto bytes = encode_envelope(envelope);
    if (bytes.size() > inside.own_message_max()) {
        envelope.data.clear();
        envelope.error = Error{ErrorKind::limit, fmt::format("the answer to {} has {} bytes, more than {}: ask for less",
                                                             request_name_, bytes.size(), inside.own_message_max())};
        bytes = encode_envelope(envelope);
    }
    inside.send_request_channel({std::string{reply_topic}, std::move(bytes), tag_, inside.loop.now() + event_patience});
}

Endpoint::Endpoint(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {
    inside_->self = std::make_shared<Endpoint*>(this);
}

Result<std::unique_ptr<Endpoint>> Endpoint::open(Loop& loop, Connection connection) {
    auto inside = std::make_unique<Inside>(loop, std::move(connection));
    const auto& to = inside->connection;
    const auto limit = inside->is_host() ? frame_max : trusted_frame_max;
    inside->requests = TRY(open_client(inside->context, {.type = zmq::socket_type::dealer, .message_max = limit}, to.own,
                                       to.broker_key, to.requests));
    if (!inside->is_host()) {
        // Tried once, so that a bad address is an error here and not at the first event.
        TRY(open_client(inside->context, {.type = zmq::socket_type::sub}, to.own, to.broker_key, to.events_out));
        TRY(open_client(inside->context, {.type = zmq::socket_type::xpub}, to.own, to.broker_key, to.events_in));
    }
    std::unique_ptr<Endpoint> endpoint{new Endpoint(std::move(inside))};
    auto* within = endpoint->inside_.get();
    loop.watch_socket(within->requests.handle(),
                      [within] { return within->drain(within->requests, Inside::Channel::requests); });
    return endpoint;
}

Endpoint::~Endpoint() {
    auto& in = *inside_;
    in.self.reset();
    in.leave();
    for (const auto& [id, one] : in.pending) in.loop.cancel(one.timer);
    for (const auto& timer : {in.flush_timer, in.beat_timer, in.serve_timer}) {
        if (timer) in.loop.cancel(*timer);
    }
    for (auto* socket : {&in.requests, &in.events_in, &in.events_out}) {
        if (*socket) in.loop.unwatch_socket(socket->handle());
    }
}

void Endpoint::publish_fact(const std::string& ledger, const FactRecord& record) {
    const auto name = type_of(record.fact);
    const auto subjects = subjects_of(record.fact);
    auto envelope = inside_->envelope_for(name, encode_fact_data(record),
                                          {.subject = subjects.empty() ? std::string{} : subjects.front(),
                                           .cause = record.cause, .reason = record.reason});
    envelope.id = fmt::format("{}-{}", ledger, record.position.value);
    envelope.time = record.at;
    envelope.ledger = ledger;
    envelope.position = record.position;
    inside_->publish(topic_of(name), std::move(envelope));
}

void Endpoint::subscribe(std::string_view name, OnDelivery handler) {
    check(name.empty() || find_event_row(name) != nullptr, "only events of the catalog are subscribed to");
    inside_->subscriptions.emplace_back(std::string{name}, std::move(handler));
    if (inside_->is_host()) return;
    if (!inside_->events_out) inside_->open_events_out();
    inside_->events_out.set(zmq::sockopt::subscribe, name.empty() ? std::string{} : topic_of(name));
}

void Endpoint::on_gap(std::function<void(const std::string& source, std::uint64_t missing)> handler) {
    inside_->gap_handler = std::move(handler);
}

void Endpoint::request_raw(std::string_view name, Bytes data, Duration timeout, const Note& note, OnReply handler) {
    inside_->ask(name, std::move(data), timeout, note, std::move(handler));
}

void Endpoint::publish_raw(std::string_view name, Bytes data, const Note& note) {
    const auto* row = find_event_row(name);
    check(row != nullptr, "only events of the catalog are published");
    const bool by_host = row->routing == Routing::by_host;
    const auto& key = by_host && note.key.empty() && inside_->is_host() ? inside_->connection.peer.name : note.key;
    check(!by_host || !key.empty(), "a message by host names its host");
    inside_->publish(topic_of(name, by_host ? key : std::string{}), inside_->envelope_for(name, std::move(data), note));
}

void Endpoint::serve_raw(std::string_view name, OnRequest handler) {
    const auto* row = find_request_row(name);
    check(row != nullptr, "only requests of the catalog are served");
    auto& in = *inside_;
    const auto service = service_of(name, row->routing == Routing::by_host ? in.connection.peer.name : std::string{});
    check(in.service.empty() || in.service == service, "an endpoint serves one service");
    in.served[std::string{name}] = std::move(handler);
    if (!in.service.empty()) return;
    in.service = service;
    in.beat_timer = in.loop.every(beat_period, [this] { inside_->beat(); });
    in.register_service();
}

const Peer& Endpoint::peer() const { return inside_->connection.peer; }
const Endpoint::Counters& Endpoint::counters() const { return inside_->counters; }
const std::string& Endpoint::source() const { return inside_->source; }
std::string Endpoint::next_id() { return inside_->next_id(); }

}  // namespace berth::bus
