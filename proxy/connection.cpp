// SPDX-License-Identifier: Apache-2.0
#include "proxy/connection.hpp"

#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/read.hpp>
#include <exception>

#include "base/diagnostics.hpp"
#include "proxy/head.hpp"
#include "proxy/names.hpp"
#include "proxy/proxy_header.hpp"

namespace berth::proxy {

namespace {

constexpr std::string_view own_prefix = "/_berth/";
constexpr std::size_t head_read_bytes = 8'192;

std::string_view text_of(const flat_buffer& buffer) {
    return {static_cast<const char*>(buffer.data().data()), buffer.data().size()};
}
std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

/// Empty when it is there more than once, too.
std::string_view only_value(const RequestHead& head, std::string_view name) {
    const auto values = values_of(head, name);
    return values.size() == 1 ? values.front() : std::string_view{};
}

bool is_trusted(const Context& context, const tcp::socket& socket) {
    ErrorCode error;
    const auto other = socket.remote_endpoint(error);
    return !error && context.trusted.hold(other.address());
}

}  // namespace

Connection::Connection(Context& context, tcp::socket socket, std::optional<std::uint32_t> slot)
    : context_(context),
      slot_(slot),
      by_front_proxy_(is_trusted(context, socket)),
      browser_(std::move(socket), context.tls),
      from_browser_(context.policy.head_bytes_max + chunk_bytes),
      idle_since_(context.clock.now()),
      upload_end_(browser_.get_executor()),
      from_container_(context.policy.answer_head_bytes_max + chunk_bytes) {}

Connection::~Connection() = default;

void Connection::start(std::function<void(const std::shared_ptr<Connection>&)> ended) {
    ended_ = std::move(ended);
    auto self = shared_from_this();
    net::co_spawn(
        browser_.get_executor(), [self]() -> net::awaitable<void> { co_await self->run(); },
        [self](const std::exception_ptr& failed) {
            self->cut();
            if (failed) {
                try {
                    std::rethrow_exception(failed);
                } catch (const std::exception& error) {
                    log_warn("connection.failed", {{"why", error.what()}});
                }
            }
            if (self->ended_) std::exchange(self->ended_, nullptr)(self);
        });
}

void Connection::enter(Phase phase) {
    if (!dead_) phase_ = phase;
    if (phase == Phase::idle) idle_since_ = now();
}

void Connection::no_limits() { browser_deadline_ = container_deadline_ = Instant::max(); }

bool Connection::enforce_deadlines(Instant at) {
    if (dead_ || (at <= browser_deadline_ && at <= container_deadline_)) return false;
    if (at > browser_deadline_ || phase_ != Phase::exchange || answer_begun_) {
        cut();
    } else {
        container_late_ = true;   // the browser still gets an answer
        leave_container();
    }
    return true;
}

bool Connection::abandoned() {
    if (dead_ || phase_ != Phase::exchange || upload_running_) return false;
    char byte = 0;
    return ::recv(browser_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void Connection::cut() {
    if (dead_) return;
    dead_ = true;
    phase_ = Phase::closed;
    no_limits();
    ErrorCode ignored;
    browser_.socket().close(ignored);
    leave_container();
}

net::awaitable<void> Connection::run() {
    if (by_front_proxy_ && context_.policy.proxy_protocol) {
        limit_browser(context_.policy.head_timeout);
        const bool said = co_await read_proxy_header();
        if (!said || dead_) co_return;
    }
    if (context_.tls != nullptr) {
        ErrorCode error;
        limit_browser(context_.policy.head_timeout);
        co_await browser_.handshake(error);
        if (error) co_return;
    }
    auto next = Next::keep;
    while (!dead_ && next == Next::keep) {
        const bool asked = co_await read_head();
        if (!asked) co_return;
        next = co_await serve();
    }
}

/// Not a byte more: what follows is TLS, or the browser's. False: it is none, and there is nobody to answer.
net::awaitable<bool> Connection::read_proxy_header() {
    std::string text(proxy_header_first, '\0');
    ErrorCode error;
    co_await net::async_read(browser_.socket(), net::buffer(text), net::redirect_error(net::use_awaitable, error));
    const auto version = error ? ProxyVersion::none : proxy_version(text);
    std::optional<std::string> browser;
    if (version == ProxyVersion::line) {
        while (!error && !text.ends_with("\r\n") && text.size() < proxy_header_line_max) {
            char byte = 0;
            co_await net::async_read(browser_.socket(), net::buffer(&byte, 1),
                                     net::redirect_error(net::use_awaitable, error));
            text += byte;
        }
        if (!error && text.ends_with("\r\n")) browser = browser_in_line(std::string_view{text}.substr(0, text.size() - 2));
    } else if (version == ProxyVersion::binary) {
        text.resize(proxy_header_fixed);
        co_await net::async_read(browser_.socket(),
                                 net::buffer(text.data() + proxy_header_first, proxy_header_fixed - proxy_header_first),
                                 net::redirect_error(net::use_awaitable, error));
        const auto size = error ? std::nullopt : proxy_header_rest(text);
        if (size && *size <= proxy_header_bytes_max) {
            std::string rest(*size, '\0');
            co_await net::async_read(browser_.socket(), net::buffer(rest), net::redirect_error(net::use_awaitable, error));
            if (!error) browser = browser_in_binary(text, rest);
        }
    }
    if (!browser) {
        ++context_.counters.refused;
        log_line(LogLevel::debug, "refused", {{"why", Refusal::malformed}, {"detail", "no PROXY header came"}});
        co_return false;
    }
    from_ = std::move(*browser);
    co_return true;
}

/// Reads up to the end of a head, and answers here what is no proper one. False: nothing more comes.
net::awaitable<bool> Connection::read_head() {
    session_.reset();
    renewal_.clear();
    request_.reset();
    outward_ = {};
    answer_begun_ = container_spoke_ = container_late_ = upload_malformed_ = false;
    ErrorCode error;
    if (from_browser_.size() == 0) {
        if (context_.draining) co_return false;
        enter(Phase::idle);
        no_limits();
        limit_browser(context_.policy.idle_timeout);
        from_browser_.shrink_to_fit();
        from_container_.shrink_to_fit();
        co_await browser_.wait_readable(error);
        if (error) co_return false;
    }
    if (context_.tls == nullptr || from_browser_.size() > 0) {
        enter(Phase::head);
        limit_browser(context_.policy.head_timeout);
    }
    std::size_t scanned = 0;
    std::size_t end = std::string_view::npos;
    for (;;) {
        const auto text = text_of(from_browser_);
        end = text.find("\r\n\r\n", scanned > 3 ? scanned - 3 : 0);
        if (end != std::string_view::npos || text.size() > context_.policy.head_bytes_max) break;
        scanned = text.size();
        const auto space = from_browser_.prepare(head_read_bytes);
        const auto got =
            co_await browser_.async_read_some(space, net::redirect_error(net::use_awaitable, error));
        if (error) co_return false;
        if (from_browser_.size() == 0) {
            enter(Phase::head);
            limit_browser(context_.policy.head_timeout);
        }
        from_browser_.commit(got);
    }
    enter(Phase::answering);
    if (end == std::string_view::npos || end + 4 > context_.policy.head_bytes_max) {
        const std::string beginning{text_of(from_browser_).substr(0, context_.policy.head_bytes_max)};
        co_await answer_long_head(beginning);
        co_return false;
    }
    const auto head = text_of(from_browser_).substr(0, end + 4);
    if (const auto fault = fault_of_head(head, context_.policy.fields_max)) {
        co_await answer_refusal(Refusal::malformed, *fault);
        co_return false;
    }
    request_.emplace();
    request_->header_limit(2 * context_.policy.head_bytes_max);
    request_->body_limit(std::numeric_limits<std::uint64_t>::max());
    const auto used = request_->put(net::const_buffer(head.data(), head.size()), error);
    if (error || !request_->is_header_done() || used != head.size()) {
        request_.reset();
        co_await answer_refusal(Refusal::malformed);
        co_return false;
    }
    from_browser_.consume(used);
    request_->eager(true);
    if (!look_outward()) {
        co_await answer_refusal(Refusal::malformed, "the front proxy says two things of the address");
        co_return false;
    }
    co_return true;
}

std::string_view Connection::field(http::field name) const {
    if (!request_) return {};
    return view(request_->get()[name]);
}

bool Connection::field_is(std::string_view name, std::string_view value) const {
    const auto values = values_of(request_->get(), name);
    return values.size() == 1 && values.front() == value;
}

bool Connection::look_outward() {
    const auto& head = request_->get();
    const auto origins = values_of(head, "Origin");
    auto seen = outward_of(context_.inward,
                           {.host = field(http::field::host),
                            .origin = origins.size() == 1 ? std::optional{origins.front()} : std::nullopt,
                            .by_front_proxy = by_front_proxy_,
                            .forwarded_host = values_of(head, "X-Forwarded-Host"),
                            .forwarded_scheme = values_of(head, "X-Forwarded-Proto")});
    if (seen) outward_ = std::move(*seen);
    return seen.has_value() && (!slot_ || look_at_slot());
}

/// Whose port it is says which workspace, whatever name or address the browser used.
bool Connection::look_at_slot() {
    outward_.host = std::string{field(http::field::host)};
    outward_.workspace.reset();
    const auto routes = context_.kv.routes();
    if (!routes) log_warn("memory.unreadable", {{"why", routes.error().text}});
    if (!routes) return true;              // a workspace that is not known is refused
    for (const auto& route : *routes) {
        if (route.slot == *slot_) outward_.workspace = route.workspace;
    }
    return true;
}

net::awaitable<Connection::Next> Connection::serve() {
    const auto target = view(request_->get().target());
    const auto path = path_of(target, field(http::field::host));
    const auto method = request_->get().method();
    if (method == http::verb::connect || method == http::verb::trace) {
        co_return co_await answer_refusal(Refusal::method_refused);
    }
    if (!path) co_return co_await answer_refusal(Refusal::malformed, "the target is no path of this host");
    if (path->starts_with(own_prefix)) co_return co_await serve_own(*path);

    const auto workspace = outward_.workspace;
    if (!workspace) co_return co_await answer_refusal(Refusal::unknown_workspace);
    auto route = find_route(*workspace);
    if (!route) co_return co_await answer_refusal(route.error());
    const bool websocket = is_websocket(request_->get(), !request_->is_done());
    auto session = co_await judge_request(*route, websocket);
    if (!session) co_return co_await answer_refusal(session.error());
    auto cookies = cookies_to_pass(values_of(request_->get(), "Cookie"), *path, context_.policy.cookie_bytes_max);
    if (!cookies) co_return co_await answer_refusal(Refusal::cookies_too_large, {}, preview_root(*path));
    cookies_ = std::move(*cookies);
    if (context_.live[*workspace] >= context_.policy.connections_per_workspace_max) {
        ++context_.counters.turned_away;
        co_return co_await answer_refusal(Refusal::too_many);
    }
    co_return co_await forward(std::move(*route), std::move(*session), std::string{*path}, websocket);
}

Judged<RouteRecord> Connection::find_route(const WorkspaceId& workspace) const {
    const auto known = context_.kv.route(workspace);
    if (!known) {
        log_warn("memory.unreadable", {{"why", known.error().text}});
        return tl::make_unexpected(Refusal::memory_unreadable);
    }
    if (*known) return usable(*known, context_.policy, now());
    const auto slots = context_.kv.slots();
    return tl::make_unexpected(slots ? why_no_route(workspace, *slots) : Refusal::memory_unreadable);
}

/// A session that a cookie shows and that is good for this route.
net::awaitable<Judged<TokenClaims>> Connection::find_session(const RouteRecord& route) {
    auto why = Refusal::no_session;
    const auto name = cookie_name(outward_.scheme, route.workspace, apart());
    for (const auto& token : cookie_values(values_of(request_->get(), "Cookie"), name)) {
        if (known_claims_ && token == known_token_) {
            const auto good = judge_claims(session_as_used(context_, *known_claims_), route, now());
            if (good) co_return *known_claims_;
            why = good.error();
            continue;
        }
        auto claims = judge_session(token, context_.host, context_.kv.secret(), now());
        if (!claims) {
            why = claims.error();
            continue;
        }
        if (const auto good = judge_claims(session_as_used(context_, *claims), route, now()); !good) {
            why = good.error();
            continue;
        }
        const auto kept = co_await keep_link(*claims);
        if (!kept) {
            why = kept.error();
            continue;
        }
        known_token_ = token;
        known_claims_ = std::move(*claims);
        co_return *known_claims_;
    }
    // Not back to the gateway for another link, round and round.
    const bool lost = why == Refusal::no_session || why == Refusal::ended_session;
    if (lost && context_.opened.contains(route.workspace)) why = Refusal::cookie_lost;
    co_return tl::make_unexpected(why);
}

/// The session of a link has come back: from now on the link is used up, and no other session of it is
/// ever good.
net::awaitable<Judged<void>> Connection::keep_link(const TokenClaims& session) {
    const auto link = link_of_session(session);
    if (!link) co_return Judged<void>{};
    const auto holder = context_.kv.link_holder(*link);
    if (!holder) co_return tl::make_unexpected(Refusal::memory_unreadable);
    if (*holder == session.id) co_return Judged<void>{};
    if (*holder) co_return tl::make_unexpected(Refusal::used_link);
    const auto until = session.expires_at - context_.policy.session_lifetime + link_lifetime;
    const auto ours = co_await context_.links.use(browser_.get_executor(), *link, session.id, until, now());
    if (!ours) {
        log_warn("memory.unwritable", {{"why", ours.error().text}});
        co_return tl::make_unexpected(Refusal::memory_unreadable);
    }
    if (!*ours) co_return tl::make_unexpected(Refusal::used_link);
    log_info("session.opened", {{"workspace", session.workspace}, {"epoch", session.epoch}, {"from", from_}});
    context_.opened.erase(session.workspace);
    co_return Judged<void>{};
}

net::awaitable<Judged<TokenClaims>> Connection::judge_request(const RouteRecord& route, bool websocket) {
    auto session = co_await find_session(route);
    if (!session) co_return session;
    if (dead_) co_return tl::make_unexpected(Refusal::no_session);
    if (const auto good = judge_provenance(websocket); !good) co_return tl::make_unexpected(good.error());
    co_return session;
}

Judged<void> Connection::judge_provenance(bool websocket) const {
    const auto& head = request_->get();
    const auto origins = values_of(head, "Origin");
    const Provenance from{.method = view(head.method_string()),
                          .websocket = websocket,
                          .origin = origins.empty() ? std::nullopt : std::optional{origins.front()},
                          .origin_repeated = origins.size() > 1,
                          .scheme = outward_.scheme,
                          .host = outward_.host,
                          .fetch_site = only_value(head, "Sec-Fetch-Site"),
                          .fetch_mode = only_value(head, "Sec-Fetch-Mode"),
                          .fetch_destination = only_value(head, "Sec-Fetch-Dest")};
    return judge_origin(from);
}

}  // namespace berth::proxy
