// SPDX-License-Identifier: Apache-2.0
// Plain TCP on loopback, as the loads need it: open a socket, send all of a text.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

namespace berth::bench {

inline void no_delay(int fd) {
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

inline sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

inline int connect_to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto at = loopback(port);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
        throw std::runtime_error("nobody listens on 127.0.0.1:" + std::to_string(port) + ": " + std::strerror(errno));
    }
    no_delay(fd);
    return fd;
}

/// A listener on a free port.
struct Listener {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::uint16_t port = 0;

    Listener() {
        auto at = loopback(0);
        socklen_t size = sizeof at;
        if (::bind(fd, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(fd, 4'096) != 0) throw std::runtime_error("cannot listen on loopback");
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
        port = ntohs(at.sin_port);
    }
};

inline void send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) throw std::runtime_error("the other side closed while it was sent to");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

inline void watch(int ready, int fd, std::uint64_t mark) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = mark}};
    ::epoll_ctl(ready, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace berth::bench
