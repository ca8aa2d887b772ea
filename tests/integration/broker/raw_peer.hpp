// SPDX-License-Identifier: Apache-2.0
// A peer that sends the frames it is told to, right or wrong: no endpoint in between.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bus/socket.hpp"
#include "events/catalog.hpp"
#include "events/codec.hpp"
#include "events/topic.hpp"
#include "tests/support/cluster.hpp"

namespace berth::testing {

struct Heard {
    std::string topic;
    Envelope envelope;
    Stamp stamp;
};

class RawPeer {
public:
    /// With the key of that name, on the socket that a peer of its kind has. `chosen_id` sets ZMQ_ROUTING_ID.
    RawPeer(Cluster& cluster, const std::string& name, Role role, zmq::socket_type type = zmq::socket_type::dealer,
            const std::string& chosen_id = "");
    /// Everything by hand.
    RawPeer(const bus::KeyPair& own, const std::string& server_key, const std::string& address, zmq::socket_type type,
            std::string name = "robot");

    const std::string& name() const { return name_; }
    zmq::socket_t& socket() { return socket_; }

    /// False when no connection takes it in time.
    bool send(const std::vector<std::string>& frames, Duration within = Duration{10'000});
    std::optional<std::vector<std::string>> receive(Duration within = Duration{10'000});
    /// The next message that is none of the broker's beats; fails the test on a message that is not sound.
    std::optional<Heard> hear(Duration within = Duration{10'000});

    Envelope envelope(std::string_view name, Bytes data = {});
    /// Sends a message of the catalog; gives its id.
    std::string say(std::string_view name, const std::string& key = {}, Bytes data = {},
                    std::optional<Instant> deadline = std::nullopt);
    /// Registers as the worker of this service.
    bool serve(const std::string& service);
    bool beat();
    bool reply(const Heard& request, Bytes data = {});

private:
    std::string name_;
    zmq::context_t context_{1};
    zmq::socket_t socket_;
    std::uint64_t ids_ = 0;
};

/// The broker's own count of this, asked over a peer that may ask it.
std::uint64_t counted(RawPeer& asker, const std::string& counter);
Instant real_now();

}  // namespace berth::testing
