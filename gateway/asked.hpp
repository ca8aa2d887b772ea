// SPDX-License-Identifier: Apache-2.0
// One checked request inside the core, and what the parts of the core answer it with.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/fields.hpp"
#include "gateway/json.hpp"
#include "gateway/step.hpp"

namespace berth::gateway {

/// One request on its way through the core.
struct Asked {
    const Picture& picture;
    const HttpRequest& request;
    const Turn& turn;
    const Route& route;
    const std::string& parameter;
    Caller caller;
    Fields query;
    Fields body;

    HttpAnswer refused(const Problem& problem) const { return refuse(problem, route.style, turn.request_id); }
    HttpAnswer refused(ErrorKind kind, std::string text) const { return refused(problem_of({kind, std::move(text)})); }
    HttpAnswer bad_field(std::string_view field, std::string_view text) const {
        return refused({422, ErrorKind::invalid, fmt::format("field '{}': {}", field, text), std::string{field}, Refusal::bad_field});
    }
    HttpAnswer bad_key(std::string text) const {
        return refused({400, ErrorKind::invalid, std::move(text), "Idempotency-Key", Refusal::bad_field});
    }
    HttpAnswer not_allowed(std::string text) const {
        return refused({403, ErrorKind::denied, std::move(text), "", Refusal::not_allowed});
    }
    Dress dress() const { return {.route = &route, .caller = caller, .parameter = parameter}; }
    Ask ask(Call call) const { return {std::move(call), picture.policy.request_timeout, dress()}; }
    std::string why() const {
        const auto given = body.text("why");
        return given && !given->empty() ? *given : fmt::format("{} asked for it", caller.user.value);
    }
    /// The workspace of the path; of a user only when it is theirs, which the allocator checks.
    WorkspaceRef target() const {
        WorkspaceRef ref{.workspace = WorkspaceId{parameter}};
        if (!caller.is_operator()) ref.user = caller.user;
        return ref;
    }
};

inline HttpAnswer json_answer(const Json& body, unsigned status = 200) { return {.status = status, .body = text_of(body) + "\n"}; }

inline HttpAnswer page_answer(std::string_view type, std::string_view body) {
    return {.type = std::string{type}, .body = std::string{body}};
}

// ---- enrol.cpp
Step mint_host_token(const Asked& asked);
Step enrol(const Asked& asked);
HttpAnswer enrolment(const Asked& asked);
Step foreign_agent(const Asked& asked);

/// The gateway's address as others reach it, or as it was asked.
std::string url_of(const Asked& asked);

// ---- people.cpp
HttpAnswer session_state(const Asked& asked);
Step sign_in(const Asked& asked);
Step sign_out(const Asked& asked);
Step invite_user(const Asked& asked);
Step end_user(const Asked& asked);
std::map<UserId, Json> users_of(const Picture& picture, Instant now);
Step begin_oidc(const Asked& asked);
Step begin_login(const Asked& asked);
Step take_login(const Asked& asked);
Step get_login(const Asked& asked);
Step answer_login(const Asked& asked);
Step end_oidc(const Asked& asked);
Step open_workspace(const Asked& asked);
HttpAnswer opened(const Result<Reply>& reply);

// ---- claims.cpp
Step claim(const Asked& asked);
Step compat_claim(const Asked& asked);
Step compat_project(const Asked& asked);

}  // namespace berth::gateway
