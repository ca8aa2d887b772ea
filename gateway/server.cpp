// SPDX-License-Identifier: Apache-2.0
#include "gateway/server.hpp"

#include <utility>  // before asio: 1.74 uses std::exchange without it

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <optional>
#include <thread>

#include "base/diagnostics.hpp"
#include "gateway/problem.hpp"
#include "gateway/target.hpp"
#include "gateway/two_readings.hpp"

namespace berth::gateway {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t read_size = 4096;
constexpr Duration accept_pause{100};     // when the system has no descriptor left
constexpr Duration linger_max{2'000};     // for a client to take the last answer
constexpr std::size_t line_ends_max = 8;      // before a request
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::size_t turned_away_max = 32;  // connections over the bound that are told so

}  // namespace

class Session;

struct Server::Inside {
    Policy policy;
    ServerHooks hooks;
    asio::io_context io{1};
    tcp::acceptor acceptor{io};
    asio::steady_timer pause{io};
    std::map<ClientId, std::shared_ptr<Session>> sessions;
    std::atomic<std::uint64_t> count{0};
    std::array<std::atomic<std::uint64_t>, enum_names(Refusal{}).size()> refused{};
    ClientId last_id = 0;
    std::thread thread;

    void accept();
    void take(tcp::socket socket);
    void remove(ClientId id);
};

class Session : public std::enable_shared_from_this<Session> {
public:
    Session(Server::Inside& server, ClientId id, tcp::socket socket)
        : server_(server), policy_(server.policy), id_(id), stream_(std::move(socket)) {
        boost::system::error_code error;
        const auto peer = stream_.socket().remote_endpoint(error);
        if (!error) remote_ = peer.address().to_string();
        stream_.socket().set_option(tcp::no_delay(true), error);
    }

    void read_next() {
        parser_.emplace();
        parser_->header_limit(policy_.header_bytes_max);
        parser_->body_limit(policy_.body_bytes_max);
        line_ends_ = 0;
        wait_for_request();
    }

    void turn_away() {
        refuse_with({503, ErrorKind::limit, fmt::format("{} connections are open already; try again", policy_.connections_max), "", Refusal::too_many});
    }

    void answer(HttpAnswer answer) {
        if (!asked_) return;
        asked_ = false;
        send(std::move(answer));
    }

    void begin_stream(HttpAnswer head) {
        if (!asked_) return;
        asked_ = false;
        streaming_ = true;
        head_.emplace();
        head_->version(11);
        head_->result(head.status);
        head_->set(http::field::content_type, head.type);
        for (const auto& [name, value] : head.headers) head_->set(name, value);
        head_->keep_alive(false);                 // the end of the connection is the end of the stream
        stream_.expires_never();
        watch_reader();
        head_serializer_.emplace(*head_);
        writing_ = true;
        stream_.expires_after(policy_.write_timeout);
        http::async_write_header(stream_, *head_serializer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
            self->writing_ = false;
            if (error) return self->close();
            self->write_queue();
        });
    }

    void push(std::string bytes, Tell tell) {
        if (!streaming_ || ending_) return;
        if (queued_ > policy_.stream_queue_bytes_max) {
            too_slow_ = true;
            queue_.clear();
            queued_ = 0;
            return end_stream("event: error\ndata: {\"text\":\"this reader was too slow and is cut; go on with Last-Event-ID\"}\n\n");
        }
        tell_ = tell_ || tell == Tell::when_drained;
        queued_ += bytes.size();
        queue_.push_back(std::move(bytes));
        write_queue();
    }

    void end_stream(std::string last) {
        if (!streaming_ || ending_) return;
        ending_ = true;
        queued_ += last.size();
        queue_.push_back(std::move(last));
        write_queue();
    }

