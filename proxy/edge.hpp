// SPDX-License-Identifier: Apache-2.0
// The front door: one name and certificate for all workspaces. It looks at the name that a browser asks for,
// connects to the proxy of the host that holds it, and passes bytes both ways. It keeps no state and no secret of a
// session: any number of them may run, and any may be killed.
//
//   handshake ─► head ─► (no way: answered)*
//                  └───► relay ──► *ended     by either side, silence, a move of the workspace, the end of the process
#pragma once

#include "proxy/net.hpp"

#include <boost/asio/signal_set.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/clock.hpp"
#include "proxy/chunks.hpp"
#include "proxy/edge_policy.hpp"
#include "proxy/edge_way.hpp"
#include "proxy/wire.hpp"
#include "tls/certificate.hpp"

namespace berth::proxy {

/// The newest view, written by the thread of the bus, read by that of the browsers. While nobody can say what
/// is new, the last one stands: it is a way, and the host judges.
class EdgeMap {
public:
    void replace(View view);
    void apply(const FactRecord& record);
    /// Nothing until there was a view once.
    std::optional<EdgeWay> way(const WorkspaceId& workspace) const;

private:
    mutable std::mutex guard_;
    std::optional<View> view_;             // under guard_
};

struct EdgeContext {
    EdgePolicy policy;
    const Clock& clock;
    const EdgeMap& map;
    berth::tls::Context tls;                      // null: plain; new connections use what it is now
    Chunks chunks;
};

class Relay : public std::enable_shared_from_this<Relay> {
public:
    Relay(EdgeContext& context, tcp::socket browser);

    void start(std::function<void(const std::shared_ptr<Relay>&)> ended);
    /// Ends it when it is too late, too quiet, or its workspace is elsewhere now.
    void look();
    bool is_idle() const;                  // nothing has moved for a moment
    void cut();

private:
    net::awaitable<void> run();
    net::awaitable<std::optional<std::string>> read_head();
    std::variant<EdgeTarget, std::string> find_way(const std::string& head);
    net::awaitable<void> say(const std::string& text);   // it outlives the call
    net::awaitable<bool> reach(const EdgeTarget& target, const std::string& head);
    net::awaitable<void> relay();
    template <class From, class To>
    net::awaitable<void> move(From& from, To& to);
    Instant now() const { return context_.clock.now(); }

    EdgeContext& context_;
    Wire browser_;
    tcp::socket host_;
    std::function<void(const std::shared_ptr<Relay>&)> ended_;
    std::optional<WorkspaceId> workspace_;
    std::optional<EdgeTarget> target_;
    Instant moved_at_;
    Instant deadline_;
    bool dead_ = false;
    bool down_ended_ = false;              // the host's side has said all
    net::steady_timer up_end_;             // cancelled when the browser's side has said all
    bool up_running_ = false;
};

class Edge {
public:
    static Result<std::unique_ptr<Edge>> open(EdgePolicy policy, const Clock& clock, const EdgeMap& map);
    ~Edge();
    std::uint16_t port() const { return port_; }
    /// Until SIGTERM or SIGINT, and all that is under way has ended or its grace has passed.
    void run();

private:
    Edge(EdgePolicy policy, const Clock& clock, const EdgeMap& map);
    Result<void> use_certificate();
    Result<void> listen();
    net::awaitable<void> accept();
    net::awaitable<void> look_again_and_again();
    void drain();

    EdgeContext context_;
    std::optional<tls::Certificate> certificate_;
    net::io_context io_{1};
    tcp::acceptor acceptor_{io_};
    net::signal_set signals_{io_};
    std::uint16_t port_ = 0;
    std::optional<Instant> draining_until_;
    std::set<std::shared_ptr<Relay>> relays_;
};

}  // namespace berth::proxy
