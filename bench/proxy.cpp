// SPDX-License-Identifier: Apache-2.0
// Promise: a workspace behind the proxy feels like one without it. The real berth-proxy in front of a
// trivial upstream, against that upstream alone, in turns within one run: requests per second with
// many connections, time to the first byte with one, echo time of a WebSocket, and bulk bytes.
//
//   bench_proxy [connections] [seconds per turn]      BERTH_PROXY: the program, default beside this one
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "hostkv/local_kv.hpp"
#include "hostkv/token.hpp"
#include "tests/support/child.hpp"
#include "tests/support/folder.hpp"

namespace {

using namespace berth;
using Steady = std::chrono::steady_clock;

constexpr std::size_t bulk_bytes = 256 * 1'048'576;
constexpr int turns = 5;
const std::string page(512, 'p');

double seconds_since(Steady::time_point begun) {
    return std::chrono::duration<double>(Steady::now() - begun).count();
}

int loopback_socket(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (port != 0 && ::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) {
        std::perror("connect");
        std::exit(1);
    }
    if (port == 0) ::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at);
    return fd;
}

void send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

/// Answers /bulk with many bytes, an upgrade by echoing, all else with one small page. One thread.
class Upstream {
public:
    Upstream() : listener_(loopback_socket(0)), ready_(::epoll_create1(EPOLL_CLOEXEC)) {
        ::listen(listener_, 512);
        sockaddr_in at{};
        socklen_t size = sizeof at;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        watch(listener_);
        std::thread([this] { serve(); }).detach();   // until the process ends
    }
    std::uint16_t port() const { return port_; }

private:
    void watch(int fd) const {
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        ::epoll_ctl(ready_, EPOLL_CTL_ADD, fd, &event);
    }
    void serve() {
        std::array<epoll_event, 64> events{};
        for (;;) {
            const int count = ::epoll_wait(ready_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < count; ++i) {
                const int fd = events[static_cast<std::size_t>(i)].data.fd;
                if (fd == listener_) {
                    const int fresh = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
                    const int yes = 1;
                    ::setsockopt(fresh, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                    watch(fresh);
                } else {
                    answer(fd);
                }
            }
        }
    }
    void answer(int fd) {
        std::array<char, 65'536> bytes{};
        const auto got = ::recv(fd, bytes.data(), bytes.size(), 0);
        if (got <= 0) {
            echoing_.erase(fd);
            ::close(fd);
            return;
        }
        const std::string_view text{bytes.data(), static_cast<std::size_t>(got)};
        if (echoing_.contains(fd)) return send_all(fd, text);
        if (text.starts_with("GET /ws")) {
            echoing_[fd] = true;
            return send_all(fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Accept: x\r\n\r\n");
        }
        if (text.starts_with("GET /bulk")) {
            send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bulk_bytes) + "\r\n\r\n");
            const std::string chunk(1'048'576, 'b');
            for (std::size_t sent = 0; sent < bulk_bytes; sent += chunk.size()) send_all(fd, chunk);
            return;
        }
        send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(page.size()) + "\r\n\r\n" + page);
    }

    int listener_;
    int ready_;
    std::uint16_t port_ = 0;
    std::map<int, bool> echoing_;
};

struct Target {
    std::uint16_t port;
    std::string fields;   // Host, cookie and origin

    std::string get(const std::string& path, const std::string& more = "") const {
        return "GET " + path + " HTTP/1.1\r\n" + fields + more + "\r\n";
    }
};

/// Reads one answer with a body of `size` bytes.
bool read_answer(int fd, std::size_t size) {
    std::array<char, 65'536> bytes{};
    std::string head;
    std::size_t body = 0;
    while (head.find("\r\n\r\n") == std::string::npos || body < size) {
        const auto got = ::recv(fd, bytes.data(), bytes.size(), 0);
        if (got <= 0) return false;
        if (const auto end = head.find("\r\n\r\n"); end == std::string::npos) {
            head.append(bytes.data(), static_cast<std::size_t>(got));
            if (const auto found = head.find("\r\n\r\n"); found != std::string::npos)
                body = head.size() - found - 4;
        } else {
            body += static_cast<std::size_t>(got);
        }
    }
    return head.starts_with("HTTP/1.1 200");
}

/// One request outstanding on each connection.
double requests_per_second(const Target& target, int connections, double seconds) {
    const int ready = ::epoll_create1(EPOLL_CLOEXEC);
    const auto request = target.get("/");
    std::vector<int> all;
    for (int i = 0; i < connections; ++i) {
        all.push_back(loopback_socket(target.port));
        epoll_event event{.events = EPOLLIN, .data = {.fd = all.back()}};
        ::epoll_ctl(ready, EPOLL_CTL_ADD, all.back(), &event);
        send_all(all.back(), request);
    }
    std::array<epoll_event, 64> events{};
    std::size_t done = 0;
    const auto begun = Steady::now();
    while (seconds_since(begun) < seconds) {
        const int count = ::epoll_wait(ready, events.data(), static_cast<int>(events.size()), 1'000);
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (!read_answer(fd, page.size())) {
                std::fprintf(stderr, "an answer is missing\n");
                std::exit(1);
            }
            ++done;
            send_all(fd, request);
        }
    }
    const double rate = static_cast<double>(done) / seconds_since(begun);
    for (const int fd : all) ::close(fd);
    ::close(ready);
    return rate;
}

