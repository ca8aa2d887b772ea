// SPDX-License-Identifier: Apache-2.0
// The browser's side of a connection, as coroutines use it.
#pragma once

#include "proxy/net.hpp"

#include "tls/wire.hpp"

namespace berth::proxy {

class Wire : public tls::Wire<tcp::socket> {
public:
    using tls::Wire<tcp::socket>::Wire;
    tcp::socket& socket() { return lower(); }

    net::awaitable<void> handshake(ErrorCode& error) {
        if (is_secure()) co_await async_handshake(net::redirect_error(net::use_awaitable, error));
    }
    /// Returns when there is probably something to read, without holding memory for it. TLS may have
    /// read ahead, so there it returns at once.
    net::awaitable<void> wait_readable(ErrorCode& error) {
        if (!is_secure()) co_await socket().async_wait(tcp::socket::wait_read, net::redirect_error(net::use_awaitable, error));
    }
};

}  // namespace berth::proxy
