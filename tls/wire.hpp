// SPDX-License-Identifier: Apache-2.0
// The outer side of a connection: a socket, or TLS over it. One type for both, so that nothing else has to know
// which it is. Models Asio's AsyncReadStream and AsyncWriteStream.
#pragma once

#include <utility>  // before asio: 1.74 uses std::exchange without it

#include <boost/asio/ssl.hpp>
#include <optional>

#include "tls/certificate.hpp"

namespace berth::tls {

/// Socket: tcp::socket, or a stream over it.
template <class Socket>
class Wire {
public:
    using executor_type = typename Socket::executor_type;

    /// `context` is null for plain TCP.
    Wire(Socket socket, Context context) : context_(std::move(context)), socket_(std::move(socket)) {
        if (context_) tls_.emplace(socket_, *context_);
    }
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    executor_type get_executor() { return socket_.get_executor(); }
    Socket& lower() { return socket_; }
    bool is_secure() const { return tls_.has_value(); }
    /// The peer speaks plain text: so is it answered.
    void speak_plain() { tls_.reset(); }

    /// Only while is_secure().
    template <class Token>
    auto async_handshake(Token&& token) { return tls_->async_handshake(boost::asio::ssl::stream_base::server, std::forward<Token>(token)); }
    /// The first bytes were read already; the token hears how many of them it used.
    template <class Buffers, class Token>
    auto async_handshake(const Buffers& first, Token&& token) {
        return tls_->async_handshake(boost::asio::ssl::stream_base::server, first, std::forward<Token>(token));
    }
    /// Tells the peer that nothing more comes. Only while is_secure().
    template <class Token>
    auto async_shutdown(Token&& token) { return tls_->async_shutdown(std::forward<Token>(token)); }

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
    Context context_;                     // of the time when it was accepted
    Socket socket_;
    std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace berth::tls
