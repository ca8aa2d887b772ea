// SPDX-License-Identifier: Apache-2.0
// Boost's networking under short names. <utility> stands first because Asio 1.74's awaitable.hpp
// uses std::exchange without including it.
//
// In a co_await expression never pass a temporary closure with captures or a temporary aggregate:
// g++ 12 destroys it twice. Name it first. Nor stands co_await in an operand of ?:, where g++ 12 may
// evaluate it although the other one is chosen.
#pragma once

#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/message.hpp>

namespace berth::proxy {

namespace net = boost::asio;
namespace http = boost::beast::http;
using tcp = net::ip::tcp;
using ErrorCode = boost::system::error_code;
using boost::beast::flat_buffer;

using RequestHead = http::request<http::buffer_body>;
using ResponseHead = http::response<http::buffer_body>;

}  // namespace berth::proxy
