// SPDX-License-Identifier: Apache-2.0
// People and their browsers: signing in and out, who there is, and the way to a workspace from a bookmark.
#include <fmt/format.h>

#include <algorithm>

#include "gateway/asked.hpp"
#include "gateway/pages.hpp"

namespace berth::gateway {

namespace {

constexpr std::string_view html = "text/html; charset=utf-8";
constexpr unsigned look_again_s = 2;

Secure secure_of(const Asked& asked) { return is_secure(asked.request, asked.picture.policy.public_url) ? Secure::yes : Secure::no; }

HttpAnswer redirect(std::string to) {
    HttpAnswer answer{.status = 303, .type = std::string{html}};
    answer.headers.emplace_back("Location", std::move(to));
    return answer;
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '<') out += "&lt;";
        else if (c == '>') out += "&gt;";
        else if (c == '&') out += "&amp;";
        else if (c == '"') out += "&quot;";
        else out += c;
    }
    return out;
}

HttpAnswer message(unsigned status, std::string_view title, std::string_view text, std::string_view way, std::string_view way_text) {
    HttpAnswer answer{.status = status, .type = std::string{html}};
    answer.body = fmt::format("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
                              "<meta name=\"color-scheme\" content=\"light dark\"><title>{0}</title><link rel=\"stylesheet\" href=\"/dashboard/style.css\">\n"
                              "<main class=\"enter\"><h1>{0}</h1><p>{1}</p><p><a class=\"button\" href=\"{2}\">{3}</a></p></main></html>\n",
                              title, escaped(text), escaped(way), way_text);
    return answer;
}

std::optional<TokenRole> role_wanted(const Asked& asked) {
    const auto role = role_from(asked.body.text("role").value_or("user"));
    return role && *role != TokenRole::host ? role : std::nullopt;
}

Json session_shape(const Caller& caller, const std::optional<Instant>& expires_at) {
    Json shape = {{"signed_in", true}, {"role", role_word(caller.role)}, {"user", caller.user.value}};
    if (expires_at) shape["expires_at"] = json_of(*expires_at);
    return shape;
}

}  // namespace

HttpAnswer session_state(const Asked& asked) {
    const auto* entry = asked.picture.tokens.of_id(asked.caller.token_id);
    const bool nobody = asked.caller.token_id.empty() || asked.caller.is_host();
    auto shape = nobody ? Json{{"signed_in", false}} : session_shape(asked.caller, entry ? entry->expires_at : std::nullopt);
    if (const auto provider = provider_name(asked.picture.oidc); !provider.empty()) shape["provider"] = provider;
    return json_answer(shape);
}

Step sign_in(const Asked& asked) {
    const auto link = asked.body.text("link");
    const auto token = asked.body.text("token");
    if (link.has_value() == token.has_value()) return asked.bad_field("link", "or token has to be there, and not both");
    if (link) return SessionWish{SignInByLink{*link}, secure_of(asked), asked.dress()};
    const auto* entry = asked.picture.tokens.find(*token, asked.turn.now);
    if (!entry || entry->role == TokenRole::host) {
        return asked.refused({403, ErrorKind::denied, entry ? "a host's token only enrols machines" : "the token is not known or is over; it may be mistyped",
                              "token", Refusal::no_token});
    }
    return SessionWish{SignInByToken{entry->id}, secure_of(asked), asked.dress()};
}

Step sign_out(const Asked& asked) {
    const auto* entry = asked.picture.tokens.of_id(asked.caller.token_id);
    if (!entry || entry->kind != TokenKind::session) {
        return asked.refused(ErrorKind::conflict, "this request came with a token and not with a session; POST /v1/tokens/<id>/revoke ends a token");
    }
    return SessionWish{SignOut{entry->id}, secure_of(asked), asked.dress()};
}

