// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 on sockets (Boost.Beast), on one thread of its own. It knows nothing of berth: it hands
// whole requests over and sends what it is told. Each bound (connections, header, body, time, bytes
// that wait for a slow reader) is kept here, before anything else sees the request.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "gateway/http.hpp"
#include "gateway/policy.hpp"

namespace berth::gateway {

/// A connection, or its present request: there is one at a time.
using ClientId = std::uint64_t;

/// Called on the server's thread: post to where the state lives.
struct ServerHooks {
    std::function<void(ClientId, HttpRequest)> on_request;
    std::function<void(ClientId)> on_drained;              // a stream's queue is empty, when asked for
    std::function<void(ClientId, bool too_slow)> on_gone;  // the connection ended with a request open
};

enum class Tell { nothing, when_drained };

class Server {
public:
    /// Listens at once; serves from start() on. `last_port` is taken again where any free one would do; 0: none.
    static Result<std::unique_ptr<Server>> open(const Policy& policy, std::uint16_t last_port, ServerHooks hooks);
    ~Server();  // closes everything and joins the thread

    std::uint16_t port() const;
    /// For programs of this machine: plain HTTP, also where others come by TLS.
    std::string inner_url() const;
    void start();

    // From any thread. What is for a connection that is gone is dropped.
    void answer(ClientId client, HttpAnswer answer);
    void begin_stream(ClientId client, HttpAnswer head);
    void push(ClientId client, std::string bytes, Tell tell);
    void end_stream(ClientId client, std::string last);
    std::uint64_t connections() const;
    std::uint64_t refused(Refusal refusal) const;         // by the server itself

private:
    struct Inside;
    template <class Work>
    void post(ClientId client, Work work);
    explicit Server(std::unique_ptr<Inside> inside);
    std::unique_ptr<Inside> inside_;
};

}  // namespace berth::gateway
