// SPDX-License-Identifier: Apache-2.0
// Browsers that are signed in: for how long, by which cookie, and which of their requests are their user's own doing.
#include <gmock/gmock.h>

#include "gateway/session.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace berth::gateway::testing {
namespace {

using ::testing::HasSubstr;

const std::string session_text(64, 'e');
constexpr Duration hour{3'600'000};
const SessionTerms terms{12 * hour, 7 * 24 * hour, 3};

TokenEntry session(const char* id, const char* user, const std::string& plain) {
    return {.id = id, .user = UserId{user}, .hash = hash_of_token(plain), .kind = TokenKind::session};
}

Picture with_session(const char* user = "ada", TokenRole role = TokenRole::user) {
    auto picture = scene();
    auto entry = session("s-1", user, session_text);
    entry.role = role;
    EXPECT_TRUE(picture.tokens.open_session(entry, terms, turn.now));
    return picture;
}

using Headers = std::vector<std::pair<std::string, std::string>>;
HttpRequest by_cookie(std::string method, std::string path, Headers more = {}, std::string body = "") {
    auto request = ask(std::move(method), std::move(path), "", std::move(body));
    request.headers.emplace_back("cookie", "theme=dark; berth-_session=" + session_text + "; x");
    for (auto& header : more) request.headers.push_back(std::move(header));
    return request;
}

const Headers own_page{{"sec-fetch-site", "same-origin"}};
const Headers navigation{{"sec-fetch-site", "cross-site"}, {"sec-fetch-mode", "navigate"}, {"sec-fetch-dest", "document"}};

TEST(SessionTable, ends_unused_and_is_renewed_while_it_is_used_up_to_a_length) {
    TokenTable table;
    ASSERT_TRUE(table.open_session(session("s-1", "ada", session_text), terms, turn.now));
    EXPECT_NE(table.find_session(session_text, turn.now + 12 * hour - Duration{1}), nullptr);
    EXPECT_EQ(table.find_session(session_text, turn.now + 12 * hour), nullptr);

    auto now = turn.now;
    int renewals = 0;
    for (const auto end = turn.now + 8 * 24 * hour; now < end; now += hour) {
        const auto* found = table.find_session(session_text, now);
        if (!found) break;
        if (const auto later = TokenTable::renewed_end(*found, terms, now)) {
            ASSERT_TRUE(table.renew("s-1", *later));
            ++renewals;
        }
    }
    EXPECT_GE(now, turn.now + terms.length_max - hour);
    EXPECT_LE(now, turn.now + terms.length_max);
    EXPECT_LT(renewals, 40) << "each is written to disk";
}

TEST(SessionTable, a_cookie_is_no_token_and_a_token_no_cookie) {
    const auto picture = with_session();
    EXPECT_EQ(picture.tokens.find(session_text, turn.now), nullptr);
    EXPECT_EQ(picture.tokens.find_session(ada_token, turn.now), nullptr);
    EXPECT_EQ(status_of_step(step(picture, ask("GET", "/v1/me", session_text), turn)), 401U);
}

TEST(SessionTable, a_link_works_once_and_in_its_time) {
    TokenTable table;
    const auto invite = [&](const char* id, const std::string& plain) {
        return TokenEntry{.id = id, .user = UserId{"ada"}, .hash = hash_of_token(plain), .expires_at = turn.now + hour, .kind = TokenKind::invite};
    };
    ASSERT_TRUE(table.add(invite("i-1", "ada:one")));
    ASSERT_TRUE(table.add(invite("i-2", "ada:two")));
    EXPECT_EQ(table.find("ada:one", turn.now), nullptr);
    EXPECT_EQ(table.find_session("ada:one", turn.now), nullptr);
    EXPECT_EQ(table.spend_invite("eve:one", turn.now).error().kind, ErrorKind::denied) << "the name is part of it";
    EXPECT_EQ(table.spend_invite("ada:one", turn.now)->user, UserId{"ada"});
    EXPECT_THAT(table.spend_invite("ada:one", turn.now).error().text, HasSubstr("used before"));
    EXPECT_THAT(table.spend_invite("ada:two", turn.now + hour).error().text, HasSubstr("over since"));
}

TEST(SessionTable, of_too_many_browsers_the_one_that_ends_first_gives_way) {
    TokenTable table;
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(table.open_session(session(("s-" + std::to_string(i)).c_str(), "ada", std::to_string(i)), terms, turn.now + i * hour));
    }
    ASSERT_TRUE(table.open_session(session("s-bob", "bob", "b"), terms, turn.now));
    EXPECT_EQ(table.entries().size(), 4U);
    EXPECT_EQ(table.of_id("s-1"), nullptr);
    EXPECT_NE(table.of_id("s-2"), nullptr);
}