Step invite_user(const Asked& asked) {
    if (const auto checked = check_name("user", asked.parameter); !checked) return asked.refused(problem_of(checked.error()));
    const auto role = role_wanted(asked);
    if (!role) return asked.bad_field("role", "is 'user' or 'operator'");
    const auto ttl = asked.body.duration("ttl_ms").value_or(asked.picture.policy.invite_ttl);
    if (ttl <= Duration{0}) return asked.bad_field("ttl_ms", "is over at once");
    TokenChange change{TokenWish{.role = *role, .user = UserId{asked.parameter}, .note = asked.body.text("note").value_or(""), .ttl = ttl,
                                 .kind = TokenKind::invite}, "", asked.dress()};
    change.dress.subject = url_of(asked);
    return change;
}

Step end_user(const Asked& asked) {
    if (const auto checked = check_name("user", asked.parameter); !checked) return asked.refused(problem_of(checked.error()));
    return SessionWish{EndUser{UserId{asked.parameter}}, secure_of(asked), asked.dress()};
}

std::map<UserId, Json> users_of(const Picture& picture, Instant now) {
    std::map<UserId, Json> users;
    const auto row_of = [&](const UserId& user) -> Json& {
        auto& row = users[user];
        if (row.is_null()) {
            row = {{"user", user.value}, {"roles", Json::array()}, {"tokens", 0}, {"sessions", 0}, {"links", 0}, {"workspaces", 0}, {"active", 0},
                   {"signed_in_at", nullptr}};
        }
        return row;
    };
    const auto count = [](Json& row, const char* name) { row[name] = row[name].get<int>() + 1; };
    for (const auto& entry : picture.tokens.entries()) {
        if (entry.role == TokenRole::host || picture.tokens.why_over(entry.id, now)) continue;
        auto& row = row_of(entry.user);
        const Json role = role_word(entry.role);
        if (auto& roles = row["roles"]; std::find(roles.begin(), roles.end(), role) == roles.end()) roles.push_back(role);
        count(row, entry.kind == TokenKind::session ? "sessions" : entry.kind == TokenKind::invite ? "links" : "tokens");
        if (entry.kind != TokenKind::session) continue;
        const auto at = json_of(entry.created_at);
        if (row["signed_in_at"].is_null() || row["signed_in_at"] < at) row["signed_in_at"] = at;
    }
    for (const auto& [id, workspace] : picture.view.workspaces) {
        if (workspace.state == WorkspaceState::destroyed) continue;
        auto& row = row_of(workspace.user);
        count(row, "workspaces");
        if (workspace.state == WorkspaceState::active) count(row, "active");
    }
    return users;
}

HttpAnswer answer_session(const Picture& picture, const SessionWish& wish, const Result<SessionOutcome>& outcome, const Turn& turn) {
    if (!outcome) {
        auto problem = problem_of(outcome.error());
        if (problem.kind == ErrorKind::denied) problem.refusal = Refusal::no_token;
        return refuse(problem, wish.dress.route->style, turn.request_id);
    }
    if (const auto* user = std::get_if<EndUser>(&wish.act)) return json_answer({{"user", user->user.value}, {"ended", outcome->ended}});
    if (!outcome->opened) {
        auto answer = json_answer({{"signed_in", false}});
        answer.headers.emplace_back("Set-Cookie", ended_session_cookie(wish.secure));
        return answer;
    }
    const auto& entry = outcome->opened->entry;
    auto answer = json_answer(session_shape({entry.role, entry.user, entry.id}, entry.expires_at));
    answer.headers.emplace_back("Set-Cookie", session_cookie(outcome->opened->plain, picture.policy.session_unused_max, wish.secure));
    return answer;
}

std::optional<Renewal> renewal_of(const Picture& picture, const HttpRequest& request, const Turn& turn) {
    const auto& url = picture.policy.public_url;
    const auto plain = session_of(request, url);
    const auto* session = plain.empty() ? nullptr : picture.tokens.find_session(plain, turn.now);
    if (!session || !request.header("authorization").empty()) return std::nullopt;
    const auto end = TokenTable::renewed_end(*session, session_terms(picture.policy), turn.now);
    if (!end) return std::nullopt;
    return Renewal{session->id, *end, session_cookie(plain, *end - turn.now, is_secure(request, url) ? Secure::yes : Secure::no)};
}

// ---- by an issuer

