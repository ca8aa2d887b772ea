// SPDX-License-Identifier: Apache-2.0
#include "gateway/problem.hpp"

#include <fmt/format.h>

#include "gateway/json.hpp"

namespace berth::gateway {

namespace {

std::string_view title_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::invalid: return "The request is malformed or out of bounds";
        case ErrorKind::denied: return "Not allowed";
        case ErrorKind::not_found: return "No such thing";
        case ErrorKind::conflict: return "It conflicts with what is there";
        case ErrorKind::no_capacity: return "Nothing is free now";
        case ErrorKind::unavailable: return "A part that is needed does not answer";
        case ErrorKind::timeout: return "Not done in time";
        case ErrorKind::fenced: return "Overtaken by a newer decision";
        case ErrorKind::corrupt: return "Stored bytes are damaged";
        case ErrorKind::limit: return "A stated bound was reached";
        case ErrorKind::internal: return "An unexpected failure";
    }
    return "An unexpected failure";
}

}  // namespace

unsigned status_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::invalid: return 422;
        case ErrorKind::denied: return 403;
        case ErrorKind::not_found: return 404;
        case ErrorKind::conflict:
        case ErrorKind::fenced: return 409;
        case ErrorKind::no_capacity:
        case ErrorKind::unavailable: return 503;
        case ErrorKind::timeout: return 504;
        case ErrorKind::limit: return 429;
        case ErrorKind::corrupt:
        case ErrorKind::internal: return 500;
    }
    return 500;
}

Problem problem_of(const Error& error) { return {status_of(error.kind), error.kind, error.text}; }

HttpAnswer refuse(const Problem& problem, Style style, const std::string& request_id) {
    HttpAnswer answer{.status = problem.status, .refusal = problem.refusal};
    Json body;
    if (style == Style::compat) {
        // The text that older clients compare with.
        const bool none_free = problem.kind == ErrorKind::no_capacity;
        body["error"] = none_free ? "No idle machine found" : problem.text;
        if (none_free) {
            answer.status = 404;
            body["reason"] = problem.text;
        }
    } else {
        answer.type = "application/problem+json";
        body = {{"type", fmt::format("urn:berth:problem:{}", to_string(problem.kind))},
                {"title", title_of(problem.kind)},
                {"status", problem.status},
                {"detail", problem.text},
                {"kind", to_string(problem.kind)}};
        if (!problem.field.empty()) body["field"] = problem.field;
        body["request_id"] = request_id;
    }
    answer.body = text_of(body) + "\n";
    if (problem.status == 401) answer.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"berth\"");
    if (answer.status == 503 || answer.status == 429) answer.headers.emplace_back("Retry-After", "2");
    return answer;
}

}  // namespace berth::gateway
