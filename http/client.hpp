// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 and TLS as a client, on libcurl's multi interface: several exchanges at a time on one
// thread, over TCP or a unix socket. The one place that knows libcurl, and the one set of bounds.
//
// Where a request goes: a unix socket, a loopback and a link-local address are always asked directly, whatever
// http_proxy and all_proxy say, because a proxy would get the token and could not reach them anyway;
// every other URL honours the proxy variables, and no_proxy, as libcurl reads them. Redirects are not
// followed.
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

namespace berth::http {

struct Request {
    std::string method = "GET";
    std::string url;                      // http or https
    std::string unix_socket;              // the host in `url` is a mere name then; empty: TCP
    std::string bearer;                   // sent as Authorization; never shown in an error
    std::string content_type;
    std::string body;
    std::string body_file;                // its content is the body, read while it is sent
    std::vector<std::string> headers;     // "Name: value"
    std::string ca_file;                  // PEM of those who may vouch for the server; empty: the machine's
    Duration deadline{30'000};            // from start() to the last byte; 0: none, as for a stream
    Duration connect_deadline{5'000};
    std::size_t header_bytes_max = 256 * 1024;       // of the answer
    std::size_t body_bytes_max = 64 * 1024 * 1024;   // of the answer, when it is gathered
};

struct Answer {
    long status = 0;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;                            // empty when a chunk function took it
};

struct Setup {
    std::string user_agent = "berth";
    int wake = -1;                        // a descriptor that gets readable when `give_up` begins to hold
    std::function<bool()> give_up;        // asked while ask() waits
};

/// For one thread. An exchange that still runs at its end is cut without a word.
class Client {
public:
    /// Any HTTP status is an answer. An error is one of
    ///   timeout      no answer before the deadline, or given up
    ///   unavailable  nobody there, or the connection broke
    ///   limit        the answer is over a bound of the request
    ///   invalid      the URL is none
    ///   denied       the server's certificate is not to be trusted
    ///   not_found    there is no such body_file or ca_file
    using OnDone = std::function<void(Result<Answer>)>;
    using OnChunk = std::function<void(std::string_view)>;  // bytes of a 2xx answer, as they come
    using OnUpload = std::function<void(std::uint64_t sent, std::uint64_t total)>;

    explicit Client(Setup setup = {});
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Begins an exchange. Its functions are called from turn(), `done` once and last.
    std::uint64_t start(Request request, OnDone done, OnChunk chunk = {}, OnUpload upload = {});
    /// None of its functions is called any more. An id that is over is no error.
    void cancel(std::uint64_t id);
    /// Waits at most that long for something to happen, and handles it.
    void turn(Duration wait);
    /// One exchange to its end, while the others go on too.
    Result<Answer> ask(Request request, OnUpload upload = {});

private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

/// One exchange with a client of its own; from any thread. Blocks until its deadline at most.
Result<Answer> ask(Request request);

/// GET from 127.0.0.1; at most 64 KiB are taken.
Result<Answer> get_local(std::uint32_t port, const std::string& path, Duration deadline);
/// The same from a unix socket, which is no link.
Result<Answer> get_local(const std::string& socket, const std::string& path, Duration deadline);

/// Is the host of that URL this machine's loopback: localhost, a name below it, 127.0.0.0/8, ::1?
bool is_loopback(const std::string& url);

/// Is it an address that is only valid on this link (169.254.0.0/16, fe80::/10), or Amazon's fd00:ec2::/32, where
/// a cloud's metadata service is? No proxy could reach it, and none is to see what is asked there.
bool is_link_local(const std::string& url);

/// For one segment of a path, or one value of a query.
std::string url_encoded(std::string_view text);

}  // namespace berth::http