TEST(SessionTable, a_session_ends_with_the_token_it_came_from_and_with_its_user) {
    auto picture = scene();
    auto of_token = session("s-1", "ada", session_text);
    of_token.parent = "t-2";
    ASSERT_TRUE(picture.tokens.open_session(of_token, terms, turn.now));
    ASSERT_NE(picture.tokens.find_session(session_text, turn.now), nullptr);
    auto& table = picture.tokens;
    ASSERT_TRUE(table.remove("t-2"));
    EXPECT_EQ(table.find_session(session_text, turn.now), nullptr);
    EXPECT_EQ(table.why_over("s-1", turn.now), "the token was revoked");
    EXPECT_EQ(table.remove_of(UserId{"ada"}), 1U);
    EXPECT_EQ(table.why_over("s-1", turn.now), "you are signed out");
    EXPECT_NE(table.find(bob_token, turn.now), nullptr);
}

TEST(SessionTable, is_kept_with_all_that_it_says) {
    auto picture = with_session();
    auto invite = TokenEntry{.id = "i-1", .user = UserId{"eve"}, .hash = hash_of_token("eve:x"), .expires_at = turn.now + hour, .kind = TokenKind::invite};
    ASSERT_TRUE(picture.tokens.add(invite));
    const auto again = TokenTable::parse(picture.tokens.to_json());
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->entries(), picture.tokens.entries());
    EXPECT_EQ(picture.tokens.to_json().find(session_text), std::string::npos);
}

TEST(SessionCookie, is_what_a_browser_keeps_for_this_address_alone) {
    EXPECT_EQ(session_cookie("abc", hour, Secure::yes), "__Host-berth-_session=abc; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure");
    EXPECT_EQ(session_cookie("abc", hour, Secure::no), "berth-_session=abc; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax");
    EXPECT_THAT(ended_session_cookie(Secure::yes), HasSubstr("Max-Age=0"));
}

TEST(SessionCookie, over_https_only_the_one_that_no_neighbour_can_set_counts) {
    const std::string url = "https://berth.example.org";
    auto request = by_cookie("GET", "/v1/me");
    EXPECT_EQ(session_of(request, ""), session_text);
    EXPECT_EQ(session_of(request, url), session_text) << "this machine's own way, over loopback";
    request.headers.front().second = "berth.example.org";
    EXPECT_EQ(session_of(request, url), "");
    request.headers.emplace_back("cookie", "__Host-berth-_session=safe");
    EXPECT_EQ(session_of(request, url), "safe");
    request.headers.front().second = "127.0.0.1:9092";   // as some front proxies rewrite it
    request.headers.emplace_back("x-forwarded-proto", "https");
    EXPECT_EQ(session_of(request, url), "safe");
}

TEST(SessionUse, reads_the_api_as_its_user) {
    const auto picture = with_session();
    for (const auto& headers : {Headers{}, own_page, Headers{{"sec-fetch-site", "none"}}}) {
        const auto me = step(picture, by_cookie("GET", "/v1/me", headers), turn);
        ASSERT_EQ(status_of_step(me), 200U);
        EXPECT_THAT(std::get<HttpAnswer>(me).body, HasSubstr("\"ada\""));
    }
    for (const char* site : {"same-site", "cross-site"}) {
        EXPECT_EQ(status_of_step(step(picture, by_cookie("GET", "/v1/events", {{"sec-fetch-site", site}}), turn)), 403U) << "a neighbour's page";
    }
    EXPECT_EQ(status_of_step(step(picture, by_cookie("GET", "/v1/hosts"), turn)), 403U);
    EXPECT_EQ(status_of_step(step(with_session("ops", TokenRole::operations), by_cookie("GET", "/v1/hosts"), turn)), 200U);
}

