// SPDX-License-Identifier: Apache-2.0
#include "proxy/process.hpp"

#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <csignal>
#include <thread>

#include "base/diagnostics.hpp"
#include "proxy/names.hpp"
#include "proxy/port_holder.hpp"

namespace berth::proxy {

namespace {

constexpr Duration accept_pause{50};       // after accept failed: no descriptors, no memory
constexpr Duration listen_pause{20};
constexpr Duration last_moment{100};
constexpr Duration tell_period{60'000};
constexpr int keepalive_idle_s = 30;
constexpr int keepalive_every_s = 10;
constexpr int keepalive_tries = 6;
constexpr unsigned unsent_ms_max = 120'000;
constexpr std::uint32_t plain_ports_max = 1'000;

/// Two descriptors per connection, and room for the rest.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// A browser that vanished without a word is noticed by the kernel.
void notice_the_dead(tcp::socket& socket) {
    ErrorCode ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(net::socket_base::keep_alive(true), ignored);
    const int fd = socket.native_handle();
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_idle_s, sizeof keepalive_idle_s);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &keepalive_every_s, sizeof keepalive_every_s);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &keepalive_tries, sizeof keepalive_tries);
    ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unsent_ms_max, sizeof unsent_ms_max);
}

}  // namespace

Process::Process(Policy policy, const Clock& clock, LocalKv& kv, HostId host, const Place& place)
    : context_{.policy = std::move(policy),
               .clock = clock,
               .kv = kv,
               .host = std::move(host),
               .activity = Activity(kv),
               .links = Links(kv),
               .sessions = Sessions(context_.policy.session_lifetime)},
      place_(place),
      readable_at_(clock.now()),
      told_at_(clock.now()),
      sessions_kept_at_(clock.now()) {
    context_.sessions.read(place_.earlier_sessions());
    auto& ours = context_.policy;
    context_.inward = {.scheme = !ours.scheme.empty() ? ours.scheme : ours.tls_certificate.empty() ? "http" : "https",
                       .apps_domain = to_lower(ours.apps_domain),
                       .public_domain = to_lower(ours.public_domain),
                       .public_port = ours.public_port};
}

Process::~Process() {
    context_.links.finish();
    connections_.clear();
}

Result<std::unique_ptr<Process>> Process::open(Policy policy, const Clock& clock, LocalKv& kv, HostId host,
                                               const Place& place, const Listen& at) {
    std::unique_ptr<Process> process{new Process(std::move(policy), clock, kv, std::move(host), place)};
    TRY(process->check_policy());
    process->context_.trusted = TRY(Networks::parse(process->context_.policy.trusted_networks, "proxy.trusted_networks"));
    raise_descriptor_limit();
    std::signal(SIGPIPE, SIG_IGN);
    TRY(process->use_certificate());
    TRY(process->listen(at));
    TRY(process->listen_plainly(at));
    return process;
}

Result<void> Process::check_policy() {
    auto& ours = context_.policy;
    const auto& scheme = context_.inward.scheme;
    if (scheme != "http" && scheme != "https") {
        return fail(ErrorKind::invalid, "proxy.scheme is http or https, not '{}'", scheme);
    }
    if (ours.session_lifetime < link_lifetime || ours.session_lifetime > session_lifetime) {
        return fail(ErrorKind::invalid, "proxy.session_lifetime is {} to {}", to_text(link_lifetime),
                    to_text(session_lifetime));
    }
    while (ours.gateway_url.ends_with('/')) ours.gateway_url.pop_back();
    if (!ours.gateway_url.empty() && !is_plain_url(ours.gateway_url)) {
        return fail(ErrorKind::invalid, "proxy.gateway_url: '{}' is no address like https://berth.example.org",
                    ours.gateway_url);
    }
    return {};
}

Result<void> Process::use_certificate() {
    const auto& ours = context_.policy;
    const auto& here = context_.inward;
    const auto domain = here.public_domain.empty() ? here.apps_domain : here.public_domain;
    certificate_ = TRY(tls::Certificate::read({.section = "proxy", .chain = ours.tls_certificate, .key = ours.tls_key, .name = "w-0." + domain,
                                               .served = "*." + domain + ", where workspaces answer"}, context_.clock.now()));
    if (certificate_) context_.tls = certificate_->context();
    return {};
}

