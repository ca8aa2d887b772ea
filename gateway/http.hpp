// SPDX-License-Identifier: Apache-2.0
// A request and an answer as values: what the core sees of HTTP. server.cpp makes the one out of
// bytes and bytes out of the other.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/reflect.hpp"

namespace berth::gateway {

/// Why a request was turned away before anything was asked of the bus; counted in /metrics.
BERTH_ENUM(Refusal,
           none,           // it was not
           malformed,      // no HTTP/1.1, or one that two parsers could read in two ways
           too_large,      // body, header or query over its bound
           too_slow,       // it did not arrive in time
           too_many,       // connections or streams
           bad_json,       // no JSON object, or bad UTF-8
           too_deep,       // nested deeper than body_depth_max
           duplicate,      // a field is there twice
           unknown_field,
           bad_field,      // missing, of another type, out of bounds, a reserved word
           media_type,
           no_route,
           no_method,
           no_token,       // none, or one that is not known
           not_allowed,    // the token's role or user may not
           tricked)        // a cross-site request or a prefetch of a browser

struct HttpRequest {
    std::string method;
    std::string path;                     // as sent, not decoded
    std::string query;                    // without '?'
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string body;
    std::string remote;                   // address of the peer, without the port

    /// Of the first header of that lower-case name; empty when there is none.
    std::string_view header(std::string_view name) const {
        for (const auto& [key, value] : headers) {
            if (key == name) return value;
        }
        return {};
    }
};

struct HttpAnswer {
    unsigned status = 200;
    std::string type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers = {};
    Refusal refusal = Refusal::none;
};

}  // namespace berth::gateway
