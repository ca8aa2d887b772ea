// SPDX-License-Identifier: Apache-2.0
// The endpoint on the wire. A control-plane process has a PUB, a SUB and a DEALER connection to the
// broker; a host has the DEALER alone and does everything over it. All are CURVE (bus/keys.hpp).
#pragma once

#include <memory>

#include "bus/endpoint.hpp"
#include "bus/keys.hpp"
#include "bus/zmq_loop.hpp"

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

class ZmqEndpoint final : public Endpoint {
public:
    struct Counters {
        std::uint64_t published = 0, delivered = 0, refused = 0, gaps = 0, late_replies = 0, timeouts = 0;
    };

    /// The loop outlives it. Connects in the background: no broker is no error.
    static Result<std::unique_ptr<ZmqEndpoint>> open(ZmqLoop& loop, Connection connection);
    ~ZmqEndpoint() override;

    void publish_as(std::string_view name, const Outgoing& body, const Note& note) override;
    void publish_fact(const std::string& ledger, const FactRecord& record) override;
    void subscribe(std::string_view name, OnDelivery handler) override;
    void request_as(std::string_view name, const Outgoing& body, Duration timeout, const Note& note, OnReply handler,
                    OnAbsent absent) override;
    void serve_as(std::string_view name, OnRequest handler) override;
    void when_serving(std::function<void()> then) override;
    const Peer& peer() const override;

    /// Called when a source skipped a sequence number or restarted (I21): (source, missing count).
    void on_gap(std::function<void(const std::string& source, std::uint64_t missing)> handler);
    const Counters& counters() const;
    const std::string& source() const;        // "/berth/<name>/<boot id>"

private:
    struct Inside;
    explicit ZmqEndpoint(std::unique_ptr<Inside> inside);
    std::unique_ptr<Inside> inside_;
};

}  // namespace berth::bus
