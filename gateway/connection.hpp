// SPDX-License-Identifier: Apache-2.0
// One connection of the HTTP server, plain or with TLS: whole requests come in one after the other, and an answer or
// a stream of events goes out. Lives on the server's thread.
#pragma once

#include <utility>  // before asio: 1.74 uses std::exchange without it

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "gateway/problem.hpp"
#include "gateway/server.hpp"
#include "gateway/target.hpp"
#include "gateway/two_readings.hpp"
#include "tls/wire.hpp"

namespace berth::gateway {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

inline constexpr std::size_t read_size = 4096;
inline constexpr Duration linger_max{2'000};     // for a client to take the last answer
inline constexpr std::size_t line_ends_max = 8;      // before a request
inline constexpr char tls_begins = 0x16;             // the first byte of a handshake, and of no request
inline constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

/// What its connections share.
struct Hall {
    Policy policy;
    ServerHooks hooks;
    std::function<void(Refusal)> on_refused;
    std::function<void(ClientId)> on_closed;
};

class Connection : public std::enable_shared_from_this<Connection> {
public:
    /// `with` is null for plain TCP.
    Connection(const Hall& hall, ClientId id, tcp::socket socket, tls::Context with)
        : hall_(hall), policy_(hall.policy), id_(id), wire_(beast::tcp_stream{std::move(socket)}, std::move(with)) {
        boost::system::error_code error;
        const auto peer = stream_.socket().remote_endpoint(error);
        if (!error) remote_ = peer.address().to_string();
        stream_.socket().set_option(tcp::no_delay(true), error);
    }

    void begin() {
        if (!wire_.is_secure()) return read_next();
        stream_.expires_after(policy_.read_timeout);
        stream_.async_read_some(buffer_.prepare(read_size), [self = shared_from_this()](beast::error_code error, std::size_t got) {
            if (error) return self->close();
            self->buffer_.commit(got);
            self->shake_hands();
        });
    }

    void read_next() {
        parser_.emplace();
        parser_->header_limit(policy_.header_bytes_max);
        parser_->body_limit(policy_.body_bytes_max);
        line_ends_ = 0;
        wait_for_request();
    }

    void turn_away() {
        if (wire_.is_secure()) return close();        // a handshake costs more than an answer
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
        http::async_write_header(wire_, *head_serializer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
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
        if (asked_ || streaming_) hall_.hooks.on_gone(id_, too_slow_);
        hall_.on_closed(id_);
        if (!is_open_) return end();
        // Else its client would take a stream that ended well for one that was cut.
        boost::system::error_code ignored;
        stream_.socket().cancel(ignored);
        asio::post(stream_.get_executor(), [self = shared_from_this()] {
            self->stream_.expires_after(linger_max);
            self->wire_.async_shutdown([self](beast::error_code) { self->end(); });
        });
    }

private:
    // Who types http:// before this address is told so, in the words that it understands.
    void shake_hands() {
        if (static_cast<const char*>(buffer_.data().data())[0] != tls_begins) {
            wire_.speak_plain();
            return refuse_with(400, "this address speaks https alone: " + policy_.public_url, Refusal::malformed);
        }
        wire_.async_handshake(buffer_.data(), [self = shared_from_this()](beast::error_code failed, std::size_t used) {
            if (failed) return self->close();
            self->buffer_.consume(used);
            self->is_open_ = true;
            self->read_next();
        });
    }

    void wait_for_request() {
        // Some clients end a body with one line end too many (RFC 9112, 2.2).
        const auto first = [&] { return static_cast<const char*>(buffer_.data().data())[0]; };
        while (buffer_.size() > 0 && line_ends_ < line_ends_max && (first() == '\r' || first() == '\n')) {
            buffer_.consume(1);
            ++line_ends_;
        }
        if (buffer_.size() > 0) return read_request();
        stream_.expires_after(policy_.idle_timeout);
        wire_.async_read_some(buffer_.prepare(read_size), [self = shared_from_this()](beast::error_code error, std::size_t got) {
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
        http::async_read_header(wire_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, std::size_t) {
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
            http::async_read(self->wire_, self->buffer_, *self->parser_,
                             [self](beast::error_code error, std::size_t) { self->take(error); });
        };
        if (expects.empty() || head.version() < 11) return read({}, 0);
        if (expects == "100-continue") return asio::async_write(wire_, asio::buffer(go_on), read);
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
        hall_.hooks.on_request(id_, std::move(request));
    }

    void refuse_with(unsigned status, std::string text, Refusal refusal) {
        const auto kind = status == 408 ? ErrorKind::timeout : ErrorKind::invalid;
        refuse_with({status, kind, std::move(text), "", refusal});
    }
    void refuse_with(const Problem& problem) {
        hall_.on_refused(problem.refusal);
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
        http::async_write(wire_, *response_, [self = shared_from_this()](beast::error_code error, std::size_t) {
            self->response_.reset();
            if (error) return self->close();
            if (self->keep_alive_) return self->read_next();
            self->linger();
        });
    }

    void end() {
        boost::system::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
        stream_.socket().close(ignored);
    }

    // Close after the peer had the chance to read: a close with unread bytes would reset the answer away.
    void linger() {
        if (is_open_) return close();                 // its last word is TLS' own
        boost::system::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
        stream_.expires_after(linger_max);
        drain();
    }
    void drain() {
        buffer_.consume(buffer_.size());
        drained_ += read_size;
        if (drained_ > 64 * read_size) return close();
        wire_.async_read_some(buffer_.prepare(read_size), [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (error) return self->close();
            self->drain();
        });
    }

    // A stream's reader has nothing to say: whatever comes is its end.
    void watch_reader() {
        buffer_.consume(buffer_.size());
        wire_.async_read_some(buffer_.prepare(read_size),
                                [self = shared_from_this()](beast::error_code, std::size_t) { self->close(); });
    }

    void write_queue() {
        if (writing_ || closed_) return;
        if (queue_.empty()) {
            if (ending_) return close();
            if (std::exchange(tell_, false)) hall_.hooks.on_drained(id_);
            return;
        }
        sent_.clear();
        for (const auto& part : queue_) sent_ += part;
        queue_.clear();
        queued_ = 0;
        writing_ = true;
        stream_.expires_after(policy_.write_timeout);
        asio::async_write(wire_, asio::buffer(sent_), [self = shared_from_this()](beast::error_code error, std::size_t) {
            self->writing_ = false;
            if (error) return self->close();
            self->write_queue();
        });
    }

    const Hall& hall_;
    const Policy& policy_;
    ClientId id_;
    tls::Wire<beast::tcp_stream> wire_;
    beast::tcp_stream& stream_ = wire_.lower();       // times and ends; what is said goes by the wire
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
    bool is_open_ = false;                            // to TLS: the handshake is over
};

}  // namespace berth::gateway
