// SPDX-License-Identifier: Apache-2.0
// A server of one test: on 127.0.0.1 or a unix socket, it keeps what was asked and answers by the
// test's own function, one request per connection.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace berth::testing {

class Listener {
public:
    /// The bytes to send for a request (its head and what came with it); they end with the connection.
    using Script = std::function<std::string(const std::string& request)>;

    explicit Listener(Script script, const std::string& unix_socket = {});
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    std::string url() const;              // "http://127.0.0.1:<port>"
    std::vector<std::string> requests() const;

private:
    void serve();
    void answer(int connection);

    Script script_;
    int port_ = 0;                        // before the socket, which tells it
    int socket_ = -1;
    std::atomic<bool> ends_{false};
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::thread thread_;
};

/// "HTTP/1.1 <status> …" with that body and those header lines.
std::string http_answer(int status, const std::string& body, const std::string& headers = {});

}  // namespace berth::testing
