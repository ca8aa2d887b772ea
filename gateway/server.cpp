// SPDX-License-Identifier: Apache-2.0
#include "gateway/server.hpp"

#include <utility>  // before asio: 1.74 uses std::exchange without it

#include <boost/asio/io_context.hpp>

#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <thread>

#include "base/clock.hpp"
#include "base/diagnostics.hpp"
#include "gateway/connection.hpp"

namespace berth::gateway {

namespace {

constexpr Duration accept_pause{100};        // when the system has no descriptor left
constexpr std::size_t turned_away_max = 32;  // connections over the bound that are told so

}  // namespace

struct Server::Inside {
    Hall hall;
    asio::io_context io{1};
    tcp::acceptor acceptor{io};
    std::optional<tcp::acceptor> inner;           // plain, for this machine, beside an acceptor with TLS
    std::optional<tls::Certificate> certificate;
    std::map<ClientId, std::shared_ptr<Connection>> connections;
    std::atomic<std::uint64_t> count{0};
    std::array<std::atomic<std::uint64_t>, enum_names(Refusal{}).size()> refused{};
    ClientId last_id = 0;
    std::thread thread;

    void accept(tcp::acceptor& from);
    void take(tcp::socket socket, tls::Context with);
    void remove(ClientId id);
};

void Server::Inside::accept(tcp::acceptor& from) {
    from.async_accept([this, &from](beast::error_code error, tcp::socket socket) {
        if (error == asio::error::operation_aborted) return;
        if (!error) {
            const bool secure = certificate && &from == &acceptor;
            if (secure) certificate->look(RealClock{}.now());
            take(std::move(socket), secure ? certificate->context() : nullptr);
            return accept(from);
        }
        log_warn("http.accept", {{"why", error.message()}});
        const auto again = std::make_shared<asio::steady_timer>(io, accept_pause);
        again->async_wait([this, &from, again](beast::error_code stopped) {
            if (!stopped) accept(from);
        });
    });
}

void Server::Inside::take(tcp::socket socket, tls::Context with) {
    const auto open = connections.size();
    if (open >= hall.policy.connections_max + turned_away_max) {
        ++refused[static_cast<std::size_t>(Refusal::too_many)];
        return;                                   // not even told so
    }
    const auto id = ++last_id;
    const auto connection = std::make_shared<Connection>(hall, id, std::move(socket), std::move(with));
    connections.emplace(id, connection);
    count = connections.size();
    if (open >= hall.policy.connections_max) return connection->turn_away();
    connection->begin();
}

void Server::Inside::remove(ClientId id) {
    connections.erase(id);
    count = connections.size();
}

Server::Server(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}

Server::~Server() {
    auto& in = *inside_;
    if (in.thread.joinable()) {
        asio::post(in.io, [&in] {
            boost::system::error_code ignored;
            in.acceptor.close(ignored);
            if (in.inner) in.inner->close(ignored);
            const auto connections = in.connections;
            for (const auto& [id, connection] : connections) connection->close();
            in.io.stop();
        });
        in.thread.join();
    }
    in.connections.clear();
}

namespace {

std::string host_for_url(const std::string& address) {
    if (address == "0.0.0.0") return "127.0.0.1";
    if (address == "::") return "[::1]";
    return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

// "berth.example.org" of "https://berth.example.org:8443/"; empty when it is no https address.
std::string https_name(std::string_view url) {
    constexpr std::string_view scheme = "https://";
    if (!url.starts_with(scheme)) return {};
    url.remove_prefix(scheme.size());
    const auto host = url.substr(0, url.find('/'));
    if (host.starts_with('[')) return std::string{host.substr(1, host.find(']') - 1)};
    return std::string{host.substr(0, host.find(':'))};
}

Result<void> listen(tcp::acceptor& acceptor, const std::string& where, std::uint32_t port) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(where, error);
    if (error) return fail(ErrorKind::invalid, "gateway.listen_address '{}' is no IP address", where);
    if (port > 65535) return fail(ErrorKind::invalid, "gateway.port {} is no port", port);
    const tcp::endpoint endpoint{address, static_cast<std::uint16_t>(port)};
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (!error) return {};
    return fail(error == asio::error::address_in_use ? ErrorKind::conflict : ErrorKind::unavailable,
                "cannot listen on {} port {}: {}. Another program may hold it (`ss -ltnp`); choose one with gateway.port", where, port,
                error.message());
}

// Port 0 is any free one: the last one if it still is.
Result<void> listen(tcp::acceptor& acceptor, const std::string& where, std::uint32_t port, std::uint16_t last_port) {
    if (port == 0 && last_port != 0) {
        if (listen(acceptor, where, last_port)) return {};
        boost::system::error_code ignored;
        acceptor.close(ignored);
    }
    return listen(acceptor, where, port);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::open(const Policy& policy, std::uint16_t last_port, ServerHooks hooks) {
    auto inside = std::make_unique<Inside>();
    inside->hall = {policy, std::move(hooks), [in = inside.get()](Refusal refusal) { ++in->refused[static_cast<std::size_t>(refusal)]; },
                    [in = inside.get()](ClientId id) { in->remove(id); }};
    const bool is_secure = !policy.tls_certificate.empty() || !policy.tls_key.empty();
    TRY(listen(inside->acceptor, policy.listen_address, policy.port, is_secure ? std::uint16_t{0} : last_port));
    if (is_secure) {
        const auto name = https_name(policy.public_url);
        if (name.empty()) {
            return fail(ErrorKind::invalid, "gateway.tls_certificate needs gateway.public_url, the address that it is for, as https://berth.example.org");
        }
        inside->certificate = TRY(tls::Certificate::read({"gateway", policy.tls_certificate, policy.tls_key, name, {}}, RealClock{}.now()));
        TRY(listen(inside->inner.emplace(inside->io), "127.0.0.1", 0, last_port));
    }
    return std::unique_ptr<Server>{new Server(std::move(inside))};
}

std::uint16_t Server::port() const { return inside_->acceptor.local_endpoint().port(); }
std::string Server::inner_url() const {
    if (inside_->inner) return fmt::format("http://127.0.0.1:{}", inside_->inner->local_endpoint().port());
    return fmt::format("http://{}:{}", host_for_url(inside_->hall.policy.listen_address), port());
}
std::uint64_t Server::connections() const { return inside_->count; }
std::uint64_t Server::refused(Refusal refusal) const { return inside_->refused[static_cast<std::size_t>(refusal)]; }

void Server::start() {
    inside_->accept(inside_->acceptor);
    if (inside_->inner) inside_->accept(*inside_->inner);
    inside_->thread = std::thread([in = inside_.get()] { in->io.run(); });
}

// On the server's thread, for the connection if it is still there.
template <class Work>
void Server::post(ClientId client, Work work) {
    asio::post(inside_->io, [in = inside_.get(), client, work = std::move(work)]() mutable {
        const auto at = in->connections.find(client);
        if (at == in->connections.end()) return;
        const auto connection = at->second;          // its work may remove it
        work(*connection);
    });
}

void Server::answer(ClientId client, HttpAnswer answer) {
    post(client, [answer = std::move(answer)](Connection& connection) mutable { connection.answer(std::move(answer)); });
}
void Server::begin_stream(ClientId client, HttpAnswer head) {
    post(client, [head = std::move(head)](Connection& connection) mutable { connection.begin_stream(std::move(head)); });
}
void Server::push(ClientId client, std::string bytes, Tell tell) {
    post(client, [bytes = std::move(bytes), tell](Connection& connection) mutable { connection.push(std::move(bytes), tell); });
}
void Server::end_stream(ClientId client, std::string last) {
    post(client, [last = std::move(last)](Connection& connection) mutable { connection.end_stream(std::move(last)); });
}

}  // namespace berth::gateway
