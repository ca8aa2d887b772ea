// SPDX-License-Identifier: Apache-2.0
// What runs in a workspace, played by the test: a small HTTP server that remembers every byte it got
// and answers by path. Each connection has a thread of its own.
//
//   /head               the request's head, back as the body
//   /upload             "<bytes> <sha256>" of the body; "cut" in `uploads()` when it did not end
//   /download?N /chunked?N /until-close?N    N bytes of pattern()
//   /gate?N             N bytes, then the rest once open_gate() was called (also /sse: two events)
//   /set-cookies /hop   answers with fields that must not all pass
//   /204 /304 /100 /103 /413 /garbage /truncated /never /hang-up /once /101
//   /ws                 a 101, then everything comes back as it is
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/time.hpp"

namespace berth::proxy_tests {

class Container {
public:
    /// At a port of this machine.
    Container();
    /// At a Unix socket.
    explicit Container(const std::string& socket_path);
    ~Container();
    Container(const Container&) = delete;

    std::uint16_t port() const { return port_; }
    std::vector<std::string> heads() const;         // of all requests so far
    std::vector<std::string> uploads() const;
    std::size_t bytes_received() const { return received_; }
    std::size_t bytes_sent() const { return sent_; }
    std::size_t connections() const { return connections_; }
    std::size_t open_connections() const;
    void open_gate();

private:
    struct Body;
    void begin(int listener);
    void accept();
    void serve(int fd);
    bool answer(int fd, const std::string& head, std::string& ahead);
    std::string read_body(int fd, const std::string& head, std::string& ahead, bool& whole);
    bool fill(int fd, std::string& ahead);
    bool send(int fd, std::string_view bytes);
    void wait_for_gate();
    void echo(int fd, std::string ahead);

    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<std::size_t> received_ = 0;
    std::atomic<std::size_t> sent_ = 0;
    std::atomic<std::size_t> connections_ = 0;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool gate_open_ = false;
    bool ending_ = false;
    std::vector<std::string> heads_;
    std::vector<std::string> uploads_;
    std::set<int> open_;
    std::list<std::thread> threads_;
    std::thread acceptor_;
};

}  // namespace berth::proxy_tests
