// SPDX-License-Identifier: Apache-2.0
// What a process says and hears: publish, subscribe, request, serve. An edge, one per process, on its
// loop's thread: the real one is on the wire (zmq_endpoint.hpp), the simulated one in a world
// (tests/sim/sim_bus.hpp). What either may do to a message: lose, double, delay or reorder an event; end a
// request as timeout or unavailable though it was done. It never invents one, and never answers twice.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "bus/peer.hpp"
#include "events/catalog.hpp"
#include "events/codec.hpp"

namespace berth::bus {

/// A message that came in.
struct Delivery {
    std::string name;             // catalog name: "host.activity"
    std::string key;              // the host in a by_host topic
    Envelope envelope;
    Stamp stamp;                  // by the broker: who really sent it
    std::shared_ptr<const void> value;   // in place of envelope.data, in a world without a wire

    template <class T>
    Result<T> as() const {
        if (value) return *static_cast<const T*>(value.get());
        return decode<T>(envelope.data, stamp.role == Role::allocator ? trusted_limits : DecodeLimits{});
    }
};

/// What may accompany a message; all optional.
struct Note {
    std::string key;              // host id of a by_host message
    std::string subject;
    std::string cause;            // id of the message or "#position" of the fact that led to this
    std::optional<Reason> reason; // intents must have one
    std::optional<std::string> trace_parent;
};

/// A value that leaves, in no form yet: a wire encodes it, a world without one keeps a copy. Only for the
/// time of the call that it is given to.
class Outgoing {
public:
    template <class T>
    explicit Outgoing(const T& value)
        : value_(&value),
          encode_([](const void* of) { return encode(*static_cast<const T*>(of)); }),
          copy_([](const void* of) -> std::shared_ptr<const void> { return std::make_shared<const T>(*static_cast<const T*>(of)); }) {}

    Bytes bytes() const { return encode_(value_); }
    std::shared_ptr<const void> copy() const { return copy_(value_); }

private:
    const void* value_;
    Bytes (*encode_)(const void*);
    std::shared_ptr<const void> (*copy_)(const void*);
};

/// Answers one request, once; copyable; safe to drop (the caller then meets its deadline) and to
/// use after the caller or the endpoint is gone. Only on the loop's thread.
class Responder {
public:
    /// Where the answer goes: `body` or `error`, at most once.
    using Way = std::function<void(const Outgoing* body, const Error* error)>;
    explicit Responder(Way way) : way_(std::make_shared<Way>(std::move(way))) {}

    template <class R>
    void reply(const R& value) const {
        const Outgoing body(value);
        send(&body, nullptr);
    }
    void refuse(const Error& error) const { send(nullptr, &error); }
    template <class R>
    void answer(const Result<R>& outcome) const {
        if (outcome) reply(*outcome); else refuse(outcome.error());
    }

private:
    void send(const Outgoing* body, const Error* error) const {
        if (const auto way = std::exchange(*way_, nullptr)) way(body, error);
    }
    std::shared_ptr<Way> way_;            // shared by all copies; empty once it was used
};

class Endpoint {
public:
    virtual ~Endpoint() = default;

    // ---- events
    template <class T>
    void publish(const T& value, const Note& note = {}) { publish_as(event_name<T>, Outgoing(value), note); }
    virtual void publish_as(std::string_view name, const Outgoing& body, const Note& note) = 0;
    /// A fact with its ledger position, reason and cause.
    virtual void publish_fact(const std::string& ledger, const FactRecord& record) = 0;

    using OnDelivery = std::function<void(const Delivery&)>;
    /// `name` from the catalog, or "" for everything (taps). Hosts receive what is addressed to them
    /// without subscribing; for them this only sets the handler.
    virtual void subscribe(std::string_view name, OnDelivery handler) = 0;

    // ---- requests
    /// The handler runs exactly once, later: with the reply, the callee's error, or a timeout at the
    /// deadline. At most 65,536 may be outstanding (then ErrorKind::limit).
    /// `absent`, when given, runs in the handler's place if the bus itself says that nobody serves it, or
    /// that who served it is gone: asking again may help. What a callee answers never comes there.
    using OnAbsent = std::function<void(const Error&)>;
    template <class T>
    void request(const T& value, Duration timeout, std::function<void(Result<ReplyTo<T>>)> handler,
                 const Note& note = {}, OnAbsent absent = {}) {
        request_as(request_name<T>, Outgoing(value), timeout, note,
                   [handler = std::move(handler)](Result<Delivery> reply) {
                       if (!reply) return handler(fail(reply.error()));
                       handler(reply->template as<ReplyTo<T>>());
                   }, std::move(absent));
    }
    using OnReply = std::function<void(Result<Delivery>)>;
    virtual void request_as(std::string_view name, const Outgoing& body, Duration timeout, const Note& note, OnReply handler,
                            OnAbsent absent) = 0;

    // ---- serving
    /// Registers as a worker of the service that `name` belongs to ("allocator", or "host.<own name>")
    /// and keeps it registered across broker restarts.
    using OnRequest = std::function<void(const Delivery&, Responder)>;
    virtual void serve_as(std::string_view name, OnRequest handler) = 0;
    template <class T>
    void serve(std::function<void(T, const Delivery&, Responder)> handler) {
        serve_as(request_name<T>, [handler = std::move(handler)](const Delivery& delivery, Responder to) {
            auto value = delivery.template as<T>();
            if (!value) return to.refuse(value.error());
            handler(std::move(*value), delivery, std::move(to));
        });
    }
    /// Called once, when the broker has taken us for a worker for the first time: from then on a
    /// request reaches us. After serve(), before the loop runs.
    virtual void when_serving(std::function<void()> then) = 0;

    virtual const Peer& peer() const = 0;
};

}  // namespace berth::bus
