// SPDX-License-Identifier: Apache-2.0
// The browser's side of a connection: TCP, or TLS over it. One type for both, so that nothing else
// has to know which it is. Models Asio's AsyncReadStream and AsyncWriteStream.
#pragma once

#include "proxy/net.hpp"

#include <boost/asio/ssl.hpp>
#include <memory>
#include <optional>

namespace berth::proxy {

class Wire {
public:
    using executor_type = tcp::socket::executor_type;

    /// `tls` is null for plain TCP.
    Wire(tcp::socket socket, std::shared_ptr<net::ssl::context> tls) : context_(std::move(tls)), socket_(std::move(socket)) {
        if (context_) tls_.emplace(socket_, *context_);
    }
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    executor_type get_executor() { return socket_.get_executor(); }
    tcp::socket& socket() { return socket_; }

    net::awaitable<void> handshake(ErrorCode& error) {
        if (tls_) {
            co_await tls_->async_handshake(net::ssl::stream_base::server,
                                           net::redirect_error(net::use_awaitable, error));
        }
    }
    /// Returns when there is probably something to read, without holding memory for it. TLS may have
    /// read ahead, so there it returns at once.
    net::awaitable<void> wait_readable(ErrorCode& error) {
        if (!tls_) {
            co_await socket_.async_wait(tcp::socket::wait_read,
                                        net::redirect_error(net::use_awaitable, error));
        }
    }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        if (tls_) return tls_->async_read_some(buffers, std::forward<Token>(token));
        return socket_.async_read_some(buffers, std::forward<Token>(token));
    }
    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        if (tls_) return tls_->async_write_some(buffers, std::forward<Token>(token));
        return socket_.async_write_some(buffers, std::forward<Token>(token));
    }

private:
    std::shared_ptr<net::ssl::context> context_;   // of the time when it was accepted
    tcp::socket socket_;
    std::optional<net::ssl::stream<tcp::socket&>> tls_;
};

}  // namespace berth::proxy
