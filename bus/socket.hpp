// SPDX-License-Identifier: Apache-2.0
// The one place where ZeroMQ sockets are made: options, then bind or connect, never the other way
// round. CURVE always; a server has a ZAP domain and enforces it; everything has a bound. libzmq
// 4.3.4 fails open on most mistakes here (docs/bus.md, "traps"), so what matters is read back.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "base/result.hpp"
#include "bus/keys.hpp"

namespace berth::bus {

inline constexpr std::size_t frame_max = 1024 * 1024;              // of a peer's message
inline constexpr std::size_t trusted_frame_max = 64 * 1024 * 1024; // of what the allocator answers
inline constexpr std::size_t topic_max = 128;                      // 246 to 255 are lost by 4.3.4
inline constexpr std::size_t subscription_max = 1024;              // of a frame sent to an XPUB
inline constexpr std::size_t frames_max = 4;                       // rid, topic, envelope, tag
inline constexpr std::size_t drain_max = 512;                      // messages a round

struct SocketPlan {
    zmq::socket_type type = zmq::socket_type::dealer;
    int send_queue = 16'384;    // messages for each peer; beyond it a send says so or drops
    int receive_queue = 16'384;
    std::size_t message_max = frame_max;
    bool one_of_thousands = false;  // a client that the server has very many of: it pings rarely
};

/// One bound address. Domain and message limit are those of the connections made through it.
struct Listener {
    std::string address;        // "tcp://127.0.0.1:*" or a real port
    std::string zap_domain;     // never empty
    std::size_t message_max = frame_max;
};

/// An error below 4.3.4 or without CURVE.
Result<void> check_library();

/// A CURVE server, bound to each listener in turn. `bound` gives the real addresses.
struct Bound {
    zmq::socket_t socket;
    std::vector<std::string> addresses;
};
Result<Bound> open_server(zmq::context_t& context, const SocketPlan& plan, const KeyPair& own,
                          const std::vector<Listener>& listeners);

/// A CURVE client, connected to one server.
Result<zmq::socket_t> open_client(zmq::context_t& context, const SocketPlan& plan, const KeyPair& own,
                                  const std::string& server_key, const std::string& address);

/// A socket on which libzmq tells that a connection of the watched one ended; was_cut() reads it. The
/// watch ends before the socket closes: libzmq's own thread would wait for a reader that is gone.
zmq::socket_t watch_connection(zmq::context_t& context, zmq::socket_t& watched);
void end_watch(zmq::socket_t& watched);
bool was_cut(zmq::socket_t& watch);

/// One message with all its frames. `overflow` is set when it had more than frames_max: the rest
/// was taken off the socket and thrown away.
struct Frames {
    std::array<zmq::message_t, frames_max> parts;
    std::size_t count = 0;
    bool overflow = false;

    std::string_view text(std::size_t i) const { return {parts[i].data<char>(), parts[i].size()}; }
};
/// False when nothing waits.
bool receive(zmq::socket_t& socket, Frames& into);

enum class Sent { yes, full, unreachable };
/// All parts or none. The parts are moved from when they were sent, and left as they are when not.
template <std::size_t n>
Sent send_all(zmq::socket_t& socket, std::array<zmq::message_t*, n> parts);
Sent send_parts(zmq::socket_t& socket, zmq::message_t* const* parts, std::size_t count);

template <std::size_t n>
Sent send_all(zmq::socket_t& socket, std::array<zmq::message_t*, n> parts) {
    return send_parts(socket, parts.data(), n);
}

/// The key that the connection of this message proved to have, or empty: read from the last frame,
/// since 4.3.4 may lose it on the first one after a poll.
std::string user_id(const Frames& frames);

}  // namespace berth::bus
