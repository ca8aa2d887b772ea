// SPDX-License-Identifier: Apache-2.0
// What a refusal looks like: RFC 9457 problem+json on /v1/, {"error": "…"} on the older routes. One
// list of kinds (base/error.hpp) for HTTP, the bus and exit codes.
#pragma once

#include <string>

#include "base/error.hpp"
#include "gateway/http.hpp"
#include "gateway/routes.hpp"

namespace berth::gateway {

struct Problem {
    unsigned status = 500;
    ErrorKind kind = ErrorKind::internal;
    std::string text;                     // what was tried, with which id, and what to do
    std::string field = {};               // of the body or query, when it is about one
    Refusal refusal = Refusal::none;
};

unsigned status_of(ErrorKind kind);
Problem problem_of(const Error& error);
HttpAnswer refuse(const Problem& problem, Style style, const std::string& request_id);

}  // namespace berth::gateway
