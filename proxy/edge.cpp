// SPDX-License-Identifier: Apache-2.0
#include "proxy/edge.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>
#include <csignal>

#include "base/diagnostics.hpp"
#include "proxy/names.hpp"
#include "proxy/port_holder.hpp"

namespace berth::proxy {

namespace {

constexpr Duration accept_pause{50};
constexpr Duration idle_after{1'000};       // a relay that is quiet for so long is between two requests
constexpr std::string_view end_of_head = "\r\n\r\n";

}  // namespace

// ---- the map

void EdgeMap::replace(View view) {
    const std::lock_guard lock(guard_);
    view_ = std::move(view);
}

void EdgeMap::apply(const FactRecord& record) {
    const std::lock_guard lock(guard_);
    if (view_) berth::apply(*view_, record);
}

std::optional<EdgeWay> EdgeMap::way(const WorkspaceId& workspace) const {
    const std::lock_guard lock(guard_);
    if (!view_) return std::nullopt;
    return way_to(*view_, workspace);
}

// ---- one browser

Relay::Relay(EdgeContext& context, tcp::socket browser)
    : context_(context),
      browser_(std::move(browser), context.tls),
      host_(browser_.get_executor()),
      moved_at_(context.clock.now()),
      deadline_(moved_at_ + context.policy.head_timeout),
      up_end_(browser_.get_executor()) {}

void Relay::start(std::function<void(const std::shared_ptr<Relay>&)> ended) {
    ended_ = std::move(ended);
    auto self = shared_from_this();
    net::co_spawn(
        browser_.get_executor(), [self]() -> net::awaitable<void> { co_await self->run(); },
        [self](const std::exception_ptr&) {
            self->cut();
            if (self->ended_) std::exchange(self->ended_, nullptr)(self);
        });
}

void Relay::cut() {
    if (dead_) return;
    dead_ = true;
    ErrorCode ignored;
    browser_.socket().close(ignored);
    host_.close(ignored);
}

bool Relay::is_idle() const { return !target_ || now() - moved_at_ >= idle_after; }

void Relay::look() {
    if (dead_) return;
    if (now() >= deadline_) return cut();
    if (!target_ || !workspace_) return;
    const auto way = context_.map.way(*workspace_);
    const auto* target = way ? std::get_if<EdgeTarget>(&*way) : nullptr;
    if (target && *target == *target_) return;
    log_info("relay.cut", {{"workspace", *workspace_}, {"was_on", target_->host}, {"is_on", target ? target->host.value : std::string{"nowhere"}}});
    cut();
}

net::awaitable<void> Relay::run() {
    if (context_.tls != nullptr) {
        ErrorCode error;
        co_await browser_.handshake(error);
        if (error) co_return;
    }
    auto head = co_await read_head();
    if (!head) co_return;
    const auto way = find_way(*head);
    const auto* target = std::get_if<EdgeTarget>(&way);
    auto answer = target ? std::string{} : std::get<std::string>(way);
    if (target) {
        const bool reached = co_await reach(*target, *head);
        if (dead_) co_return;
        if (reached) target_ = *target;
        else answer = answer_of({502, fmt::format("The host {} does not answer. What runs there may run on; try again in a moment.", target->host.value)});
    }
    if (target_) co_await relay();
    else co_await say(answer);
}

/// The way, or what is answered instead.
std::variant<EdgeTarget, std::string> Relay::find_way(const std::string& head) {
    const auto host = host_in_head(head);
    if (!host) return answer_of({400, "This is no request of HTTP/1.1 with one Host."});
    workspace_ = workspace_of(*host, context_.policy.apps_domain);
    if (!workspace_ && head.starts_with("GET /_berth/health ")) return health_answer();
    if (!workspace_) return answer_of({404, "This name is no workspace's."});
    const auto way = context_.map.way(*workspace_);
    if (!way) return answer_of({503, "This door has not heard of the ledger yet. Try again in a moment."});
    if (const auto* none = std::get_if<NoWay>(&*way)) return answer_of(*none);
    return std::get<EdgeTarget>(*way);
}

/// All that came up to the end of the first head, and whatever came with it.
net::awaitable<std::optional<std::string>> Relay::read_head() {
    std::string text;
    Chunks::Chunk chunk(context_.chunks);
    for (;;) {
        ErrorCode error;
        const auto got = co_await browser_.async_read_some(net::mutable_buffer(chunk.bytes(), chunk_bytes), net::redirect_error(net::use_awaitable, error));
        if (error) co_return std::nullopt;
        const auto from = text.size() > end_of_head.size() ? text.size() - end_of_head.size() : 0;
        text.append(chunk.bytes(), got);
        if (text.find(end_of_head, from) != std::string::npos) co_return text;
        if (text.size() <= context_.policy.head_bytes_max) continue;
        const auto too_long = answer_of({400, "The request is too long."});
        co_await say(too_long);
        co_return std::nullopt;
    }
}

net::awaitable<void> Relay::say(const std::string& text) {
    ErrorCode error;
    deadline_ = now() + context_.policy.head_timeout;
    co_await net::async_write(browser_, net::buffer(text), net::redirect_error(net::use_awaitable, error));
    if (!error) browser_.socket().shutdown(tcp::socket::shutdown_send, error);
}

net::awaitable<bool> Relay::reach(const EdgeTarget& target, const std::string& head) {
    ErrorCode error;
    const auto address = net::ip::make_address(target.address, error);
    if (error) co_return false;
    deadline_ = now() + context_.policy.connect_timeout;
    net::steady_timer late(browser_.get_executor());
    late.expires_after(context_.policy.connect_timeout);
    late.async_wait([this](const ErrorCode& cancelled) {
        ErrorCode ignored;
        if (!cancelled) host_.close(ignored);     // the browser still gets an answer
    });
    deadline_ = now() + 2 * context_.policy.connect_timeout;
    const tcp::endpoint at_host{address, target.port};
    co_await host_.async_connect(at_host, net::redirect_error(net::use_awaitable, error));
    late.cancel();
    if (error || dead_ || !host_.is_open()) co_return false;
    host_.set_option(tcp::no_delay(true), error);
    std::string first;
    if (context_.policy.proxy_protocol) {
        const auto from = browser_.socket().remote_endpoint(error), at = browser_.socket().local_endpoint(error);
        first = proxy_line(from.address().to_string(), from.port(), at.address().to_string(), at.port());
    }
    first += head;
    co_await net::async_write(host_, net::buffer(first), net::redirect_error(net::use_awaitable, error));
    moved_at_ = now();
    co_return !error;
}

net::awaitable<void> Relay::relay() {
    deadline_ = now() + context_.policy.silence_max;
    auto self = shared_from_this();
    up_running_ = true;
    net::co_spawn(
        browser_.get_executor(), [self]() -> net::awaitable<void> { co_await self->move(self->browser_, self->host_); },
        [self](const std::exception_ptr&) {
            ErrorCode ignored;
            self->up_running_ = false;
            if (!self->down_ended_ && self->host_.is_open()) self->host_.shutdown(tcp::socket::shutdown_send, ignored);
            self->up_end_.cancel();
        });
    co_await move(host_, browser_);
    down_ended_ = true;
    cut();                                        // HTTP has nothing to say to a host that has ended
    if (!up_running_) co_return;
    ErrorCode ended;
    up_end_.expires_at(net::steady_timer::time_point::max());
    co_await up_end_.async_wait(net::redirect_error(net::use_awaitable, ended));
}

/// Until one of the two ends.
template <class From, class To>
net::awaitable<void> Relay::move(From& from, To& to) {
    for (;;) {
        ErrorCode error;
        // Nothing is held while nothing comes.
        if constexpr (std::is_same_v<From, Wire>) co_await from.wait_readable(error);
        else co_await from.async_wait(tcp::socket::wait_read, net::redirect_error(net::use_awaitable, error));
        if (error) co_return;
        Chunks::Chunk chunk(context_.chunks);
        const auto got = co_await from.async_read_some(net::mutable_buffer(chunk.bytes(), chunk_bytes), net::redirect_error(net::use_awaitable, error));
        if (error || dead_) co_return;
        moved_at_ = now();
        deadline_ = moved_at_ + context_.policy.silence_max;
        co_await net::async_write(to, net::buffer(chunk.bytes(), got), net::redirect_error(net::use_awaitable, error));
        if (error) co_return;
    }
}

// ---- the process

Edge::Edge(EdgePolicy policy, const Clock& clock, const EdgeMap& map) : context_{.policy = std::move(policy), .clock = clock, .map = map} {}

Edge::~Edge() { relays_.clear(); }

Result<std::unique_ptr<Edge>> Edge::open(EdgePolicy policy, const Clock& clock, const EdgeMap& map) {
    std::unique_ptr<Edge> edge{new Edge(std::move(policy), clock, map)};
    std::signal(SIGPIPE, SIG_IGN);
    edge->context_.policy.apps_domain = to_lower(edge->context_.policy.apps_domain);
    TRY(edge->use_certificate());
    TRY(edge->listen());
    return edge;
}

Result<void> Edge::use_certificate() {
    const auto& ours = context_.policy;
    certificate_ = TRY(tls::Certificate::read({.section = "edge", .chain = ours.tls_certificate, .key = ours.tls_key, .name = "w-0." + ours.apps_domain,
                                               .served = "*." + ours.apps_domain + ", where workspaces answer"}, context_.clock.now()));
    if (certificate_) context_.tls = certificate_->context();
    return {};
}

Result<void> Edge::listen() {
    ErrorCode error;
    const auto& ours = context_.policy;
    const auto address = net::ip::make_address(ours.listen_address, error);
    if (error || ours.port > 65'535) return fail(ErrorKind::invalid, "edge.listen_address '{}' and edge.port {} are no place to listen at", ours.listen_address, ours.port);
    const tcp::endpoint at{address, static_cast<std::uint16_t>(ours.port)};
    acceptor_.open(at.protocol(), error);
    if (!error) acceptor_.set_option(net::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(at, error);
    if (!error) acceptor_.listen(listen_backlog, error);
    if (error) {
        const auto why = error == net::error::address_in_use ? fmt::format("it is held by {}", holder_of(at.port())) : error.message();
        return fail(ErrorKind::unavailable, "cannot listen at {} port {}: {}", ours.listen_address, ours.port, why);
    }
    port_ = acceptor_.local_endpoint(error).port();
    return {};
}

void Edge::run() {
    signals_.add(SIGTERM);
    signals_.add(SIGINT);
    signals_.async_wait([this](const ErrorCode& error, int) {
        if (!error) drain();
    });
    net::co_spawn(io_, [this]() -> net::awaitable<void> { co_await accept(); }, net::detached);
    net::co_spawn(io_, [this]() -> net::awaitable<void> { co_await look_again_and_again(); }, net::detached);
    io_.run();
}

net::awaitable<void> Edge::accept() {
    net::steady_timer pause(io_);
    for (;;) {
        ErrorCode error;
        auto socket = co_await acceptor_.async_accept(net::redirect_error(net::use_awaitable, error));
        if (draining_until_) co_return;
        if (error || relays_.size() >= context_.policy.connections_max) {
            if (error) log_warn("accept.failed", {{"why", error.message()}});
            pause.expires_after(accept_pause);
            co_await pause.async_wait(net::redirect_error(net::use_awaitable, error));
            continue;
        }
        socket.set_option(tcp::no_delay(true), error);
        socket.set_option(net::socket_base::keep_alive(true), error);
        auto relay = std::make_shared<Relay>(context_, std::move(socket));
        relays_.insert(relay);
        relay->start([this](const std::shared_ptr<Relay>& ended) {
            relays_.erase(ended);
            if (draining_until_ && relays_.empty()) io_.stop();
        });
    }
}

net::awaitable<void> Edge::look_again_and_again() {
    net::steady_timer timer(io_);
    for (;;) {
        ErrorCode error;
        timer.expires_after(context_.policy.recheck);
        co_await timer.async_wait(net::redirect_error(net::use_awaitable, error));
        if (error) co_return;
        const bool over = draining_until_ && context_.clock.now() >= *draining_until_;
        for (const auto& relay : std::set(relays_)) {
            relay->look();
            if (draining_until_ && (over || relay->is_idle())) relay->cut();
        }
        if (draining_until_ && (over || relays_.empty())) io_.stop();
        if (certificate_ && certificate_->look(context_.clock.now())) context_.tls = certificate_->context();
    }
}

/// No new ones. Who is between two requests is let go at once: another door, or our next life, takes them.
void Edge::drain() {
    draining_until_ = context_.clock.now() + context_.policy.drain_grace;
    ErrorCode ignored;
    acceptor_.close(ignored);
    log_info("draining", {{"open", relays_.size()}});
    if (relays_.empty()) io_.stop();
}

}  // namespace berth::proxy