Step begin_oidc(const Asked& asked) {
    const auto to = way_on(asked.query.text("to").value_or(""));
    if (!is_visit(asked.request)) return message(403, "This address is for people", "It leads to the sign-in when it is opened as a page of its own.", "/sign-in", "Sign in");
    if (asked.picture.oidc.issuer.empty()) {
        return message(404, "There is no such sign-in here", "People come with a sign-in link: berth user invite makes one. ([oidc] is not set.)",
                       "/sign-in?to=" + to, "Sign in");
    }
    return OidcBegin{to, url_of(asked) + "/sign-in/oidc/done", secure_of(asked)};
}

Step end_oidc(const Asked& asked) {
    const auto text = [&](std::string_view name) { return asked.query.text(name).value_or(""); };
    if (asked.picture.oidc.issuer.empty()) return message(404, "There is no such sign-in here", "People come with a sign-in link. ([oidc] is not set.)", "/sign-in", "Sign in");
    if (!is_visit(asked.request) || text("state").empty()) {
        return message(400, "This is no way back from a sign-in", "Begin again.", "/sign-in", "Sign in");
    }
    return OidcEnd{{text("code"), text("state"), text("iss"), text("error"), text("error_description"), attempt_of(asked.request, asked.picture.policy.public_url)},
                   secure_of(asked)};
}

HttpAnswer answer_oidc_begin(const OidcBegin& wish, const Result<std::string>& url, const std::string& browser, Duration lifetime) {
    if (!url) return message(status_of(url.error().kind) == 403 ? 502 : 503, "You can not be signed in now", url.error().text, "/sign-in/oidc?to=" + wish.to, "Try again");
    auto answer = redirect(*url);
    answer.headers.emplace_back("Set-Cookie", attempt_cookie(browser, lifetime, wish.secure));
    return answer;
}

HttpAnswer answer_oidc_end(const Picture& picture, const OidcEnd& wish, const std::string& to, const Result<MintedToken>& session) {
    auto answer = session ? redirect(to) : message(status_of(session.error().kind), "You are not signed in", session.error().text, "/sign-in?to=" + to, "Try again");
    if (session) answer.headers.emplace_back("Set-Cookie", session_cookie(session->plain, picture.policy.session_unused_max, wish.secure));
    if (session) answer.headers.emplace_back("Set-Cookie", attempt_cookie("", Duration{0}, wish.secure));
    return answer;
}

// ---- the way to a workspace

Step open_workspace(const Asked& asked) {
    if (!is_visit(asked.request)) {
        return message(403, "This address is for people", "It leads to a workspace when it is opened as a page of its own.", "/dashboard", "To the dashboard");
    }
    if (!is_dns_label(asked.parameter)) return message(404, "No workspace is at this address", "It may be mistyped.", "/dashboard", "To the dashboard");
    if (asked.caller.token_id.empty() || asked.caller.is_host()) return redirect("/sign-in?to=/open/" + asked.parameter);
    if (!asked.picture.ever_followed) {
        auto answer = message(503, "berth is starting", "The ledger is not known yet. This page looks again by itself.", "", "Look again");
        answer.headers.emplace_back("Refresh", fmt::format("{}", look_again_s));
        return answer;
    }
    const auto& view = asked.picture.view;
    const auto at = view.workspaces.find(WorkspaceId{asked.parameter});
    if (at == view.workspaces.end() || !asked.caller.may_act_for(at->second.user)) {
        return message(404, "No workspace of yours is at this address",
                       fmt::format("You are signed in as {}. It may have been destroyed, or be somebody else's.", asked.caller.user.value),
                       "/sign-in?to=/open/" + asked.parameter, "Sign in as somebody else");
    }
    if (at->second.state == WorkspaceState::active) return asked.ask(LinkRequest{asked.target(), asked.caller.principal()});
    return page_answer(html, open_page());
}

// Without a link the page takes over: it says what is missing, and looks again.
HttpAnswer opened(const Result<Reply>& reply) {
    const auto* claim = reply ? std::get_if<ClaimReply>(&*reply) : nullptr;
    if (claim && !claim->link.empty()) return redirect(claim->link);
    return page_answer(html, open_page());
}

}  // namespace berth::gateway
