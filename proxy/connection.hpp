// SPDX-License-Identifier: Apache-2.0
// One browser's connection, from accept to close. It has at most one connection to a container,
// which no other browser ever shares.
//
//   handshake ─► idle ─► head ─► answering ─► idle …        what the proxy says itself
//                          │
//                          └───► exchange ──► idle …        request and answer, both streamed
//                                   └───────► tunnel        after a 101: bytes both ways
//   every state ─► closed*      by either side, a deadline, a lost right, the end of the process
//
// connection.cpp: heads and who is let in; entry.cpp: what is answered here; exchange.cpp: one request through a container;
// tunnel.cpp: a WebSocket. Deadlines and rights are looked at from outside, once a second (look()).
#pragma once

#include "proxy/net.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/reflect.hpp"
#include "proxy/access.hpp"
#include "proxy/context.hpp"
#include "proxy/frames.hpp"
#include "proxy/headers.hpp"
#include "proxy/names.hpp"
#include "proxy/outward.hpp"
#include "proxy/pages.hpp"
#include "proxy/way.hpp"
#include "proxy/wire.hpp"

namespace berth::proxy {

BERTH_ENUM(Phase, handshake, idle, head, answering, exchange, tunnel, closed)

/// What a WebSocket is told at its end (RFC 6455 §7.4; 1012 is IANA's "service restart").
enum class CloseCode : std::uint16_t { not_allowed = 1008, restart = 1012 };

class Connection : public std::enable_shared_from_this<Connection> {
public:
    /// `slot`: it came by the port of that slot's workspace, and reaches no other.
    Connection(Context& context, tcp::socket socket, std::optional<std::uint32_t> slot = std::nullopt);
    ~Connection();

    /// `ended` is called once, when nothing of it runs any more.
    void start(std::function<void(const std::shared_ptr<Connection>&)> ended);

    Phase phase() const { return phase_; }
    Instant idle_since() const { return idle_since_; }
    /// Who is let in at this moment; nothing between requests.
    const std::optional<TokenClaims>& session() const { return session_; }

    /// Ends what its deadline has passed: true then.
    bool enforce_deadlines(Instant now);
    /// The browser is gone although nothing is being read from it.
    bool abandoned();
    /// Tells a WebSocket why it is about to end, now or after the frame that is under way.
    void dismiss(CloseCode why);
    /// Closes both sides at once; what waits on them ends with an error.
    void cut();

private:
    using Chunk = Chunks::Chunk;
    using RequestParser = http::request_parser<http::buffer_body>;
    using ResponseParser = http::response_parser<http::buffer_body>;
    enum class Next { keep, close };
    enum class Attempt { keep, close, unanswered };
    enum class WriteUpTo { head, body };
    enum class Farewell { said, later, never };

    // connection.cpp
    net::awaitable<void> run();
    net::awaitable<bool> read_proxy_header();
    net::awaitable<bool> read_head();
    net::awaitable<Next> serve();
    Judged<RouteRecord> find_route(const WorkspaceId& workspace) const;
    net::awaitable<Judged<TokenClaims>> judge_request(const RouteRecord& route, bool websocket);
    Judged<void> judge_provenance(bool websocket) const;
    net::awaitable<Judged<TokenClaims>> find_session(const RouteRecord& route);
    net::awaitable<Judged<void>> keep_link(const TokenClaims& session);
    std::string_view field(http::field name) const;
    bool field_is(std::string_view name, std::string_view value) const;
    bool look_outward();
    bool look_at_slot();
    Apart apart() const { return slot_ ? Apart::by_port : Apart::by_name; }

    // entry.cpp
    net::awaitable<Next> serve_own(std::string_view path);
    net::awaitable<Judged<std::string>> open_link(std::string token);
    std::string new_session(const RouteRecord& route, std::string id) const;
    net::awaitable<Next> answer(Answer with);
    net::awaitable<Next> answer_refusal(Refusal why, std::string_view detail = {}, std::string_view root = {});
    net::awaitable<void> answer_long_head(std::string_view beginning);
    net::awaitable<Next> forget_cookies(std::string_view path, std::vector<std::string_view> fields);
    net::awaitable<void> linger();

    // exchange.cpp
    net::awaitable<Next> forward(RouteRecord route, TokenClaims session, std::string path, bool websocket);
    net::awaitable<bool> reach(const RouteRecord& route);
    void look_for_use(std::string_view path, bool websocket);
    net::awaitable<Attempt> attempt(const std::string& path, bool websocket);
    net::awaitable<bool> send_head(const std::string& path, bool websocket);
    void start_upload();
    net::awaitable<void> upload();
    net::awaitable<std::size_t> take_body(char* to, ErrorCode& error);
    net::awaitable<bool> read_answer_head();
    net::awaitable<Attempt> upgrade();
    net::awaitable<Attempt> relay_answer();
    net::awaitable<bool> relay_answer_body(ResponseHead& head,
                                           http::response_serializer<http::buffer_body>& writer);
    net::awaitable<bool> write_to_browser(http::response_serializer<http::buffer_body>& writer, WriteUpTo end);
    net::awaitable<void> wait_for_upload(Duration patience);
    Refusal why_unanswered() const;
    bool container_is_there();
    void leave_container();

    // tunnel.cpp
    net::awaitable<void> tunnel();
    net::awaitable<void> tunnel_up();
    Farewell say_farewell(CloseCode why);

    Instant now() const { return context_.clock.now(); }
    void enter(Phase phase);
    void limit_browser(Duration wait) { browser_deadline_ = now() + wait; }
    void limit_container(Duration wait) { container_deadline_ = now() + wait; }
    void no_limits();

    Context& context_;
    const std::optional<std::uint32_t> slot_;
    std::string from_;                       // where the browser is, by a front proxy's word
    bool by_front_proxy_;                    // the other side is in a trusted network
    Wire browser_;
    flat_buffer from_browser_;
    std::function<void(const std::shared_ptr<Connection>&)> ended_;
    Phase phase_ = Phase::handshake;
    Instant idle_since_;
    Instant browser_deadline_ = Instant::max();
    Instant container_deadline_ = Instant::max();
    bool dead_ = false;

    // Of the request at hand.
    std::optional<RequestParser> request_;
    Outward outward_;                        // how the browser sees the workspace
    std::optional<TokenClaims> session_;
    std::string cookies_;                    // those that go on to the container
    std::string renewal_;                    // Set-Cookie of a session that is to follow it; never logged
    Target target_ = Target::page;
    Sign sign_ = Sign::never;                // of use, if it is answered
    std::string asked_;                      // it among its likes
    bool answer_begun_ = false;              // a final answer, to the browser
    bool container_spoke_ = false;           // at least a byte of an answer
    bool container_late_ = false;
    bool upload_running_ = false;            // also: the browser's direction of a tunnel
    bool upload_malformed_ = false;
    net::steady_timer upload_end_;           // cancelled when upload_running_ becomes false

    // Of a tunnel, towards the browser.
    Frames frames_down_;
    bool writing_down_ = false;
    std::optional<CloseCode> farewell_;      // to be said when the frame under way has ended
    bool farewell_said_ = false;

    // The last token that was found good, so that it is not verified anew for each request.
    std::string known_token_;
    std::optional<TokenClaims> known_claims_;

    // The connection to the container, and for whom it was made.
    std::optional<Way::Socket> container_;
    RouteRecord container_route_;
    flat_buffer from_container_;
    std::optional<RequestHead> sent_;
    std::optional<http::request_serializer<http::buffer_body>> sender_;
    std::optional<ResponseParser> answer_;
};

}  // namespace berth::proxy