struct Times {
    double p50_us;
    double p99_us;
};
Times times_of(std::vector<double> all) {
    std::sort(all.begin(), all.end());
    return {all[all.size() / 2], all[all.size() * 99 / 100]};
}

Times first_byte(const Target& target) {
    const int fd = loopback_socket(target.port);
    const auto request = target.get("/");
    std::vector<double> all;
    for (int i = 0; i < 3'000; ++i) {
        const auto begun = Steady::now();
        send_all(fd, request);
        char byte = 0;
        ::recv(fd, &byte, 1, MSG_PEEK);
        all.push_back(seconds_since(begun) * 1e6);
        read_answer(fd, page.size());
    }
    ::close(fd);
    return times_of(std::move(all));
}

Times echo(const Target& target) {
    const int fd = loopback_socket(target.port);
    send_all(fd, target.get("/ws",
                            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
                            "13\r\nSec-WebSocket-Key: a\r\n"));
    std::array<char, 4'096> bytes{};
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos) {
        const auto got = ::recv(fd, bytes.data(), bytes.size(), 0);
        if (got <= 0) return {-1, -1};
        head.append(bytes.data(), static_cast<std::size_t>(got));
    }
    const std::string frame = std::string{"\x82\xa0" "mask"} + std::string(32, 'k');
    std::vector<double> all;
    for (int i = 0; i < 3'000; ++i) {
        const auto begun = Steady::now();
        send_all(fd, frame);
        for (std::size_t come = 0; come < frame.size();) {
            const auto got = ::recv(fd, bytes.data(), bytes.size(), 0);
            if (got <= 0) return {-1, -1};
            come += static_cast<std::size_t>(got);
        }
        all.push_back(seconds_since(begun) * 1e6);
    }
    ::close(fd);
    return times_of(std::move(all));
}

double megabytes_per_second(const Target& target) {
    const int fd = loopback_socket(target.port);
    const auto begun = Steady::now();
    send_all(fd, target.get("/bulk"));
    const bool whole = read_answer(fd, bulk_bytes);
    ::close(fd);
    return whole ? bulk_bytes / 1e6 / seconds_since(begun) : -1;
}

double median(std::vector<double> all) {
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
}

std::string own_folder() { return std::filesystem::read_symlink("/proc/self/exe").parent_path(); }

}  // namespace

int main(int count, char** words) {
    const int connections = count > 1 ? std::atoi(words[1]) : 50;
    const double seconds = count > 2 ? std::atof(words[2]) : 2;
    const char* named = std::getenv("BERTH_PROXY");
    const std::string program = named != nullptr ? named : own_folder() + "/berth-proxy";

    const berth::testing::Folder folder;
    Upstream upstream;
    const RealClock clock;
    const auto kv = LocalKv::open(folder / "kv");
    const RouteRecord route{.workspace = {"w-1"},
                            .user = {"ada"},
                            .epoch = Epoch{1},
                            .container = {"c-1"},
                            .port = upstream.port(),
                            .confirmed_at = clock.now()};
    if (!kv || !(*kv)->apply({route})) return 1;
    berth::testing::Child proxy({program, "--state", folder.path(), "--host-id", "h-1"}, folder / "proxy.log");
    if (!berth::testing::eventually([&] { return std::filesystem::exists(folder / "run/proxy.ready"); })) {
        std::fprintf(stderr, "%s", berth::testing::read_text(folder / "proxy.log").c_str());
        return 1;
    }
    const auto port = static_cast<std::uint16_t>(std::stoi(berth::testing::read_text(folder / "proxy.port")));
    const auto host = "w-1.localhost:" + std::to_string(port);
    const TokenClaims session{.purpose = TokenPurpose::session,
                              .host = {"h-1"},
                              .workspace = {"w-1"},
                              .epoch = Epoch{1},
                              .user = {"ada"},
                              .id = "bench",
                              .expires_at = clock.now() + session_lifetime};
    const auto fields = "Host: " + host + "\r\nOrigin: http://" + host + "\r\nCookie: berth-w-1=" +
                        mint_token(session, (*kv)->secret()) + "\r\n";
    const Target direct{upstream.port(), fields};
    const Target through{port, fields};

    std::map<std::string, std::vector<double>> figures;
    for (int turn = 0; turn < turns; ++turn) {
        for (const auto& [name, target] : {std::pair{"direct", direct}, std::pair{"through", through}}) {
            const std::string at = name;
            figures[at + " requests/s"].push_back(requests_per_second(target, connections, seconds));
            const auto byte = first_byte(target);
            figures[at + " first byte p50 us"].push_back(byte.p50_us);
            figures[at + " first byte p99 us"].push_back(byte.p99_us);
            const auto echoed = echo(target);
            figures[at + " echo p50 us"].push_back(echoed.p50_us);
            figures[at + " echo p99 us"].push_back(echoed.p99_us);
            figures[at + " bulk MB/s"].push_back(megabytes_per_second(target));
        }
    }
    std::printf("%d connections, %d turns of %.1f s each, median of turns\n", connections, turns, seconds);
    for (const std::string what :
         {"requests/s", "first byte p50 us", "first byte p99 us", "echo p50 us", "echo p99 us", "bulk MB/s"}) {
        std::printf("  %-18s direct %10.1f   through %10.1f\n", what.c_str(), median(figures["direct " + what]),
                    median(figures["through " + what]));
    }
    return proxy.terminate() == 0 ? 0 : 1;
}