    void close() {
        if (closed_) return;
        closed_ = true;
        deadline_.cancel();
        boost::system::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
        stream_.socket().close(ignored);
        if (asked_ || streaming_) server_.hooks.on_gone(id_, too_slow_);
        server_.remove(id_);
    }

private:
    void wait_for_request() {
        // Some clients end a body with one line end too many (RFC 9112, 2.2).
        const auto first = [&] { return static_cast<const char*>(buffer_.data().data())[0]; };
        while (buffer_.size() > 0 && line_ends_ < line_ends_max && (first() == '\r' || first() == '\n')) {
            buffer_.consume(1);
            ++line_ends_;
        }
        if (buffer_.size() > 0) return read_request();
        stream_.expires_after(policy_.idle_timeout);
        stream_.async_read_some(buffer_.prepare(read_size), [self = shared_from_this()](beast::error_code error, std::size_t got) {
            if (error) return self->close();
            self->buffer_.commit(got);
            self->wait_for_request();
        });
    }

    // A timer of our own: the stream's would close the socket, and the client would never hear why.
    void read_request() {
        stream_.expires_never();
        reading_ = true;
        late_ = false;
        deadline_.expires_after(policy_.read_timeout);
        deadline_.async_wait([self = shared_from_this(), read = ++reads_](beast::error_code stopped) {
            if (stopped || !self->reading_ || self->reads_ != read) return;
            self->late_ = true;
            boost::system::error_code ignored;
            self->stream_.socket().cancel(ignored);
        });
        http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (error || self->parser_->is_done()) return self->take(error);
            self->read_body();
        });
    }

    // Who asks whether the body is welcome is told so at once (RFC 9110, 10.1.1): others would wait for a second.
    void read_body() {
        const auto& head = parser_->get();
        const auto expects = lower({head[http::field::expect].data(), head[http::field::expect].size()});
        const auto read = [self = shared_from_this()](beast::error_code failed, std::size_t) {
            if (failed) return self->take(failed);
            http::async_read(self->stream_, self->buffer_, *self->parser_,
                             [self](beast::error_code error, std::size_t) { self->take(error); });
        };
        if (expects.empty() || head.version() < 11) return read({}, 0);
        if (expects == "100-continue") return asio::async_write(stream_, asio::buffer(go_on), read);
        reading_ = false;
        deadline_.cancel();
        keep_alive_ = false;
        refuse_with(417, "only 'Expect: 100-continue' is known here", Refusal::malformed);
    }

    void take(beast::error_code error) {
        reading_ = false;
        deadline_.cancel();
        keep_alive_ = false;
        if (error == http::error::end_of_stream) return close();
        if (error == http::error::body_limit) {
            return refuse_with(413, fmt::format("the body is over {} bytes", policy_.body_bytes_max), Refusal::too_large);
        }
        if (error == http::error::header_limit || error == http::error::buffer_overflow) {
            return refuse_with(431, fmt::format("the header is over {} bytes", policy_.header_bytes_max), Refusal::too_large);
        }
        if (error && late_) return refuse_with(408, "the request did not arrive in time", Refusal::too_slow);
        if (error && error.category() == http::make_error_code(http::error::bad_method).category()) {
            return refuse_with(400, "the request is no valid HTTP/1.1: " + error.message(), Refusal::malformed);
        }
        if (error) return close();
        auto& message = parser_->get();
        if (const auto problem = why_two_readings(message); !problem.empty()) return refuse_with(400, problem, Refusal::malformed);
        HttpRequest request{.method = std::string{message.method_string()}, .remote = remote_};
        const auto target = target_of({message.target().data(), message.target().size()}, request.method);
        const auto question = target.resource.find('?');
        request.path = target.resource.substr(0, question);
        if (question != std::string::npos) request.query = target.resource.substr(question + 1);
        for (const auto& field : message) {
            request.headers.emplace_back(lower({field.name_string().data(), field.name_string().size()}), std::string{field.value()});
        }
        if (request.headers.size() > policy_.headers_max) {
            return refuse_with(431, fmt::format("there are over {} headers", policy_.headers_max), Refusal::too_large);
        }
        request.body = std::move(message.body());
        head_only_ = message.method() == http::verb::head;
        keep_alive_ = message.keep_alive();
        asked_ = true;
        stream_.expires_never();                  // the core answers by its own deadline
        server_.hooks.on_request(id_, std::move(request));
    }

    void refuse_with(unsigned status, std::string text, Refusal refusal) {
        const auto kind = status == 408 ? ErrorKind::timeout : ErrorKind::invalid;
        refuse_with({status, kind, std::move(text), "", refusal});
    }
    void refuse_with(const Problem& problem) {
        ++server_.refused[static_cast<std::size_t>(problem.refusal)];
        auto answer = refuse(problem, Style::v1, "");
        answer.headers.emplace_back("X-Content-Type-Options", "nosniff");
        send(std::move(answer));
    }

    void send(HttpAnswer answer) {
        response_.emplace();
        response_->version(11);
        response_->result(answer.status);
        const bool has_body = answer.status != 204;
        if (has_body) response_->set(http::field::content_type, answer.type);
        for (const auto& [name, value] : answer.headers) response_->insert(name, value);
        response_->keep_alive(keep_alive_);
        const auto length = answer.body.size();
        if (!head_only_) response_->body() = std::move(answer.body);
        if (has_body) response_->content_length(length);
        stream_.expires_after(policy_.write_timeout);
        http::async_write(stream_, *response_, [self = shared_from_this()](beast::error_code error, std::size_t) {
            self->response_.reset();
            if (error) return self->close();
            if (self->keep_alive_) return self->read_next();
            self->linger();
        });
    }

    // Close after the peer had the chance to read: a close with unread bytes would reset the answer away.
    void linger() {
        boost::system::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
        stream_.expires_after(linger_max);
        drain();
    }
    void drain() {
        buffer_.consume(buffer_.size());
        drained_ += read_size;
        if (drained_ > 64 * read_size) return close();
        stream_.async_read_some(buffer_.prepare(read_size), [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (error) return self->close();
            self->drain();
        });
    }

    // A stream's reader has nothing to say: whatever comes is its end.
    void watch_reader() {
        buffer_.consume(buffer_.size());
        stream_.async_read_some(buffer_.prepare(read_size),
                                [self = shared_from_this()](beast::error_code, std::size_t) { self->close(); });
    }

    void write_queue() {
        if (writing_ || closed_) return;
        if (queue_.empty()) {
            if (ending_) return close();
            if (std::exchange(tell_, false)) server_.hooks.on_drained(id_);
            return;
        }
        sent_.clear();
        for (const auto& part : queue_) sent_ += part;
        queue_.clear();
        queued_ = 0;
        writing_ = true;
        stream_.expires_after(policy_.write_timeout);
        asio::async_write(stream_, asio::buffer(sent_), [self = shared_from_this()](beast::error_code error, std::size_t) {
            self->writing_ = false;
            if (error) return self->close();
            self->write_queue();
        });
    }

    Server::Inside& server_;
    const Policy& policy_;
    ClientId id_;
    beast::tcp_stream stream_;
    asio::steady_timer deadline_{stream_.get_executor()};
    beast::flat_buffer buffer_{64 * 1024 + 32 * 1024};
    std::optional<http::request_parser<http::string_body>> parser_;
    std::optional<http::response<http::string_body>> response_;
    std::optional<http::response<http::empty_body>> head_;
    std::optional<http::response_serializer<http::empty_body>> head_serializer_;
    std::string remote_;
    std::deque<std::string> queue_;
    std::string sent_;
    std::size_t queued_ = 0;
    std::size_t drained_ = 0;
    std::size_t line_ends_ = 0;
    std::uint64_t reads_ = 0;
    bool reading_ = false;
    bool late_ = false;
    bool asked_ = false;
    bool streaming_ = false;
    bool writing_ = false;
    bool ending_ = false;
    bool tell_ = false;
    bool too_slow_ = false;
    bool keep_alive_ = false;
    bool head_only_ = false;
    bool closed_ = false;
};

