// SPDX-License-Identifier: Apache-2.0
// One request through a container. Its body goes up in a coroutine of its own while the answer comes
// down in the connection's, so that either may begin, and end, before the other. In each direction
// the next bytes are read only after the last ones were written: that is all the back-pressure.
#include "proxy/connection.hpp"

#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/write.hpp>
#include <exception>

#include "base/diagnostics.hpp"
#include "base/rng.hpp"
#include "proxy/names.hpp"
#include "proxy/way.hpp"

namespace berth::proxy {

namespace {

/// Counts one request or tunnel of a workspace for as long as it stands.
class Counted {
public:
    Counted(std::map<WorkspaceId, std::uint32_t>& live, const WorkspaceId& workspace)
        : live_(live), at_(live.try_emplace(workspace, 0).first) {
        ++at_->second;
    }
    ~Counted() {
        if (--at_->second == 0) live_.erase(at_);
    }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

private:
    std::map<WorkspaceId, std::uint32_t>& live_;
    std::map<WorkspaceId, std::uint32_t>::iterator at_;
};

constexpr std::size_t answer_read_bytes = 16'384;   // at once, while its head is not whole

}  // namespace

net::awaitable<Connection::Next> Connection::forward(RouteRecord route, TokenClaims session, std::string path,
                                                     bool websocket) {
    const Counted counted(context_.live, route.workspace);
    context_.sessions.use(session.id, now());
    if (context_.sessions.is_old(session, now())) renewal_ = new_session(route, random_hex(session_id_bytes));
    session_ = std::move(session);
    enter(Phase::exchange);
    no_limits();
    ++context_.counters.requests;
    look_for_use(path, websocket);
    const auto method = request_->get().method();
    bool may_repeat = request_->is_done() && (method == http::verb::get || method == http::verb::head);
    for (;;) {
        const bool reused = container_is_there() && same_way(container_route_, route);
        if (!reused) {
            leave_container();
            container_route_ = route;
            if (!co_await reach(route)) {
                co_return co_await answer_refusal(container_late_ ? Refusal::container_silent
                                                                  : Refusal::container_refused);
            }
            // The way may have changed hands while it was reached: not a byte before another look (I25).
            const auto still = find_route(route.workspace);
            if (!still || !same_way(*still, route)) {
                co_return co_await answer_refusal(still ? Refusal::starting : still.error());
            }
        }
        const auto outcome = co_await attempt(path, websocket);
        if (outcome == Attempt::keep) co_return Next::keep;
        if (outcome == Attempt::close || dead_ || answer_begun_) co_return Next::close;
        leave_container();
        if (!(reused && may_repeat && !container_spoke_)) break;
        may_repeat = false;   // the container had only just closed a connection that was kept
    }
    co_return co_await answer_refusal(why_unanswered());
}

/// What the request will say of a person once it is answered.
void Connection::look_for_use(std::string_view path, bool websocket) {
    const auto& head = request_->get();
    target_ = target_of(path, websocket);
    const auto only = [&](std::string_view name) {
        const auto values = values_of(head, name);
        return values.size() == 1 ? values.front() : std::string_view{};
    };
    const auto method = std::string_view{head.method_string().data(), head.method_string().size()};
    sign_ = sign_of({.target = target_, .method = method, .fetch_mode = only("Sec-Fetch-Mode"), .fetch_user = only("Sec-Fetch-User"),
                     .prefetch = is_prefetch(only("Sec-Purpose"), "") || is_prefetch(only("Purpose"), "")});
    asked_ = fmt::format("{} {}", method, path.substr(0, path.find('?')));
}

Refusal Connection::why_unanswered() const {
    if (upload_malformed_) return Refusal::malformed;
    return container_late_ ? Refusal::container_silent : Refusal::container_broken;
}

/// A kept connection on which nothing has come and which the container has not closed.
bool Connection::container_is_there() {
    if (!container_ || !container_->is_open() || from_container_.size() > 0) return false;
    char byte = 0;
    const auto got = ::recv(container_->native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Connection::leave_container() {
    if (container_ && container_->is_open()) {
        ErrorCode ignored;
        container_->close(ignored);
    }
    container_deadline_ = Instant::max();
}

net::awaitable<bool> Connection::reach(const RouteRecord& route) {
    ErrorCode error;
    from_container_.consume(from_container_.size());
    container_.emplace(browser_.get_executor());
    const auto way = open_way(route);
    if (!way) {
        log_warn("container.unreachable", {{"workspace", route.workspace}, {"why", way.error().text}});
        co_return false;
    }
    limit_container(context_.policy.connect_timeout);
    co_await container_->async_connect(way->endpoint(), net::redirect_error(net::use_awaitable, error));
    container_deadline_ = Instant::max();
    if (error || dead_) co_return false;
    if (!has_socket(route)) {
        container_->set_option(tcp::no_delay(true), error);
        container_->set_option(net::socket_base::keep_alive(true), error);
    }
    co_return true;
}

net::awaitable<Connection::Attempt> Connection::attempt(const std::string& path, bool websocket) {
    if (!co_await send_head(path, websocket)) co_return Attempt::unanswered;
    if (!request_->is_done()) start_upload();
    for (int interim = 0; interim <= interim_answers_max; ++interim) {
        if (!co_await read_answer_head()) co_return Attempt::unanswered;
        const auto status = answer_->get().result_int();
        const bool final_one = status >= 200 || status == 101;
        if (final_one && !is_failure(status)) context_.activity.weigh(container_route_.workspace, sign_, asked_, now());
        if (status == 101) {
            if (!websocket) co_return Attempt::unanswered;
            co_return co_await upgrade();
        }
        if (status >= 200) co_return co_await relay_answer();
        if (request_->get().version() < 11) continue;
        const Framing none;
        auto head = response_for_browser(answer_->get(), none);
        http::response_serializer<http::buffer_body> writer{head};
        if (!co_await write_to_browser(writer, WriteUpTo::head)) co_return Attempt::close;
    }
    co_return Attempt::unanswered;
}

net::awaitable<bool> Connection::send_head(const std::string& path, bool websocket) {
    const Outside outside{.scheme = outward_.scheme, .host = outward_.host, .path = path,
                          .cookies = cookies_, .websocket = websocket};
    sender_.reset();
    sent_ = request_for_container(request_->get(), outside, request_->chunked());
    sent_->body().data = nullptr;
    sent_->body().size = 0;
    sent_->body().more = !request_->is_done();
    sender_.emplace(*sent_);
    ErrorCode error;
    limit_container(context_.policy.body_stall_max);
    co_await http::async_write_header(*container_, *sender_, net::redirect_error(net::use_awaitable, error));
    container_deadline_ = Instant::max();
    co_return !error && !dead_;
}

void Connection::start_upload() {
    upload_running_ = true;
    auto self = shared_from_this();
    net::co_spawn(
        browser_.get_executor(), [self]() -> net::awaitable<void> { co_await self->upload(); },
        [self](const std::exception_ptr& failed) {
            self->upload_running_ = false;
            self->upload_end_.cancel();
            if (failed) self->cut();
        });
}

/// The body of the request, chunk by chunk; what the container no longer takes is thrown away, up to
/// a bound, so that the browser can read the answer.
net::awaitable<void> Connection::upload() {
    bool taken = true;
    std::size_t thrown_away = 0;
    while (!dead_ && !request_->is_done()) {
        Chunk chunk(context_.chunks);
        ErrorCode error;
        const auto got = co_await take_body(chunk.bytes(), error);
        if (error) {
            // What was sent is not a whole request: the container must not take it for one.
            const bool malformed = error.category() == http::make_error_code(http::error::bad_chunk).category();
            upload_malformed_ = malformed;
            if (!malformed) {
                cut();
            } else {
                leave_container();
            }
            co_return;
        }
        if (session_ && sign_ != Sign::never) context_.activity.mark(session_->workspace, now());
        if (taken) {
            sent_->body().data = got > 0 ? chunk.bytes() : nullptr;
            sent_->body().size = got;
            sent_->body().more = !request_->is_done();
            limit_container(context_.policy.body_stall_max);
            co_await http::async_write(*container_, *sender_, net::redirect_error(net::use_awaitable, error));
            container_deadline_ = Instant::max();
            taken = !error || error == http::error::need_buffer;
        }
        if (!taken && (thrown_away += got) > linger_bytes_max) co_return;
    }
    if (!dead_ && !answer_begun_) limit_container(context_.policy.answer_timeout);
}

/// At least one byte of the body, or its end.
net::awaitable<std::size_t> Connection::take_body(char* to, ErrorCode& error) {
    auto& body = request_->get().body();
    body.data = to;
    body.size = chunk_bytes;
    for (;;) {
        if (from_browser_.size() > 0) {
            const auto used = request_->put(from_browser_.data(), error);
            from_browser_.consume(used);
            if (error == http::error::need_buffer || error == http::error::need_more) error = {};
            if (error) co_return 0;
        }
        if (body.size < chunk_bytes || request_->is_done()) break;
        const auto room = std::min(from_browser_.max_size() - from_browser_.size(), chunk_bytes);
        if (room == 0) {
            error = http::error::buffer_overflow;
            co_return 0;
        }
        limit_browser(context_.policy.body_stall_max);
        const auto space = from_browser_.prepare(room);
        const auto read =
            co_await browser_.async_read_some(space, net::redirect_error(net::use_awaitable, error));
        browser_deadline_ = Instant::max();
        if (error) co_return 0;
        from_browser_.commit(read);
    }
    co_return chunk_bytes - body.size;
}

net::awaitable<bool> Connection::read_answer_head() {
    answer_.emplace();
    answer_->header_limit(context_.policy.answer_head_bytes_max);
    answer_->body_limit(std::numeric_limits<std::uint64_t>::max());
    if (request_->get().method() == http::verb::head) answer_->skip(true);
    ErrorCode error;
    for (;;) {
        if (from_container_.size() > 0) {
            const auto used = answer_->put(from_container_.data(), error);
            from_container_.consume(used);
            if (answer_->is_header_done()) break;
            if (error && error != http::error::need_more) co_return false;
        }
        if (from_container_.size() > context_.policy.answer_head_bytes_max) co_return false;
        if (!upload_running_) limit_container(context_.policy.answer_timeout);
        const auto space = from_container_.prepare(answer_read_bytes);
        const auto read =
            co_await container_->async_read_some(space, net::redirect_error(net::use_awaitable, error));
        container_deadline_ = Instant::max();
        if (error || dead_) co_return false;
        container_spoke_ = true;
        from_container_.commit(read);
    }
    // Another coding than chunked would be taken off here and never put on again.
    const auto codings = values_of(answer_->get(), "Transfer-Encoding");
    co_return codings.empty() ||
        (codings.size() == 1 && to_lower(codings.front()) == "chunked" && answer_->chunked());
}

net::awaitable<Connection::Attempt> Connection::relay_answer() {
    const bool old_browser = request_->get().version() < 11;
    const bool has_body = !answer_->is_done();
    const bool to_end = has_body && answer_->need_eof();
    const Framing framing{.chunked = answer_->chunked() || (to_end && !old_browser),
                          .length = answer_->content_length()};
    auto head = response_for_browser(answer_->get(), framing);
    if (!renewal_.empty()) head.insert(http::field::set_cookie, renewal_);
    bool keep = !old_browser && request_->keep_alive() && !upload_running_ && !context_.draining;
    if (old_browser && framing.chunked) head.chunked(false);
    if (!keep) head.set(http::field::connection, "close");
    http::response_serializer<http::buffer_body> writer{head};
    answer_begun_ = true;
    bool whole = false;
    if (has_body) {
        whole = co_await relay_answer_body(head, writer);
    } else {
        whole = co_await write_to_browser(writer, WriteUpTo::head);
    }
    if (!whole || dead_) co_return Attempt::close;
    if (!answer_->keep_alive() || to_end || upload_running_) leave_container();
    if (!keep) co_await linger();
    co_return keep ? Attempt::keep : Attempt::close;
}

net::awaitable<bool> Connection::relay_answer_body(ResponseHead& head,
                                                   http::response_serializer<http::buffer_body>& writer) {
    answer_->eager(true);
    // A head on its own is flushed at once; one that came with bytes goes out together with them.
    if (from_container_.size() == 0) {
        const bool written = co_await write_to_browser(writer, WriteUpTo::head);
        if (!written) co_return false;
    }
    auto& body = answer_->get().body();
    while (!answer_->is_done()) {
        Chunk chunk(context_.chunks);
        ErrorCode error;
        body.data = chunk.bytes();
        body.size = chunk_bytes;
        for (;;) {
            if (from_container_.size() > 0) {
                const auto used = answer_->put(from_container_.data(), error);
                from_container_.consume(used);
                if (error && error != http::error::need_buffer && error != http::error::need_more) {
                    co_return false;
                }
            }
            if (body.size < chunk_bytes || answer_->is_done()) break;
            const auto room = std::min(from_container_.max_size() - from_container_.size(), chunk_bytes);
            if (room == 0) co_return false;
            if (!upload_running_) limit_container(context_.policy.silence_max);
            const auto space = from_container_.prepare(room);
            const auto read =
                co_await container_->async_read_some(space, net::redirect_error(net::use_awaitable, error));
            container_deadline_ = Instant::max();
            from_container_.commit(read);
            if (error == net::error::eof) {
                answer_->put_eof(error);
                if (error) co_return false;
                break;
            }
            if (error) co_return false;
        }
        const auto got = chunk_bytes - body.size;
        head.body().data = got > 0 ? chunk.bytes() : nullptr;
        head.body().size = got;
        head.body().more = !answer_->is_done();
        if (!co_await write_to_browser(writer, WriteUpTo::body)) co_return false;
    }
    co_return true;
}

net::awaitable<bool> Connection::write_to_browser(http::response_serializer<http::buffer_body>& writer,
                                                  WriteUpTo end) {
    ErrorCode error;
    if (!upload_running_) limit_browser(context_.policy.body_stall_max);
    if (end == WriteUpTo::head) {
        co_await http::async_write_header(browser_, writer, net::redirect_error(net::use_awaitable, error));
    } else {
        co_await http::async_write(browser_, writer, net::redirect_error(net::use_awaitable, error));
    }
    if (!upload_running_) browser_deadline_ = Instant::max();
    if (error == http::error::need_buffer) error = {};
    co_return !error && !dead_;
}

net::awaitable<void> Connection::wait_for_upload(Duration patience) {
    if (!upload_running_) co_return;
    ErrorCode cancelled;
    upload_end_.expires_after(patience);
    co_await upload_end_.async_wait(net::redirect_error(net::use_awaitable, cancelled));
}

}  // namespace berth::proxy
