// SPDX-License-Identifier: Apache-2.0
// The only way to touch the wire: publish, subscribe, request, serve. One endpoint per process, on
// its loop's thread. A control-plane process has a PUB, a SUB and a DEALER connection to the broker;
// a host has the DEALER alone and does everything over it. All are CURVE (bus/keys.hpp).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "bus/keys.hpp"
#include "bus/loop.hpp"
#include "events/catalog.hpp"
#include "events/codec.hpp"

namespace berth::bus {

struct Connection {
    std::string events_in;        // broker's XSUB, e.g. tcp://127.0.0.1:7201; unused by hosts
    std::string events_out;       // broker's XPUB; unused by hosts
    std::string requests;         // broker's ROUTER
    std::string broker_key;       // Z85
    KeyPair own;
    Peer peer;                    // name and role of this process
};

/// The addresses of a running broker, in <state>/bus.toml, written by the broker once it serves:
/// events_in, events_out, requests. Combined with the keys of <keys_dir>.
Result<Connection> read_connection(const std::string& bus_file, const std::string& keys_dir,
                                   const Peer& peer);

/// A message that came in.
struct Delivery {
    std::string name;             // catalog name: "host.activity"
    std::string key;              // the host in a by_host topic
    Envelope envelope;
    Stamp stamp;                  // by the broker: who really sent it

    template <class T>
    Result<T> as() const {
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

class Endpoint;

/// Answers one request, once; copyable; safe to drop (the caller then meets its deadline) and to
/// use after the caller is gone. Only on the loop's thread.
class Responder {
public:
    template <class R>
    void reply(const R& value) const { send(encode(value), std::nullopt); }
    void refuse(Error error) const { send({}, std::move(error)); }
    template <class R>
    void answer(const Result<R>& outcome) const {
        if (outcome) reply(*outcome); else refuse(outcome.error());
    }

private:
    friend class Endpoint;
    void send(Bytes data, std::optional<Error> error) const;
    std::weak_ptr<Endpoint*> endpoint_;
    std::shared_ptr<bool> answered_;      // shared by all copies
    std::string tag_;
    std::string request_id_;
    std::string request_name_;
};

class Endpoint {
public:
    struct Counters {
        std::uint64_t published = 0, delivered = 0, refused = 0, gaps = 0, late_replies = 0, timeouts = 0;
    };

    static Result<std::unique_ptr<Endpoint>> open(Loop& loop, Connection connection);
    ~Endpoint();

    // ---- events
    template <class T>
    void publish(const T& value, const Note& note = {}) { publish_raw(event_name<T>, encode(value), note); }
    /// A fact with its ledger position, reason and cause.
    void publish_fact(const std::string& ledger, const FactRecord& record);

    using OnDelivery = std::function<void(const Delivery&)>;
    /// `name` from the catalog, or "" for everything (taps). Hosts receive what is addressed to them
    /// without subscribing; for them this only sets the handler.
    void subscribe(std::string_view name, OnDelivery handler);
    /// Called when a source skipped a sequence number or restarted (I21): (source, missing count).
    void on_gap(std::function<void(const std::string& source, std::uint64_t missing)> handler);

    // ---- requests
    /// The handler runs exactly once: with the reply, the callee's error, or a timeout at the
    /// deadline. At most 65,536 may be outstanding (then ErrorKind::limit, at once).
    /// `absent`, when given, runs in the handler's place if the bus itself says that nobody serves it, or
    /// that who served it is gone: asking again may help. What a callee answers never comes there.
    using OnAbsent = std::function<void(const Error&)>;
    template <class T>
    void request(const T& value, Duration timeout, std::function<void(Result<ReplyTo<T>>)> handler,
                 const Note& note = {}, OnAbsent absent = {}) {
        request_raw(request_name<T>, encode(value), timeout, note,
                    [handler = std::move(handler)](Result<Delivery> reply) {
                        if (!reply) return handler(fail(reply.error()));
                        handler(reply->template as<ReplyTo<T>>());
                    }, std::move(absent));
    }
    using OnReply = std::function<void(Result<Delivery>)>;
    void request_raw(std::string_view name, Bytes data, Duration timeout, const Note& note, OnReply handler,
                     OnAbsent absent = {});
    void publish_raw(std::string_view name, Bytes data, const Note& note);

    // ---- serving
    /// Registers as a worker of the service that `name` belongs to ("allocator", or "host.<own name>")
    /// and keeps it registered across broker restarts.
    using OnRequest = std::function<void(const Delivery&, Responder)>;
    void serve_raw(std::string_view name, OnRequest handler);
    template <class T>
    void serve(std::function<void(T, const Delivery&, Responder)> handler) {
        serve_raw(request_name<T>, [handler = std::move(handler)](const Delivery& delivery, Responder to) {
            auto value = delivery.template as<T>();
            if (!value) return to.refuse(value.error());
            handler(std::move(*value), delivery, std::move(to));
        });
    }

    /// Called once, when the broker has taken us for a worker for the first time: from then on a
    /// request reaches us. After serve(), before the loop runs.
    void when_serving(std::function<void()> then);

    const Peer& peer() const;
    const Counters& counters() const;
    const std::string& source() const;        // "/berth/<name>/<boot id>"
    std::string next_id();                    // unique id for a message or an operation

private:
    friend class Responder;
    struct Inside;
    explicit Endpoint(std::unique_ptr<Inside> inside);
    std::unique_ptr<Inside> inside_;
};

}  // namespace berth::bus
