// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/proxy/container.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "tests/integration/proxy/visitor.hpp"

namespace berth::proxy_tests {

namespace {

std::string path_of(const std::string& head) {
    const auto first = head.find(' ');
    return head.substr(first + 1, head.find(' ', first + 1) - first - 1);
}
std::size_t number_in(const std::string& path) {
    const auto at = path.find('?');
    return at == std::string::npos ? 0 : std::stoul(path.substr(at + 1));
}
std::string field_of(const std::string& head, const std::string& name) {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
}
std::string with_length(const std::string& body, const std::string& more = "") {
    return "HTTP/1.1 200 OK\r\n" + more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string chunk_of(std::string_view bytes) {
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return size + std::string{bytes} + "\r\n";
}

}  // namespace

Container::Container() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    ::bind(listener, reinterpret_cast<sockaddr*>(&at), size);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    begin(listener);
}

Container::Container(const std::string& socket_path) {
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    socket_path.copy(at.sun_path, sizeof at.sun_path - 1);
    if (::bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) {
        ::close(listener);
        throw std::runtime_error("cannot bind " + socket_path);
    }
    begin(listener);
}

void Container::begin(int listener) {
    listener_ = listener;
    ::listen(listener_, 128);
    acceptor_ = std::thread([this] { accept(); });
}

Container::~Container() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        gate_open_ = true;
        ::shutdown(listener_, SHUT_RDWR);
        for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    changed_.notify_all();
    acceptor_.join();
    for (auto& thread : threads_) thread.join();
    ::close(listener_);
}

std::vector<std::string> Container::heads() const {
    const std::lock_guard lock(mutex_);
    return heads_;
}
std::vector<std::string> Container::uploads() const {
    const std::lock_guard lock(mutex_);
    return uploads_;
}
std::size_t Container::open_connections() const {
    const std::lock_guard lock(mutex_);
    return open_.size();
}
void Container::open_gate() {
    const std::lock_guard lock(mutex_);
    gate_open_ = true;
    changed_.notify_all();
}
void Container::wait_for_gate() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return gate_open_; });
}

void Container::accept() {
    for (;;) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        const std::lock_guard lock(mutex_);
        if (ending_ || fd < 0) {
            if (fd >= 0) ::close(fd);
            return;
        }
        ++connections_;
        open_.insert(fd);
        threads_.emplace_back([this, fd] { serve(fd); });
    }
}

void Container::serve(int fd) {
    std::string ahead;
    for (;;) {
        std::size_t end = std::string::npos;
        while ((end = ahead.find("\r\n\r\n")) == std::string::npos && fill(fd, ahead)) {
        }
        if (end == std::string::npos) break;
        const auto head = ahead.substr(0, end + 4);
        ahead.erase(0, end + 4);
        {
            const std::lock_guard lock(mutex_);
            heads_.push_back(head);
        }
        if (!answer(fd, head, ahead)) break;
    }
    const std::lock_guard lock(mutex_);
    open_.erase(fd);
    ::close(fd);
}

