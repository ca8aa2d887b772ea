// SPDX-License-Identifier: Apache-2.0
#include "bus/zmq_endpoint.hpp"

#include <utility>

#include "base/check.hpp"
#include "base/config.hpp"
#include "base/rng.hpp"
#include "bus/zmq_endpoint_inside.hpp"
#include "events/topic.hpp"

namespace berth::bus {

namespace {

constexpr Duration beat_period{1'000};
constexpr Duration host_beat_period{5'000};       // there are many of them; each beat is answered

}  // namespace

ZmqEndpoint::Inside::Inside(ZmqLoop& on, Connection to)
    : loop(on), connection(std::move(to)), boot(random_hex(8)), source(fmt::format("/berth/{}/{}", connection.peer.name, boot)) {}

Result<Connection> read_connection(const std::string& bus_file, const std::string& keys_dir, const Peer& peer) {
    const auto file = TRY(Config::load(bus_file));
    const auto address = [&](std::string_view key) -> Result<std::string> {
        if (auto setting = file.find("bus", key)) return setting->value;
        return fail(ErrorKind::corrupt, "{} has no bus.{}: is the broker of this version?", bus_file, key);
    };
    const std::string_view requests = peer.role == Role::allocator ? "requests_allocator" : "requests";
    // A host has one connection, and who only looks on publishes nothing: on other machines they know no more.
    const bool is_host = peer.role == Role::host;
    const bool may_lack_in = (is_host || peer.role == Role::tap) && !file.find("bus", "events_in");
    return Connection{.events_in = may_lack_in ? "" : TRY(address("events_in")), .events_out = is_host ? "" : TRY(address("events_out")),
                      .requests = TRY(address(requests)), .broker_key = TRY(load_broker_key(keys_dir)),
                      .own = TRY(load_key(keys_dir, peer.name)), .peer = peer};
}

void ZmqEndpoint::Inside::send_answer(const Asked& asked, const Outgoing* body, const Error* error) {
    auto envelope = envelope_for(asked.name + ".reply", body ? body->bytes() : Bytes{}, {});
    envelope.correlation_id = asked.id;
    if (error) envelope.error = *error;
    auto bytes = encode_envelope(envelope);
    if (bytes.size() > own_message_max()) {
        envelope.data.clear();
        envelope.error = Error{ErrorKind::limit, fmt::format("the answer to {} has {} bytes, more than {}: ask for less",
                                                             asked.name, bytes.size(), own_message_max())};
        bytes = encode_envelope(envelope);
    }
    send_request_channel({std::string{reply_topic}, std::move(bytes), asked.tag, loop.now() + event_patience});
}

ZmqEndpoint::ZmqEndpoint(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {
    inside_->self = std::make_shared<ZmqEndpoint*>(this);
}

Result<std::unique_ptr<ZmqEndpoint>> ZmqEndpoint::open(ZmqLoop& loop, Connection connection) {
    auto inside = std::make_unique<Inside>(loop, std::move(connection));
    const auto& to = inside->connection;
    const auto limit = inside->is_host() ? frame_max : trusted_frame_max;
    inside->requests = TRY(open_client(inside->context, {.type = zmq::socket_type::dealer, .message_max = limit, .one_of_thousands = inside->is_host()}, to.own,
                                       to.broker_key, to.requests));
    if (!inside->is_host()) {
        // Tried once, so that a bad address is an error here and not at the first event.
        TRY(open_client(inside->context, {.type = zmq::socket_type::sub}, to.own, to.broker_key, to.events_out));
        if (!to.events_in.empty()) TRY(open_client(inside->context, {.type = zmq::socket_type::xpub}, to.own, to.broker_key, to.events_in));
    }
    inside->requests_cut = watch_connection(inside->context, inside->requests);
    std::unique_ptr<ZmqEndpoint> endpoint{new ZmqEndpoint(std::move(inside))};
    auto* within = endpoint->inside_.get();
    loop.watch_socket(within->requests_cut.handle(), [within] {
        if (was_cut(within->requests_cut)) within->lose_connection();
        return false;
    });
    loop.watch_socket(within->requests.handle(),
                      [within] { return within->drain(within->requests, Inside::Channel::requests); });
    loop.before_each_wait(within, [within] { within->leave_together(); });
    within->say_hello();
    return endpoint;
}

ZmqEndpoint::~ZmqEndpoint() {
    auto& in = *inside_;
    in.self.reset();
    in.loop.forget_waits_of(&in);
    in.leave_together();
    in.leave();
    end_watch(in.requests);
    for (const auto& [id, one] : in.pending) in.loop.cancel(one.timer);
    for (const auto& timer : {in.flush_timer, in.cut_timer, in.beat_timer, in.serve_timer}) {
        if (timer) in.loop.cancel(*timer);
    }
    for (auto* socket : {&in.requests, &in.requests_cut, &in.events_in, &in.events_out}) {
        if (*socket) in.loop.unwatch_socket(socket->handle());
    }
}

void ZmqEndpoint::publish_fact(const std::string& ledger, const FactRecord& record) {
    const auto name = type_of(record.fact);
    auto subjects = subjects_of(record.fact);
    Envelope envelope{.id = fmt::format("{}-{}", ledger, record.position.value), .source = inside_->source, .type = type_attribute(name),
                      .subject = subjects.empty() ? std::string{} : std::move(subjects.front()), .time = record.at,
                      .data = encode_fact_data(record), .ledger = ledger, .position = record.position, .reason = record.reason};
    if (!record.cause.empty()) envelope.causation_id = record.cause;
    inside_->publish(topic_of(name), std::move(envelope));
}

void ZmqEndpoint::subscribe(std::string_view name, OnDelivery handler) {
    check(name.empty() || find_event_row(name) != nullptr, "only events of the catalog are subscribed to");
    inside_->subscriptions.emplace_back(std::string{name}, std::move(handler));
    if (inside_->is_host()) return;
    if (!inside_->events_out) inside_->open_events_out();
    inside_->events_out.set(zmq::sockopt::subscribe, name.empty() ? std::string{} : topic_of(name));
}

void ZmqEndpoint::on_gap(std::function<void(const std::string& source, std::uint64_t missing)> handler) {
    inside_->gap_handler = std::move(handler);
}

void ZmqEndpoint::request_as(std::string_view name, const Outgoing& body, Duration timeout, const Note& note, OnReply handler,
                             OnAbsent absent) {
    inside_->ask(name, body.bytes(), timeout, note, std::move(handler), std::move(absent));
}

void ZmqEndpoint::publish_as(std::string_view name, const Outgoing& body, const Note& note) {
    const auto* row = find_event_row(name);
    check(row != nullptr, "only events of the catalog are published");
    const bool by_host = row->routing == Routing::by_host;
    const auto& key = by_host && note.key.empty() && inside_->is_host() ? inside_->connection.peer.name : note.key;
    check(!by_host || !key.empty(), "a message by host names its host");
    inside_->publish(topic_of(name, by_host ? key : std::string{}), inside_->envelope_for(name, body.bytes(), note));
}

void ZmqEndpoint::serve_as(std::string_view name, OnRequest handler) {
    const auto* row = find_request_row(name);
    check(row != nullptr, "only requests of the catalog are served");
    auto& in = *inside_;
    const auto service = service_of(name, row->routing == Routing::by_host ? in.connection.peer.name : std::string{});
    check(in.service.empty() || in.service == service, "an endpoint serves one service");
    in.served[std::string{name}] = std::move(handler);
    if (!in.service.empty()) return;
    in.service = service;
    in.beat_timer = in.loop.every(in.is_host() ? host_beat_period : beat_period, [this] { inside_->beat(); });
    in.register_service();
}

void ZmqEndpoint::when_serving(std::function<void()> then) {
    check(!inside_->service.empty(), "it serves something first");
    inside_->serving_handler = std::move(then);
}

const Peer& ZmqEndpoint::peer() const { return inside_->connection.peer; }
const ZmqEndpoint::Counters& ZmqEndpoint::counters() const { return inside_->counters; }
const std::string& ZmqEndpoint::source() const { return inside_->source; }

}  // namespace berth::bus
