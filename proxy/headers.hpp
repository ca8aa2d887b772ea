// SPDX-License-Identifier: Apache-2.0
// Which header fields pass the proxy. Towards the container: nothing that belongs to one connection,
// no credential of ours, and nothing by which a client could claim to be someone else. Towards the
// browser: nothing that belongs to one connection or would touch our cookie.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/net.hpp"

namespace berth::proxy {

struct Outside {
    std::string_view scheme;
    std::string_view host;       // the Host field as sent
    std::string_view path;       // origin form
    std::string_view cookies;    // those that go on
    bool websocket = false;
};

/// True when `name`, in any case and with '_' for '-', is never taken from a browser.
bool is_refused_request_field(std::string_view name);

std::vector<std::string_view> values_of(const http::fields& fields, std::string_view name);
/// True when the list field `name` holds `token`, in any case.
bool has_token(const http::fields& fields, std::string_view name, std::string_view token);
/// GET, version 1.1, "Upgrade: websocket" alone, no body.
bool is_websocket(const RequestHead& request, bool has_body);

RequestHead request_for_container(const RequestHead& from, const Outside& outside, bool chunked);

struct Framing {
    bool chunked = false;
    boost::optional<std::uint64_t> length;
    bool upgrade = false;        // a 101 to a WebSocket
};
ResponseHead response_for_browser(const ResponseHead& from, const Framing& framing);

}  // namespace berth::proxy