bool Container::fill(int fd, std::string& ahead) {
    char bytes[65'536];
    const auto got = ::recv(fd, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    received_ += static_cast<std::size_t>(got);
    ahead.append(bytes, static_cast<std::size_t>(got));
    return true;
}

bool Container::send(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd, bytes.data(), std::min<std::size_t>(bytes.size(), 65'536), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        sent_ += static_cast<std::size_t>(sent);
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

std::string Container::read_body(int fd, const std::string& head, std::string& ahead, bool& whole) {
    std::string body;
    whole = true;
    if (field_of(head, "Transfer-Encoding") == "chunked") {
        for (;;) {
            std::size_t end = std::string::npos;
            while ((end = ahead.find("\r\n")) == std::string::npos) {
                if (!fill(fd, ahead)) return whole = false, body;
            }
            const auto size = std::stoul(ahead.substr(0, end), nullptr, 16);
            while (ahead.size() < end + 2 + size + 2) {
                if (!fill(fd, ahead)) return whole = false, body;
            }
            body.append(ahead, end + 2, size);
            ahead.erase(0, end + 2 + size + 2);
            if (size == 0) return body;
        }
    }
    const auto length = field_of(head, "Content-Length");
    const auto bytes = length.empty() ? 0 : std::stoul(length);
    while (ahead.size() < bytes) {
        if (!fill(fd, ahead)) return whole = false, ahead;
    }
    body = ahead.substr(0, bytes);
    ahead.erase(0, bytes);
    return body;
}

void Container::echo(int fd, std::string ahead) {
    for (;;) {
        if (!ahead.empty() && !send(fd, ahead)) return;
        ahead.clear();
        if (!fill(fd, ahead)) return;
    }
}

/// False: the connection is to be closed.
bool Container::answer(int fd, const std::string& head, std::string& ahead) {
    const auto path = path_of(head);
    const auto is = [&](std::string_view what) { return path.substr(0, path.find('?')) == what; };
    if (is("/ws")) {
        if (!send(fd,
                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: x\r\n" +
                      std::string{path == "/ws?deflate" ? "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                                                        : ""} +
                      "\r\n" + std::string{path == "/ws?greet" ? "\x81\x05hello" : ""})) {
            return false;
        }
        if (path == "/ws?end") return false;
        echo(fd, ahead);
        return false;
    }
    if (is("/101")) {
        return send(fd,
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
               true;
    }
    if (is("/413")) {
        return send(fd, "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"),
               wait_for_gate(), false;
    }
    if (is("/100")) send(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    if (is("/103")) send(fd, "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n");
    bool whole = true;
    const auto body = read_body(fd, head, ahead, whole);
    if (is("/upload") || is("/100")) {
        const auto told = whole ? std::to_string(body.size()) + " " + sha256(body) : "cut";
        {
            const std::lock_guard lock(mutex_);
            uploads_.push_back(told);
        }
        return whole && send(fd, with_length(told));
    }
    if (is("/download")) return send(fd, with_length(pattern(number_in(path))));
    if (is("/until-close")) return send(fd, "HTTP/1.1 200 OK\r\n\r\n" + pattern(number_in(path))), false;
    if (is("/chunked")) {
        if (!send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")) return false;
        const auto all = pattern(number_in(path));
        for (std::size_t at = 0, size = 1; at < all.size(); at += size, size = size * 3 % 200'003 + 1) {
            size = std::min(size, all.size() - at);
            if (!send(fd, chunk_of(std::string_view{all}.substr(at, size)))) return false;
        }
        return send(fd, "0\r\nX-Trailer: a\r\n\r\n");
    }
    if (is("/gate")) {
        const auto all = pattern(number_in(path));
        if (!send(fd,
                  "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(all.size() + 4) + "\r\n\r\n" + all)) {
            return false;
        }
        wait_for_gate();
        return send(fd, "rest");
    }
    if (is("/sse")) {
        if (!send(fd,
                  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")) {
            return false;
        }
        if (!send(fd, chunk_of("data: first\n\n"))) return false;
        wait_for_gate();
        return send(fd, chunk_of("data: second\n\n") + "0\r\n\r\n");
    }
    if (is("/set-cookies")) {
        return send(
            fd, with_length("ok",
                            "Set-Cookie: good=1; Path=/\r\nSet-Cookie: __Host-berth=stolen; Path=/; Secure\r\n"
                            "Set-Cookie: wide=1; Domain=localhost\r\nset-cookie: BERTH-W-1=x\r\n"
                            "Set-Cookie: =__Host-berth=x; Path=/\r\nClear-Site-Data: \"cookies\"\r\n"));
    }
    if (is("/hop")) {
        return send(
            fd,
            with_length(
                "ok",
                "Connection: keep-alive, X-Private\r\nKeep-Alive: timeout=5\r\nX-Private: a\r\n"
                "Proxy-Authenticate: Basic\r\nAlt-Svc: h2=\":443\"\r\nX-Berth-Role: admin\r\nX-Public: b\r\n"
                "Upgrade: h2c\r\n"));
    }
    if (is("/proxy/3999/")) return send(fd, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 12\r\n\r\nECONNREFUSED"), true;
    if (is("/204")) return send(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    if (is("/304")) return send(fd, "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nETag: \"a\"\r\n\r\n");
    if (is("/garbage")) return send(fd, "no http at all\r\n\r\n"), false;
    if (is("/gzip-coding")) {
        return send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), false;
    }
    if (is("/two-lengths")) {
        return send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"), false;
    }
    if (is("/truncated")) return send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), false;
    if (is("/truncated-chunked")) {
        return send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), false;
    }
    if (is("/long-head")) return send(fd, with_length("ok", "X-Long: " + std::string(70'000, 'a') + "\r\n")), false;
    if (is("/never")) return wait_for_gate(), false;
    if (is("/hang-up")) return false;
    if (is("/once")) return send(fd, with_length("once")), false;
    if (head.starts_with("HEAD ")) return send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n");
    return send(fd, with_length(head));
}

}  // namespace berth::proxy_tests
