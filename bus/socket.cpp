// SPDX-License-Identifier: Apache-2.0
#include "bus/socket.hpp"

#include <atomic>
#include <cerrno>

#include "base/check.hpp"

namespace berth::bus {

namespace {

struct Pings {
    int every_ms;
    int answer_ms;             // no answer so long: the connection is cut here
    int server_waits_ms;       // nothing heard so long: it is cut there
};

// In the draft section of zmq.h, but the stock library honours it; read back below.
constexpr int zmq_zap_enforce_domain = 93;

constexpr int linger_ms = 500;
// Only clients ping: libzmq 4.3.4 ends a timer by walking over those of its thread, and a server with a timer for each of
// 10,000 peers did little else. The kernel finds most cut connections: idle + interval × count, or unacknowledged_ms.
constexpr int keepalive_idle_s = 2;
constexpr int keepalive_interval_s = 1;
constexpr int keepalive_count = 3;
constexpr int unacknowledged_ms = 5'000;
constexpr Pings pings{1'000, 3'000, 6'000};
constexpr Pings rare_pings{15'000, 10'000, 40'000};
constexpr int handshake_ms = 3'000;
constexpr int reconnect_first_ms = 100;
constexpr int reconnect_max_ms = 2'000;
constexpr std::size_t curve_overhead = 64;
constexpr std::size_t message_least = 1'024;  // below it the handshake itself is cut off

void set_int(zmq::socket_t& socket, int option, int value) {
    const auto code = zmq_setsockopt(socket.handle(), option, &value, sizeof value);
    check(code == 0, "libzmq takes every option that berth sets");
}

int get_int(zmq::socket_t& socket, int option) {
    int value = -1;
    std::size_t size = sizeof value;
    check(zmq_getsockopt(socket.handle(), option, &value, &size) == 0, "libzmq shows every option that berth sets");
    return value;
}

void set_message_max(zmq::socket_t& socket, std::size_t payload) {
    check(payload > 0 && payload <= trusted_frame_max, "every socket has a message limit");
    socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(std::max(payload + curve_overhead, message_least)));
}

void set_common(zmq::socket_t& socket, const SocketPlan& plan) {
    set_int(socket, ZMQ_LINGER, linger_ms);
    set_int(socket, ZMQ_SNDHWM, plan.send_queue);
    set_int(socket, ZMQ_RCVHWM, plan.receive_queue);
    set_int(socket, ZMQ_TCP_KEEPALIVE, 1);
    set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, keepalive_idle_s);
    set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, keepalive_interval_s);
    set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, keepalive_count);
    set_int(socket, ZMQ_TCP_MAXRT, unacknowledged_ms);
    set_int(socket, ZMQ_HANDSHAKE_IVL, handshake_ms);
    set_message_max(socket, plan.message_max);
    if (plan.type == zmq::socket_type::router) set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
}

Result<void> set_own_key(zmq::socket_t& socket, const KeyPair& own) {
    // A server without a secret key would serve with the all-zero one.
    if (own.secret_key.size() != 40 || own.public_key.size() != 40 || own.secret_key == std::string(40, '0')) {
        return fail(ErrorKind::invalid, "no key pair for a socket: see the keys folder");
    }
    socket.set(zmq::sockopt::curve_secretkey, own.secret_key);
    socket.set(zmq::sockopt::curve_publickey, own.public_key);
    return {};
}

Result<std::string> bind(zmq::socket_t& socket, const Listener& listener) {
    check(!listener.zap_domain.empty(), "a listener has a ZAP domain: without one everyone is let in");
    socket.set(zmq::sockopt::zap_domain, listener.zap_domain);
    set_int(socket, zmq_zap_enforce_domain, 1);
    set_message_max(socket, listener.message_max);
    check(get_int(socket, ZMQ_MECHANISM) == ZMQ_CURVE, "a bound socket speaks CURVE");
    check(get_int(socket, ZMQ_CURVE_SERVER) == 1, "a bound socket is the CURVE server");
    check(get_int(socket, zmq_zap_enforce_domain) == 1, "a bound socket enforces its ZAP domain");
    if (zmq_bind(socket.handle(), listener.address.c_str()) != 0) {
        return fail(errno == EADDRINUSE ? ErrorKind::conflict : ErrorKind::unavailable, "cannot bind {}: {}",
                    listener.address, zmq_strerror(errno));
    }
    return socket.get(zmq::sockopt::last_endpoint);
}

}  // namespace

Result<void> check_library() {
    int major = 0;
    int minor = 0;
    int patch = 0;
    zmq_version(&major, &minor, &patch);
    if (major * 10'000 + minor * 100 + patch < 40'304) {
        return fail(ErrorKind::unavailable, "libzmq {}.{}.{} is too old: berth needs 4.3.4", major, minor, patch);
    }
    if (zmq_has("curve") != 1) {
        return fail(ErrorKind::unavailable, "this libzmq has no CURVE: install one built with libsodium");
    }
    return {};
}

