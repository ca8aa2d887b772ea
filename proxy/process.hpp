// SPDX-License-Identifier: Apache-2.0
// The shell of the proxy: accepts browsers, looks at every live connection once a second, and ends
// in good order. It opens the host's memory and nothing else; it needs no other process to live.
#pragma once

#include "proxy/net.hpp"

#include <boost/asio/signal_set.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/result.hpp"
#include "proxy/connection.hpp"
#include "proxy/place.hpp"

namespace berth::proxy {

struct Listen {
    std::string address;
    std::vector<std::uint16_t> wished;     // the first of these that is free, else any; 0: no wish
};

class Process {
public:
    /// `place` outlives it.
    static Result<std::unique_ptr<Process>> open(Policy policy, const Clock& clock, LocalKv& kv, HostId host,
                                                 const Place& place, const Listen& at);
    std::uint16_t port() const { return port_; }
    ~Process();
    /// Until SIGTERM or SIGINT, and all that is under way has ended or its grace has passed.
    void run();

private:
    Process(Policy policy, const Clock& clock, LocalKv& kv, HostId host, const Place& place);
    Result<void> check_policy();
    void keep_sessions(Instant now);
    Result<void> use_certificate();
    Result<void> listen(const Listen& at);
    ErrorCode try_listen(tcp::acceptor& acceptor, const tcp::endpoint& at);
    ErrorCode try_patiently(tcp::acceptor& acceptor, const tcp::endpoint& at);
    Result<void> listen_plainly(const Listen& at);
    net::awaitable<void> accept(tcp::acceptor& acceptor, std::optional<std::uint32_t> slot);
    void admit(tcp::socket socket, std::optional<std::uint32_t> slot);
    bool make_room();
    net::awaitable<void> look_again_and_again();
    void look();
    bool may_go_on(const TokenClaims& session, Instant now);
    void drain();
    net::awaitable<void> end_after_grace();

    // Coroutines that still wait go with io_; what they use outlives it.
    Context context_;
    const Place& place_;
    std::optional<tls::Certificate> certificate_;
    net::io_context io_{1};
    tcp::acceptor acceptor_{io_};
    std::vector<tcp::acceptor> plain_;                           // one for each slot, in order
    net::signal_set signals_{io_};
    std::uint16_t port_ = 0;
    std::set<std::shared_ptr<Connection>> connections_;
    std::map<WorkspaceId, std::optional<RouteRecord>> routes_;   // as read in this look
    Instant readable_at_;                                        // last time that the memory could be read
    Counters told_;
    Instant told_at_;
    std::string sessions_kept_;
    Instant sessions_kept_at_;
};

}  // namespace berth::proxy