void Server::Inside::accept() {
    acceptor.async_accept([this](beast::error_code error, tcp::socket socket) {
        if (error == asio::error::operation_aborted) return;
        if (!error) {
            take(std::move(socket));
            return accept();
        }
        log_warn("http.accept", {{"why", error.message()}});
        pause.expires_after(accept_pause);
        pause.async_wait([this](beast::error_code stopped) {
            if (!stopped) accept();
        });
    });
}

void Server::Inside::take(tcp::socket socket) {
    const auto open = sessions.size();
    if (open >= policy.connections_max + turned_away_max) {
        ++refused[static_cast<std::size_t>(Refusal::too_many)];
        return;                                   // not even told so
    }
    const auto id = ++last_id;
    const auto session = std::make_shared<Session>(*this, id, std::move(socket));
    sessions.emplace(id, session);
    count = sessions.size();
    if (open >= policy.connections_max) return session->turn_away();
    session->read_next();
}

void Server::Inside::remove(ClientId id) {
    sessions.erase(id);
    count = sessions.size();
}

Server::Server(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}

Server::~Server() {
    auto& in = *inside_;
    if (in.thread.joinable()) {
        asio::post(in.io, [&in] {
            boost::system::error_code ignored;
            in.acceptor.close(ignored);
            in.pause.cancel();
            const auto sessions = in.sessions;
            for (const auto& [id, session] : sessions) session->close();
            in.io.stop();
        });
        in.thread.join();
    }
    in.sessions.clear();
}

