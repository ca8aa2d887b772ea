// SPDX-License-Identifier: Apache-2.0
// A browser of the test's own, down to the bytes: it sends what it is told, well-formed or not.
// Whatever does not come within the patience of a test throws.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace berth::proxy_tests {

inline constexpr Duration patience{20'000};

struct Reply {
    int status = 0;
    std::string head;
    std::map<std::string, std::vector<std::string>> fields;   // names in lower case
    std::string body;
    bool whole = false;                                       // the body came to its end

    bool has(const std::string& name) const { return fields.contains(name); }
    std::string field(const std::string& name) const;         // the first; empty when absent
};

class Visitor {
public:
    explicit Visitor(std::uint16_t port);
    ~Visitor();
    Visitor(Visitor&& other) noexcept : fd_(std::exchange(other.fd_, -1)), ahead_(std::move(other.ahead_)) {}
    Visitor& operator=(Visitor&&) = delete;

    void send(std::string_view bytes);
    /// False when the other side no longer takes it.
    bool try_send(std::string_view bytes);
    /// What has come, at least one byte; empty at the end of the stream, also at a reset.
    std::string receive();
    std::string receive_exactly(std::size_t bytes);
    Reply head();                                             // of the next answer, 1xx too
    Reply reply(std::string_view method = "GET");             // the next final answer with its body
    Reply ask(const std::string& request, std::string_view method = "GET") { send(request); return reply(method); }
    bool ends_within(Duration wait);                          // reads and drops until the other side ends
    void finish_sending();
    int descriptor() const { return fd_; }

private:
    int fd_ = -1;
    std::string ahead_;
};

/// "GET /path HTTP/1.1" with Host, the cookie when there is one, and more lines.
std::string get(const std::string& host, const std::string& path, const std::string& cookie,
                const std::vector<std::string>& more = {});
std::string request(const std::string& method, const std::string& host, const std::string& path,
                    const std::string& cookie, const std::vector<std::string>& more = {});

std::string sha256(std::string_view bytes);
std::string pattern(std::size_t bytes);                       // no two blocks alike
std::string masked_frame(unsigned first_byte, std::string_view payload);

}  // namespace berth::proxy_tests