ErrorCode Process::try_listen(tcp::acceptor& acceptor, const tcp::endpoint& at) {
    ErrorCode error;
    if (acceptor.is_open()) acceptor.close(error);
    acceptor.open(at.protocol(), error);
    if (!error) acceptor.set_option(net::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(at, error);
    if (!error) acceptor.listen(listen_backlog, error);
    return error;
}

/// Waits a moment for an earlier life, or whoever else is just leaving.
ErrorCode Process::try_patiently(tcp::acceptor& acceptor, const tcp::endpoint& at) {
    const auto give_up = context_.clock.now() + context_.policy.port_patience;
    auto error = try_listen(acceptor, at);
    while (error == net::error::address_in_use && context_.clock.now() < give_up) {
        std::this_thread::sleep_for(listen_pause);
        error = try_listen(acceptor, at);
    }
    return error;
}

Result<void> Process::listen(const Listen& at) {
    ErrorCode error;
    const auto address = net::ip::make_address(at.address, error);
    if (error) return fail(ErrorKind::invalid, "'{}' is no address to listen at", at.address);
    auto ports = at.wished;
    ports.erase(std::remove(ports.begin(), ports.end(), 0), ports.end());
    ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
    const bool may_move = context_.policy.port_moves;
    if (may_move || ports.empty()) ports.push_back(0);
    for (std::size_t i = 0; i < ports.size(); ++i) {
        const auto port = ports[i];
        error = try_patiently(acceptor_, {address, port});
        if (!error) {
            port_ = acceptor_.local_endpoint(error).port();
            return {};
        }
        const bool taken = error == net::error::address_in_use;
        const auto why = taken ? fmt::format("port {} is held by {}", port, holder_of(port))
                               : fmt::format("cannot listen at {} port {}: {}", at.address, port, error.message());
        if (i + 1 == ports.size() || !may_move) {
            const auto* way_out = taken ? "; end it, or give the proxy another port" : "";
            return fail(ErrorKind::unavailable, "{}{}", why, way_out);
        }
        log_warn("port.taken", {{"port", port}, {"why", why + "; another is taken, and links carry that one"}});
    }
    return {};
}

/// For who has no DNS. Which port is which slot's stands in links, so none of them may move.
Result<void> Process::listen_plainly(const Listen& at) {
    const auto& ours = context_.policy;
    if (ours.plain_port_first == 0) return {};
    if (ours.plain_port_count == 0 || ours.plain_port_count > plain_ports_max || ours.plain_port_first + ours.plain_port_count > 65'536) {
        return fail(ErrorKind::invalid, "proxy.plain_port_first and plain_port_count (1 to {}) must lie within 1 to 65535", plain_ports_max);
    }
    ErrorCode error;
    const auto address = net::ip::make_address(at.address, error);
    for (std::uint32_t slot = 0; !error && slot < ours.plain_port_count; ++slot) {
        const auto port = static_cast<std::uint16_t>(ours.plain_port_first + slot);
        error = try_patiently(plain_.emplace_back(io_), {address, port});
        if (!error) continue;
        const auto why = error == net::error::address_in_use ? fmt::format("it is held by {}", holder_of(port)) : error.message();
        return fail(ErrorKind::unavailable, "cannot listen at {} port {}, of slot {}: {}; end that program, or set another plain_port_first", at.address,
                    port, slot, why);
    }
    return {};
}

void Process::run() {
    signals_.add(SIGTERM);
    signals_.add(SIGINT);
    signals_.async_wait([this](const ErrorCode& error, int) {
        if (!error) drain();
    });
    net::co_spawn(io_, [this]() -> net::awaitable<void> { co_await accept(acceptor_, std::nullopt); }, net::detached);
    for (std::uint32_t slot = 0; slot < plain_.size(); ++slot) {
        net::co_spawn(io_, [this, slot]() -> net::awaitable<void> { co_await accept(plain_[slot], slot); }, net::detached);
    }
    net::co_spawn(io_, [this]() -> net::awaitable<void> { co_await look_again_and_again(); }, net::detached);
    io_.run();
    context_.activity.finish();
    keep_sessions(Instant::max());
}

/// Once in sessions_period, and at the end: for the next life.
void Process::keep_sessions(Instant now) {
    if (now < sessions_kept_at_ + sessions_period) return;
    sessions_kept_at_ = now;
    context_.sessions.forget_ended(context_.clock.now());
    auto text = context_.sessions.text();
    if (text == sessions_kept_) return;
    place_.keep_sessions(text);
    sessions_kept_ = std::move(text);
}

net::awaitable<void> Process::accept(tcp::acceptor& acceptor, std::optional<std::uint32_t> slot) {
    net::steady_timer pause(io_);
    for (;;) {
        ErrorCode error;
        auto socket = co_await acceptor.async_accept(net::redirect_error(net::use_awaitable, error));
        if (context_.draining) co_return;
        if (error) {
            log_warn("accept.failed", {{"why", error.message()}});
            pause.expires_after(accept_pause);
            co_await pause.async_wait(net::redirect_error(net::use_awaitable, error));
            continue;
        }
        admit(std::move(socket), slot);
    }
}

void Process::admit(tcp::socket socket, std::optional<std::uint32_t> slot) {
    if (connections_.size() >= context_.policy.connections_max && !make_room()) {
        ++context_.counters.turned_away;
        return;
    }
    ++context_.counters.connections;
    notice_the_dead(socket);
    auto connection = std::make_shared<Connection>(context_, std::move(socket), slot);
    connections_.insert(connection);
    connection->start([this](const std::shared_ptr<Connection>& ended) {
        connections_.erase(ended);
        if (context_.draining && connections_.empty()) io_.stop();
    });
}

/// Whoever has waited longest without a request gives way.
bool Process::make_room() {
    std::shared_ptr<Connection> longest;
    for (const auto& connection : connections_) {
        const auto phase = connection->phase();
        if (phase != Phase::idle && phase != Phase::handshake && phase != Phase::head) continue;
        if (!longest || connection->idle_since() < longest->idle_since()) longest = connection;
    }
    if (!longest) return false;
    longest->cut();
    ++context_.counters.turned_away;
    return true;
}

net::awaitable<void> Process::look_again_and_again() {
    net::steady_timer timer(io_);
    for (;;) {
        ErrorCode error;
        timer.expires_after(context_.policy.recheck);
        co_await timer.async_wait(net::redirect_error(net::use_awaitable, error));
        if (error) co_return;
        look();
    }
}

/// Deadlines and rights of all that lives (I25): one reading of each route per look.
void Process::look() {
    const auto now = context_.clock.now();
    routes_.clear();
    for (const auto& connection : connections_) {
        if (connection->enforce_deadlines(now)) {
            ++context_.counters.timed_out;
        } else if (connection->abandoned()) {
            connection->cut();
        } else if (connection->session() && !may_go_on(*connection->session(), now)) {
            ++context_.counters.cut;
            log_info("connection.cut", {{"workspace", connection->session()->workspace},
                                        {"epoch", connection->session()->epoch}, {"was", connection->phase()}});
            connection->dismiss(CloseCode::not_allowed);
            connection->cut();
        } else if (connection->session()) {
            context_.sessions.use(connection->session()->id, now);
        }
    }
    keep_sessions(now);
    if (certificate_ && certificate_->look(now)) context_.tls = certificate_->context();
    context_.activity.flush(now);
    std::erase_if(context_.opened, [&](const auto& one) { return now - one.second > link_lifetime; });
    if (now - told_at_ >= tell_period && told_ != context_.counters) {
        const auto& count = context_.counters;
        log_info("counted", {{"open", connections_.size()},
                             {"connections", count.connections},
                             {"requests", count.requests},
                             {"refused", count.refused},
                             {"tunnels", count.tunnels},
                             {"cut", count.cut},
                             {"timed_out", count.timed_out},
                             {"turned_away", count.turned_away}});
        told_ = count;
        told_at_ = now;
    }
}

bool Process::may_go_on(const TokenClaims& session, Instant now) {
    auto known = routes_.find(session.workspace);
    if (known == routes_.end()) {
        const auto read = context_.kv.route(session.workspace);
        if (!read) {
            log_warn("memory.unreadable", {{"why", read.error().text}});
            return now - readable_at_ <= context_.policy.unreadable_max;
        }
        readable_at_ = now;
        known = routes_.emplace(session.workspace, *read).first;
    }
    const auto route = usable(known->second, context_.policy, now);
    return route && judge_claims(session_as_used(context_, session), *route, now);
}

/// No new ones; what is under way has the grace to end, and WebSockets are asked to come back.
void Process::drain() {
    context_.draining = true;
    ErrorCode ignored;
    acceptor_.close(ignored);
    for (auto& one : plain_) one.close(ignored);
    log_info("draining", {{"open", connections_.size()}});
    for (const auto& connection : connections_) {
        const auto phase = connection->phase();
        if (phase == Phase::idle || phase == Phase::handshake) connection->cut();
        if (phase == Phase::tunnel) connection->dismiss(CloseCode::restart);
    }
    net::co_spawn(io_, [this]() -> net::awaitable<void> { co_await end_after_grace(); }, net::detached);
}

net::awaitable<void> Process::end_after_grace() {
    if (!connections_.empty()) {
        net::steady_timer timer(io_);
        ErrorCode error;
        timer.expires_after(context_.policy.drain_grace);
        co_await timer.async_wait(net::redirect_error(net::use_awaitable, error));
        for (const auto& connection : connections_) connection->cut();
        timer.expires_after(last_moment);   // for what was cut to notice
        co_await timer.async_wait(net::redirect_error(net::use_awaitable, error));
    }
    io_.stop();
}

}  // namespace berth::proxy
