// SPDX-License-Identifier: Apache-2.0
// What two HTTP parsers, ours and a proxy's before it, could read in two ways is refused.
#pragma once

#include <utility>  // before asio: 1.74 uses std::exchange without it

#include <boost/beast/http.hpp>

#include <string>

#include "gateway/target.hpp"

namespace berth::gateway {

/// Why this request is refused; empty when there is one reading of it.
inline std::string why_two_readings(const boost::beast::http::request<boost::beast::http::string_body>& message) {
    namespace http = boost::beast::http;
    if (message.version() != 11 && message.version() != 10) return "only HTTP/1.1 and HTTP/1.0 are spoken here";
    const auto target = target_of({message.target().data(), message.target().size()}, {message.method_string().data(), message.method_string().size()});
    if (target.resource.empty()) return "the target is no path, and no URL of this server";
    const auto host = message[http::field::host];
    if (!target.authority.empty() && message.version() == 11 && target.authority != lower({host.data(), host.size()})) {
        return "the target names another host than Host does";
    }
    if (message.count(http::field::host) > 1) return "there is more than one Host";
    if (message.version() == 11 && message.count(http::field::host) == 0) return "there is no Host";
    if (message.count(http::field::content_length) > 1) return "there is more than one Content-Length";
    if (message.count(http::field::content_length) > 0 && message.count(http::field::transfer_encoding) > 0) {
        return "there are Content-Length and Transfer-Encoding";
    }
    if (message.count(http::field::authorization) > 1) return "there is more than one Authorization";
    return {};
}

}  // namespace berth::gateway