Result<Bound> open_server(zmq::context_t& context, const SocketPlan& plan, const KeyPair& own,
                          const std::vector<Listener>& listeners) {
    TRY(check_library());
    Bound bound{zmq::socket_t(context, plan.type), {}};
    set_common(bound.socket, plan);
    set_int(bound.socket, ZMQ_CURVE_SERVER, 1);
    TRY(set_own_key(bound.socket, own));
    for (const auto& listener : listeners) bound.addresses.push_back(TRY(bind(bound.socket, listener)));
    return bound;
}

Result<zmq::socket_t> open_client(zmq::context_t& context, const SocketPlan& plan, const KeyPair& own,
                                  const std::string& server_key, const std::string& address) {
    TRY(check_library());
    if (server_key.size() != 40) return fail(ErrorKind::invalid, "no public key of the broker for {}", address);
    zmq::socket_t socket(context, plan.type);
    set_common(socket, plan);
    const auto& beat = plan.one_of_thousands ? rare_pings : pings;
    set_int(socket, ZMQ_HEARTBEAT_IVL, beat.every_ms);
    set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, beat.answer_ms);
    set_int(socket, ZMQ_HEARTBEAT_TTL, beat.server_waits_ms);
    set_int(socket, ZMQ_IMMEDIATE, 1);
    set_int(socket, ZMQ_RECONNECT_IVL, reconnect_first_ms);
    set_int(socket, ZMQ_RECONNECT_IVL_MAX, reconnect_max_ms);
    if (plan.type == zmq::socket_type::xpub) set_int(socket, ZMQ_XPUB_NODROP, 1);
    TRY(set_own_key(socket, own));
    socket.set(zmq::sockopt::curve_serverkey, server_key);
    check(get_int(socket, ZMQ_MECHANISM) == ZMQ_CURVE, "a connecting socket speaks CURVE");
    if (zmq_connect(socket.handle(), address.c_str()) != 0) {
        return fail(ErrorKind::invalid, "cannot connect to '{}': {}", address, zmq_strerror(errno));
    }
    return socket;
}

zmq::socket_t watch_connection(zmq::context_t& context, zmq::socket_t& watched) {
    static std::atomic<std::uint64_t> made{0};
    const auto address = fmt::format("inproc://berth.watch.{}", ++made);
    check(zmq_socket_monitor(watched.handle(), address.c_str(), ZMQ_EVENT_DISCONNECTED) == 0, "a socket can be watched");
    zmq::socket_t watch(context, zmq::socket_type::pair);
    set_int(watch, ZMQ_LINGER, 0);
    set_int(watch, ZMQ_RCVHWM, 0);  // a full one would stop libzmq's own thread; a few events a second at most
    check(zmq_connect(watch.handle(), address.c_str()) == 0, "a watch can be listened to");
    return watch;
}

void end_watch(zmq::socket_t& watched) { zmq_socket_monitor(watched.handle(), nullptr, 0); }

bool was_cut(zmq::socket_t& watch) {
    Frames event;
    bool cut = false;
    for (std::size_t i = 0; i < drain_max && receive(watch, event); ++i) cut = true;
    return cut;
}

bool receive(zmq::socket_t& socket, Frames& into) {
    into.count = 0;
    into.overflow = false;
    zmq::message_t surplus;
    for (bool more = true; more;) {
        auto& part = into.count < frames_max ? into.parts[into.count] : surplus;
        if (zmq_msg_recv(part.handle(), socket.handle(), ZMQ_DONTWAIT) < 0) {
            check(errno == EAGAIN || errno == EINTR, "a socket that is read is open");
            if (into.count == 0) return false;
            continue;  // the rest of a message is always there
        }
        more = part.more();
        if (into.count < frames_max) {
            ++into.count;
        } else {
            into.overflow = true;
        }
    }
    return true;
}

Sent send_parts(zmq::socket_t& socket, zmq::message_t* const* parts, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const int flags = ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0);
        while (zmq_msg_send(parts[i]->handle(), socket.handle(), flags) < 0) {
            if (errno == EINTR) continue;
            // libzmq decides at the first part; once it took that one it takes the others.
            check(i == 0 || errno == EAGAIN || errno == EHOSTUNREACH, "a socket that is written to is open");
            return errno == EHOSTUNREACH ? Sent::unreachable : Sent::full;
        }
    }
    return Sent::yes;
}

std::string user_id(const Frames& frames) {
    if (frames.count == 0) return {};
    const auto* text = zmq_msg_gets(frames.parts[frames.count - 1].handle(), "User-Id");
    return text == nullptr ? std::string{} : std::string{text};
}

}  // namespace berth::bus
