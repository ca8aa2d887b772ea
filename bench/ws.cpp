// SPDX-License-Identifier: Apache-2.0
// The load on WebSockets: each connection sends one masked message, waits until it came back whole, sends the next.
//
//   bench_ws
//   {"do": "echo", "port": P, "fields": …, "connections": C, "bytes": B, "seconds": S}
//   {"do": "open", "port": P, "fields": …, "count": N}     so many more sessions, which then say nothing
//   {"do": "close"}                                        of those
#include <vector>

#include "bench/plumbing/histogram.hpp"
#include "bench/plumbing/tcp.hpp"
#include "bench/plumbing/turns.hpp"

namespace {

using namespace berth::bench;

int open_session(std::uint16_t port, const std::string& fields) {
    const int fd = connect_to(port);
    send_all(fd, "GET /ws HTTP/1.1\r\n" + fields +
                     "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n");
    std::array<char, 4'096> bytes{};
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos) {
        const auto got = ::recv(fd, bytes.data(), bytes.size(), 0);
        if (got <= 0) throw std::runtime_error("a session was refused: " + head.substr(0, 200));
        head.append(bytes.data(), static_cast<std::size_t>(got));
    }
    if (!head.starts_with("HTTP/1.1 101")) throw std::runtime_error("a session was refused: " + head.substr(0, 300));
    return fd;
}

std::string frame_of(std::size_t bytes) {
    std::string frame{"\x82"};
    if (bytes < 126) {
        frame += static_cast<char>(0x80 | bytes);
    } else {
        const int wide = bytes < 65'536 ? 2 : 8;
        frame += static_cast<char>(0x80 | (wide == 2 ? 126 : 127));
        for (int i = wide - 1; i >= 0; --i) frame += static_cast<char>(bytes >> (8 * i) & 0xFF);
    }
    return frame + "mask" + std::string(bytes, 'k');
}

Json echo(const Json& asked) {
    struct One {
        int fd;
        std::size_t come = 0;
        Steady::time_point at;
    };
    const auto frame = frame_of(asked.at("bytes").get<std::size_t>());
    const int ready = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<One> all;
    for (std::size_t i = 0; i < asked.at("connections").get<std::size_t>(); ++i) {
        all.push_back({open_session(asked.at("port"), asked.at("fields")), 0, {}});
        watch(ready, all.back().fd, i);
    }
    Histogram times;
    const auto begun = Steady::now();
    for (auto& one : all) {
        one.at = Steady::now();
        send_all(one.fd, frame);
    }
    std::array<char, 131'072> bytes;
    std::array<epoll_event, 64> events{};
    const double seconds = asked.at("seconds");
    while (seconds_since(begun) < seconds) {
        const int count = ::epoll_wait(ready, events.data(), static_cast<int>(events.size()), 10'000);
        if (count == 0) throw std::runtime_error("no echo for 10 s");
        for (int i = 0; i < count; ++i) {
            auto& one = all[events[static_cast<std::size_t>(i)].data.u64];
            const auto got = ::recv(one.fd, bytes.data(), bytes.size(), 0);
            if (got <= 0) throw std::runtime_error("a session was cut");
            one.come += static_cast<std::size_t>(got);
            if (one.come < frame.size()) continue;
            const auto now = Steady::now();
            times.add(now - one.at);
            one.come = 0;
            one.at = now;
            send_all(one.fd, frame);
        }
    }
    const double took = seconds_since(begun);
    for (const auto& one : all) ::close(one.fd);
    ::close(ready);
    return {{"count", times.count()}, {"seconds", took}, {"latency", times.json()}};
}

std::vector<int> idle;

Json open(const Json& asked) {
    const auto begun = Steady::now();
    for (std::size_t i = 0; i < asked.at("count").get<std::size_t>(); ++i) idle.push_back(open_session(asked.at("port"), asked.at("fields")));
    return {{"count", idle.size()}, {"seconds", seconds_since(begun)}};
}

Json close_all(const Json&) {
    for (const int fd : idle) ::close(fd);
    idle.clear();
    return {{"count", 0}};
}

}  // namespace

int main() { return serve_turns({{"ready", true}}, {{"echo", echo}, {"open", open}, {"close", close_all}}); }
