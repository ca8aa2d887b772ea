// SPDX-License-Identifier: Apache-2.0
// Where a route leads: a port of this machine, or a Unix socket in the slot's folder. A container may
// write in that folder, so the last name of the path is never followed if it is a link, and is only
// connected to when it is a socket: a link to the engine's socket would hand over the machine.
#pragma once

#include "proxy/net.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <utility>

#include "base/result.hpp"
#include "hostkv/records.hpp"

namespace berth::proxy {

class Way {
public:
    using Socket = net::generic::stream_protocol::socket;
    using Endpoint = net::generic::stream_protocol::endpoint;

    Way(Endpoint endpoint, int pin) : endpoint_(std::move(endpoint)), pin_(pin) {}
    Way(Way&& other) noexcept : endpoint_(std::move(other.endpoint_)), pin_(std::exchange(other.pin_, -1)) {}
    Way& operator=(Way&&) = delete;
    ~Way();

    /// Good for as long as this lives.
    const Endpoint& endpoint() const { return endpoint_; }

private:
    Endpoint endpoint_;
    int pin_;                    // the very file that was looked at; -1: a port
};

/// `unavailable` when nothing is there yet, `denied` when what is there is no socket.
Result<Way> open_way(const RouteRecord& route);

}  // namespace berth::proxy
