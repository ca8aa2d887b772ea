// SPDX-License-Identifier: Apache-2.0
// Answers libzmq's question at each handshake: may this key connect here? (ZAP, RFC 27.) In a thread
// of its own over the table in memory, because a slow answer is a refusal. If the thread ends while
// the broker lives, the process aborts: without it nobody would be let in and nobody would know why.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <zmq.hpp>

#include "broker/peer_book.hpp"

namespace berth::broker {

inline constexpr std::string_view events_domain = "events";        // everyone enrolled but hosts
inline constexpr std::string_view requests_domain = "requests";    // everyone enrolled
inline constexpr std::string_view hosts_domain = "hosts";          // hosts, and those who only look on (front doors)
inline constexpr std::string_view allocator_domain = "allocator";  // the allocator alone

/// Whether this peer may connect in that domain.
bool is_admitted(const bus::Peer& peer, std::string_view domain);

class Zap {
public:
    /// Binds before it returns, so that sockets which are bound later are guarded from the start.
    Zap(zmq::context_t& context, PeerBook& book);
    ~Zap();
    Zap(const Zap&) = delete;
    Zap& operator=(const Zap&) = delete;

    std::uint64_t refused() const { return refused_; }

private:
    void serve() noexcept;
    void answer();

    PeerBook& book_;
    zmq::socket_t socket_;
    std::atomic<bool> ending_{false};
    std::atomic<std::uint64_t> refused_{0};
    std::thread thread_;
};

}  // namespace berth::broker
