// SPDX-License-Identifier: Apache-2.0
// A WebSocket after its 101: raw bytes both ways, so that the frames, their compression and their
// order stay what the two ends made them. The browser's direction is read along for signs of use.
// A tunnel on which nothing moves holds no buffer.
#include "proxy/connection.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/write.hpp>
#include <exception>

#include "proxy/frames.hpp"
#include "proxy/names.hpp"

namespace berth::proxy {

namespace {

/// Tells of a WebSocket of the editor for as long as it is open.
class EditorTunnel {
public:
    EditorTunnel(Context& context, Target target, const WorkspaceId& workspace) : context_(context), workspace_(workspace) {
        if (target == Target::editor_socket) tunnel_ = context.activity.editor_opened(workspace, context.clock.now());
    }
    ~EditorTunnel() {
        if (tunnel_) context_.activity.editor_closed(workspace_, *tunnel_);
    }
    EditorTunnel(const EditorTunnel&) = delete;
    EditorTunnel& operator=(const EditorTunnel&) = delete;

    void spoke() const {
        if (tunnel_) context_.activity.editor_spoke(workspace_, *tunnel_, context_.clock.now());
    }

private:
    Context& context_;
    WorkspaceId workspace_;
    std::optional<Activity::TunnelId> tunnel_;
};

}  // namespace

net::awaitable<Connection::Attempt> Connection::upgrade() {
    const auto upgrade = values_of(answer_->get(), "Upgrade");
    if (upgrade.size() != 1 || to_lower(upgrade.front()) != "websocket") co_return Attempt::unanswered;
    const Framing framing{.upgrade = true};
    auto head = response_for_browser(answer_->get(), framing);
    if (!renewal_.empty()) head.insert(http::field::set_cookie, renewal_);
    http::response_serializer<http::buffer_body> writer{head};
    answer_begun_ = true;
    if (co_await write_to_browser(writer, WriteUpTo::head)) co_await tunnel();
    co_return Attempt::close;
}

net::awaitable<void> Connection::tunnel() {
    enter(Phase::tunnel);
    no_limits();
    ++context_.counters.tunnels;
    upload_running_ = true;
    auto self = shared_from_this();
    net::co_spawn(
        browser_.get_executor(), [self]() -> net::awaitable<void> { co_await self->tunnel_up(); },
        [self](const std::exception_ptr& failed) {
            self->upload_running_ = false;
            self->upload_end_.cancel();
            if (failed) self->cut();
        });

    ErrorCode error;
    if (from_container_.size() > 0) {
        writing_down_ = true;
        co_await net::async_write(browser_, from_container_.data(),
                                  net::redirect_error(net::use_awaitable, error));
        frames_down_.read({static_cast<const char*>(from_container_.data().data()), from_container_.size()});
        from_container_.consume(from_container_.size());
        writing_down_ = false;
    }
    from_container_.shrink_to_fit();
    if (from_browser_.size() == 0) from_browser_.shrink_to_fit();
    while (!error && !dead_) {
        if (farewell_ && say_farewell(*farewell_) == Farewell::said) farewell_.reset();
        co_await container_->async_wait(tcp::socket::wait_read, net::redirect_error(net::use_awaitable, error));
        if (error) break;
        Chunk chunk(context_.chunks);
        const auto read = co_await container_->async_read_some(net::mutable_buffer(chunk.bytes(), chunk_bytes),
                                                               net::redirect_error(net::use_awaitable, error));
        if (error) break;
        if (farewell_said_) continue;   // nothing follows a close
        limit_browser(context_.policy.body_stall_max);
        writing_down_ = true;
        co_await net::async_write(browser_, net::const_buffer(chunk.bytes(), read),
                                  net::redirect_error(net::use_awaitable, error));
        writing_down_ = false;
        browser_deadline_ = Instant::max();
        frames_down_.read({chunk.bytes(), read});
    }
    if (dead_) co_return;
    // The container has ended: the browser gets the time to read what was sent to it.
    ErrorCode ignored;
    browser_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    co_await wait_for_upload(context_.policy.half_open_max);
}

void Connection::dismiss(CloseCode why) {
    if (say_farewell(why) == Farewell::later) farewell_ = why;
}

/// Through TLS nothing can be said without waiting: there, the browser finds the connection closed.
Connection::Farewell Connection::say_farewell(CloseCode why) {
    if (dead_ || phase_ != Phase::tunnel || farewell_said_ || context_.tls != nullptr) return Farewell::never;
    if (writing_down_ || !frames_down_.between()) return Farewell::later;
    const auto code = static_cast<std::uint16_t>(why);
    const std::array<char, 4> frame{'\x88', 2, static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    const auto sent =
        ::send(browser_.socket().native_handle(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    farewell_said_ = true;
    if (sent != static_cast<ssize_t>(frame.size())) cut();   // a browser that takes nothing, or half a frame
    return Farewell::said;
}

net::awaitable<void> Connection::tunnel_up() {
    Frames frames_up;
    ErrorCode error;
    const EditorTunnel editor(context_, target_, container_route_.workspace);
    bool first = from_browser_.size() > 0;   // frames that came together with the request's head
    while (!error && !dead_) {
        if (!first) co_await browser_.wait_readable(error);
        if (error) break;
        Chunk chunk(context_.chunks);
        std::size_t got = 0;
        if (first) {
            got = std::min(from_browser_.size(), chunk_bytes);
            net::buffer_copy(net::mutable_buffer(chunk.bytes(), got), from_browser_.data());
            from_browser_.consume(got);
            first = from_browser_.size() > 0;
            if (!first) from_browser_.shrink_to_fit();
        } else {
            got = co_await browser_.async_read_some(net::mutable_buffer(chunk.bytes(), chunk_bytes),
                                                    net::redirect_error(net::use_awaitable, error));
        }
        if (error || dead_) break;
        editor.spoke();
        if (const auto used = frames_up.read({chunk.bytes(), got}); used > 0 && session_ && target_ != Target::editor_socket) {
            // What keeps a program's own socket alive comes in even steps; elsewhere each frame is somebody's.
            const auto sign = target_ == Target::program ? Sign::unless_it_repeats : Sign::always;
            context_.activity.weigh(session_->workspace, sign, fmt::format("{} {} bytes", asked_, used), now());
        }
        limit_container(context_.policy.body_stall_max);
        co_await net::async_write(*container_, net::const_buffer(chunk.bytes(), got),
                                  net::redirect_error(net::use_awaitable, error));
        container_deadline_ = Instant::max();
    }
    if (dead_) co_return;
    ErrorCode ignored;
    container_->shutdown(tcp::socket::shutdown_send, ignored);
    limit_container(context_.policy.half_open_max);
}

}  // namespace berth::proxy