TEST(SessionUse, a_change_has_to_come_from_our_own_page) {
    const auto picture = with_session();
    const auto stop = [&](const Headers& headers) { return status_of_step(step(picture, by_cookie("POST", "/v1/workspaces/w-1/stop", headers, "{}"), turn)); };
    EXPECT_EQ(stop(own_page), 0U);
    EXPECT_EQ(stop({{"origin", "http://127.0.0.1:9092"}}), 0U) << "a browser without Sec-Fetch-Site";
    EXPECT_EQ(stop({}), 403U) << "nothing says where it comes from";
    EXPECT_EQ(stop({{"sec-fetch-site", "none"}}), 403U);
    EXPECT_EQ(stop({{"sec-fetch-site", "same-site"}}), 403U) << "a workspace beside the gateway";
    EXPECT_EQ(stop({{"sec-fetch-site", "cross-site"}}), 403U);
    EXPECT_EQ(stop({{"origin", "http://127.0.0.1:8080"}}), 403U) << "another port of this machine";
    EXPECT_EQ(stop({{"origin", "null"}}), 403U);
    EXPECT_EQ(stop({{"sec-fetch-site", "same-origin"}, {"origin", "https://evil.example"}}), 403U);
}

TEST(SessionUse, older_routes_know_no_cookie) {
    EXPECT_EQ(status_of_step(step(with_session(), by_cookie("GET", "/web", own_page), turn)), 401U);
    EXPECT_EQ(status_of_step(step(with_session(), by_cookie("POST", "/release", own_page, R"({"userId":"ada"})"), turn)), 401U);
}

TEST(SessionUse, is_renewed_with_its_cookie_when_half_of_its_time_is_over) {
    auto picture = with_session();
    EXPECT_FALSE(renewal_of(picture, by_cookie("GET", "/v1/me"), turn));
    const Turn later{turn.now + 7 * hour, "r-2"};
    const auto renewal = renewal_of(picture, by_cookie("GET", "/v1/me"), later);
    ASSERT_TRUE(renewal);
    EXPECT_EQ(renewal->session, "s-1");
    EXPECT_EQ(renewal->end, later.now + 12 * hour);
    EXPECT_THAT(renewal->cookie, HasSubstr("Max-Age=43200"));
    EXPECT_FALSE(renewal_of(picture, by_cookie("GET", "/v1/me"), {turn.now + 12 * hour, "r-3"})) << "over is over";
}

TEST(SignIn, by_a_link_or_a_token_and_by_nothing_else) {
    const auto picture = scene();
    const auto sign_in = [&](const std::string& body) { return step(picture, ask("POST", "/v1/session", "", body), turn); };
    const auto by_link = sign_in(R"({"link":"ada:x"})");
    ASSERT_TRUE(std::holds_alternative<SessionWish>(by_link));
    EXPECT_EQ(std::get<SignInByLink>(std::get<SessionWish>(by_link).act).link, "ada:x");
    const auto by_token = sign_in(R"({"token":")" + ada_token + "\"}");
    ASSERT_TRUE(std::holds_alternative<SessionWish>(by_token));
    EXPECT_EQ(std::get<SignInByToken>(std::get<SessionWish>(by_token).act).token_id, "t-2");
    EXPECT_EQ(status_of_step(sign_in(R"({"token":")" + unknown_token + "\"}")), 403U);
    EXPECT_EQ(status_of_step(sign_in("{}")), 422U);
    EXPECT_EQ(status_of_step(sign_in(R"({"link":"x","token":"y"})")), 422U);
    auto foreign = ask("POST", "/v1/session", "", R"({"link":"mallory:x"})");
    foreign.headers.emplace_back("origin", "https://evil.example");
    EXPECT_EQ(status_of_step(step(picture, foreign, turn)), 403U) << "no page of another signs a visitor in";
}

TEST(SignIn, signing_out_ends_the_session_and_no_token) {
    const auto picture = with_session();
    const auto out = step(picture, by_cookie("POST", "/v1/session/end", own_page, "{}"), turn);
    ASSERT_TRUE(std::holds_alternative<SessionWish>(out));
    EXPECT_EQ(std::get<SignOut>(std::get<SessionWish>(out).act).session, "s-1");
    const auto answer = answer_session(picture, std::get<SessionWish>(out), SessionOutcome{}, turn);
    EXPECT_THAT(answer.headers.front().second, HasSubstr("Max-Age=0"));
    EXPECT_EQ(status_of_step(step(picture, ask("POST", "/v1/session/end", ada_token, "{}"), turn)), 409U);
}