Result<std::unique_ptr<Server>> Server::open(const Policy& policy, ServerHooks hooks) {
    auto inside = std::make_unique<Inside>();
    inside->policy = policy;
    inside->hooks = std::move(hooks);
    boost::system::error_code error;
    const auto address = asio::ip::make_address(policy.listen_address, error);
    if (error) return fail(ErrorKind::invalid, "gateway.listen_address '{}' is no IP address", policy.listen_address);
    if (policy.port > 65535) return fail(ErrorKind::invalid, "gateway.port {} is no port", policy.port);
    const tcp::endpoint endpoint{address, static_cast<std::uint16_t>(policy.port)};
    auto& acceptor = inside->acceptor;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
        return fail(error == asio::error::address_in_use ? ErrorKind::conflict : ErrorKind::unavailable,
                    "cannot listen on {} port {}: {}. Another program may hold it (`ss -ltnp`); choose one with gateway.port",
                    policy.listen_address, policy.port, error.message());
    }
    return std::unique_ptr<Server>{new Server(std::move(inside))};
}

std::uint16_t Server::port() const { return inside_->acceptor.local_endpoint().port(); }
std::uint64_t Server::connections() const { return inside_->count; }
std::uint64_t Server::refused(Refusal refusal) const { return inside_->refused[static_cast<std::size_t>(refusal)]; }

void Server::start() {
    inside_->accept();
    inside_->thread = std::thread([in = inside_.get()] { in->io.run(); });
}

// On the server's thread, for the connection if it is still there.
template <class Work>
void Server::post(ClientId client, Work work) {
    asio::post(inside_->io, [in = inside_.get(), client, work = std::move(work)]() mutable {
        const auto at = in->sessions.find(client);
        if (at == in->sessions.end()) return;
        const auto session = at->second;          // its work may remove it
        work(*session);
    });
}

void Server::answer(ClientId client, HttpAnswer answer) {
    post(client, [answer = std::move(answer)](Session& session) mutable { session.answer(std::move(answer)); });
}
void Server::begin_stream(ClientId client, HttpAnswer head) {
    post(client, [head = std::move(head)](Session& session) mutable { session.begin_stream(std::move(head)); });
}
void Server::push(ClientId client, std::string bytes, Tell tell) {
    post(client, [bytes = std::move(bytes), tell](Session& session) mutable { session.push(std::move(bytes), tell); });
}
void Server::end_stream(ClientId client, std::string last) {
    post(client, [last = std::move(last)](Session& session) mutable { session.end_stream(std::move(last)); });
}

}  // namespace berth::gateway
