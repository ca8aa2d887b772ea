// SPDX-License-Identifier: Apache-2.0
// HTTP by libcurl, several exchanges at a time on one thread: `berth claim` follows the event stream
// while its request waits for the answer. Also speaks to the container engine over its unix socket.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace berth::cli {

struct HttpRequest {
    std::string method = "GET";
    std::string url;
    std::string unix_socket;              // empty: TCP
    std::string bearer;                   // sent as Authorization; never shown
    std::string content_type;
    std::string body;
    std::string upload_file;              // streamed as the body, chunked
    std::vector<std::string> headers;     // "Name: value"
    Duration timeout{30'000};             // 0: none, as for a stream
    Duration connect_timeout{5'000};
};

struct HttpAnswer {
    long status = 0;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;                            // empty when there is an on_chunk
};

class Http {
public:
    using OnDone = std::function<void(Result<HttpAnswer>)>;
    using OnChunk = std::function<void(std::string_view)>;  // bytes of a 2xx answer
    using OnUpload = std::function<void(std::uint64_t sent, std::uint64_t total)>;

    Http();
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    /// Begins an exchange; its functions are called from turn().
    std::uint64_t start(HttpRequest request, OnDone done, OnChunk chunk = {}, OnUpload upload = {});
    void cancel(std::uint64_t id);
    /// Waits at most that long for something to happen and handles it.
    void turn(Duration wait);
    /// One exchange to its end, unless `give_up` holds meanwhile (default: Interrupt::seen); then
    /// ErrorKind::timeout.
    Result<HttpAnswer> ask(HttpRequest request, OnUpload upload = {}, const std::function<bool()>& give_up = {});

private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

std::string url_encoded(std::string_view text);

}  // namespace berth::cli
