// SPDX-License-Identifier: Apache-2.0
#include "tests/support/listener.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

namespace berth::testing {

namespace {

constexpr int look_again_ms = 20;         // whether the test is over

int listen_tcp(int& port) {
    const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool good = ::bind(made, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && ::listen(made, 16) == 0 &&
                      ::getsockname(made, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    if (!good) std::abort();
    port = ntohs(address.sin_port);
    return made;
}

int listen_unix(const std::string& path) {
    const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (::bind(made, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(made, 16) != 0) std::abort();
    return made;
}

bool is_readable(int descriptor) {
    pollfd look{descriptor, POLLIN, 0};
    return ::poll(&look, 1, look_again_ms) > 0;
}

}  // namespace

Listener::Listener(Script script, const std::string& unix_socket)
    : script_(std::move(script)), socket_(unix_socket.empty() ? listen_tcp(port_) : listen_unix(unix_socket)),
      thread_([this] { serve(); }) {}

Listener::~Listener() {
    ends_ = true;
    thread_.join();
    ::close(socket_);
}

std::string Listener::url() const { return fmt::format("http://127.0.0.1:{}", port_); }

std::vector<std::string> Listener::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

void Listener::serve() {
    while (!ends_) {
        if (!is_readable(socket_)) continue;
        const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
        if (connection < 0) continue;
        answer(connection);
        ::close(connection);
    }
}

void Listener::answer(int connection) {
    std::string request;
    std::array<char, 4096> piece{};
    while (request.find("\r\n\r\n") == std::string::npos && !ends_) {
        if (!is_readable(connection)) continue;
        const auto got = ::recv(connection, piece.data(), piece.size(), 0);
        if (got <= 0) return;
        request.append(piece.data(), static_cast<std::size_t>(got));
    }
    {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
    }
    const auto bytes = script_(request);
    for (std::size_t sent = 0; sent < bytes.size();) {
        const auto more = ::send(connection, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (more <= 0) return;
        sent += static_cast<std::size_t>(more);
    }
}

std::string http_answer(int status, const std::string& body, const std::string& headers) {
    return fmt::format("HTTP/1.1 {} x\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n{}", status, headers, body.size(), body);
}

}  // namespace berth::testing