TEST(SignIn, an_operator_invites_and_sees_who_there_is) {
    auto picture = with_session();
    const auto invited = step(picture, ask("POST", "/v1/users/eve/invite", operator_token, R"({"ttl_ms":60000})"), turn);
    ASSERT_TRUE(std::holds_alternative<TokenChange>(invited));
    const auto& wish = *std::get<TokenChange>(invited).mint;
    EXPECT_EQ(wish.kind, TokenKind::invite);
    EXPECT_EQ(wish.user, UserId{"eve"});
    EXPECT_EQ(wish.role, TokenRole::user);
    EXPECT_EQ(status_of_step(step(picture, ask("POST", "/v1/users/eve/invite", operator_token, R"({"role":"host"})"), turn)), 422U);
    EXPECT_EQ(status_of_step(step(picture, ask("POST", "/v1/users/.eve/invite", operator_token, "{}"), turn)), 422U);
    const auto users = step(picture, ask("GET", "/v1/users", operator_token), turn);
    const auto& body = std::get<HttpAnswer>(users).body;
    EXPECT_THAT(body, HasSubstr(R"({"user":"ada","roles":["user"],"tokens":1,"sessions":1,"links":0,"workspaces":1,"active":0)"));
}

TEST(Open, leads_to_the_sign_in_to_the_workspace_or_to_its_page) {
    auto picture = with_session();
    const auto open = [&](const HttpRequest& request) { return step(picture, request, turn); };
    const auto stranger = open(ask("GET", "/open/w-1"));
    ASSERT_EQ(status_of_step(stranger), 303U);
    EXPECT_EQ(std::get<HttpAnswer>(stranger).headers.front().second, "/sign-in?to=/open/w-1");
    const auto stopped = open(by_cookie("GET", "/open/w-1", navigation));
    ASSERT_EQ(status_of_step(stopped), 200U);
    EXPECT_THAT(std::get<HttpAnswer>(stopped).body, HasSubstr("open.js"));
    picture.view.workspaces.at(WorkspaceId{"w-1"}).state = WorkspaceState::active;
    const auto active = open(by_cookie("GET", "/open/w-1", navigation));
    ASSERT_TRUE(std::holds_alternative<Ask>(active)) << "a person who follows a link from elsewhere";
    const auto& asked = std::get<LinkRequest>(std::get<Ask>(active).call);
    EXPECT_EQ(asked.target.user, UserId{"ada"});
    const auto& dress = std::get<Ask>(active).dress;
    const auto led = answer(picture, dress, Result<Reply>{ClaimReply{.link = "http://w-1.localhost/_berth/open?token=x"}}, turn);
    EXPECT_EQ(led.status, 303U);
    EXPECT_EQ(led.headers.front().second, "http://w-1.localhost/_berth/open?token=x");
    EXPECT_EQ(answer(picture, dress, fail(ErrorKind::timeout, "late"), turn).status, 200U) << "the page looks again, and says why";
}

TEST(Open, is_for_people_and_tells_nobody_of_what_is_another_s) {
    auto picture = with_session("bob");
    picture.view.workspaces.at(WorkspaceId{"w-1"}).state = WorkspaceState::active;
    const auto others = step(picture, by_cookie("GET", "/open/w-1"), turn);
    const auto none = step(picture, by_cookie("GET", "/open/w-9"), turn);
    EXPECT_EQ(status_of_step(others), 404U);
    auto text = std::get<HttpAnswer>(none).body;
    text.replace(text.find("w-9"), 3, "w-1");
    EXPECT_EQ(std::get<HttpAnswer>(others).body, text);
    const auto own = with_session();
    for (const auto& header : Headers{{"sec-purpose", "prefetch"}, {"sec-fetch-dest", "iframe"}, {"sec-fetch-dest", "image"}, {"sec-fetch-dest", "empty"}}) {
        EXPECT_EQ(status_of_step(step(own, by_cookie("GET", "/open/w-1", {header}), turn)), 403U) << header.second;
    }
    EXPECT_EQ(status_of_step(step(own, by_cookie("GET", "/open/%3Cb%3E"), turn)), 404U);
    EXPECT_FALSE(match_route("HEAD", "/open/w-1").route);
}

TEST(Open, leads_on_to_nowhere_else) {
    EXPECT_EQ(way_on("/open/w-1"), "/open/w-1");
    for (const char* bad : {"", "/", "//evil.example", "https://evil.example", "/open/", "/open/../x", "/open/W", "/open/w-1?x", "/dashboard", "/\\evil"}) {
        EXPECT_EQ(way_on(bad), "/dashboard") << bad;
    }
}

}  // namespace
}  // namespace berth::gateway::testing
