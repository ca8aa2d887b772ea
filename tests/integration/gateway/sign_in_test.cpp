// SPDX-License-Identifier: Apache-2.0
// People at the real gateway: a sign-in link, the browser's session, its end, and the way from a bookmark.
#include <gmock/gmock.h>
#include <fmt/format.h>

#include "tests/integration/gateway/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class SignIn : public GatewayStage {
protected:
    std::string invite(const std::string& user, Json body = Json::object()) {
        const auto made = post("/v1/users/" + user + "/invite", body);
        EXPECT_EQ(made.status, 201) << made.body;
        const auto link = made.json.value("link", "");
        EXPECT_THAT(link, HasSubstr("/sign-in#" + user + ":"));
        return link.substr(link.find('#') + 1);
    }
    /// "berth-_session=…"; empty when it was refused.
    std::string cookie_of(const Json& shown) {
        const auto answer = ask_as("", "POST", "/v1/session", shown, {own_page});
        last = answer;
        const auto at = answer.headers.find("set-cookie");
        return at == answer.headers.end() ? "" : "Cookie: " + at->second.substr(0, at->second.find(';'));
    }
    Answer browser(const std::string& method, const std::string& target, const std::string& cookie, const Json& body = nullptr) {
        return ask_as("", method, target, body, {cookie, own_page});
    }
    const std::string own_page = "Sec-Fetch-Site: same-origin";
    Answer last;
};

TEST_F(SignIn, a_link_signs_one_browser_in_until_it_signs_out) {
    const auto link = invite("ada");
    const auto cookie = cookie_of({{"link", link}});
    ASSERT_THAT(cookie, StartsWith("Cookie: berth-_session="));
    EXPECT_THAT(last.headers.at("set-cookie"), EndsWith("HttpOnly; SameSite=Lax"));
    EXPECT_EQ(last.json["user"], "ada");
    EXPECT_EQ(browser("GET", "/v1/me", cookie).json["user"], "ada");
    EXPECT_EQ(browser("GET", "/v1/hosts", cookie).status, 403);
    EXPECT_EQ(cookie_of({{"link", link}}), "");
    EXPECT_EQ(last.status, 403);
    EXPECT_THAT(last.body, HasSubstr("used before"));

    const auto kept = read_text(cluster.state() + "/tokens.json");
    EXPECT_THAT(kept, Not(HasSubstr(cookie.substr(cookie.find('=') + 1))));
    EXPECT_THAT(kept, Not(HasSubstr(link.substr(4))));
    EXPECT_THAT(cluster.log_of("gateway"), Not(HasSubstr(link.substr(4))));

    restart_gateway();
    EXPECT_EQ(browser("GET", "/v1/me", cookie).json["user"], "ada") << "sessions outlive the gateway";
    const auto out = browser("POST", "/v1/session/end", cookie, Json::object());
    EXPECT_EQ(out.status, 200) << out.body;
    EXPECT_THAT(out.headers.at("set-cookie"), HasSubstr("Max-Age=0"));
    EXPECT_EQ(browser("GET", "/v1/me", cookie).status, 401);
    EXPECT_EQ(browser("GET", "/v1/session", cookie).json["signed_in"], false);
}

TEST_F(SignIn, what_a_session_began_ends_with_it) {
    const auto cookie = cookie_of({{"link", invite("ada", {{"role", "operator"}})}});
    Wire stream(port());
    stream.send(fmt::format("GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{}\r\n\r\n", port(), cookie));
    ASSERT_THAT(stream.receive([](const std::string& all) { return all.find(": berth, at") != std::string::npos; }), HasSubstr("200 OK"));
    const auto ended = post("/v1/users/ada/end", Json::object());
    EXPECT_EQ(ended.json["ended"], 1) << ended.body;
    std::string rest;
    beside([&] { rest = stream.receive([](const std::string&) { return false; }, Duration{10'000}); });
    EXPECT_THAT(rest, HasSubstr("you are signed out"));
    EXPECT_EQ(browser("GET", "/v1/me", cookie).status, 401);
    EXPECT_EQ(post("/v1/users/ada/end", Json::object()).status, 404);
}

TEST_F(SignIn, a_session_of_a_token_ends_with_the_token) {
    const auto token = token_of("bob");
    const auto cookie = cookie_of({{"token", token}});
    EXPECT_EQ(browser("GET", "/v1/me", cookie).json["user"], "bob");
    const auto tokens = get("/v1/tokens").json["tokens"];
    std::string id;
    for (const auto& one : tokens) {
        if (one["user"] == "bob" && one["kind"] == "bearer") id = one["id"];
    }
    EXPECT_EQ(post("/v1/tokens/" + id + "/revoke", Json::object()).status, 200);
    EXPECT_EQ(browser("GET", "/v1/me", cookie).status, 401);
    EXPECT_EQ(cookie_of({{"token", token}}), "");
}

TEST_F(SignIn, a_bookmark_leads_to_the_sign_in_and_then_to_the_workspace) {
    const auto granted = claim("ada", "web", "k-1");
    ASSERT_EQ(granted.status, 201) << granted.body;
    const auto id = granted.json.value("workspace", "");
    const auto stranger = ask("GET", "/open/" + id, "", {});
    EXPECT_EQ(stranger.status, 303);
    EXPECT_EQ(stranger.headers.at("location"), "/sign-in?to=/open/" + id);
    const auto cookie = cookie_of({{"link", invite("ada")}});
    const auto led = ask("GET", "/open/" + id, "", {cookie, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"});
    EXPECT_EQ(led.status, 303);
    EXPECT_THAT(led.headers.at("location"), StartsWith(granted.json.value("url", "?")));
    EXPECT_THAT(led.headers.at("location"), HasSubstr("token="));
    const auto others = cookie_of({{"link", invite("eve")}});
    EXPECT_EQ(ask("GET", "/open/" + id, "", {others}).status, 404);
    EXPECT_EQ(browser("POST", "/v1/workspaces/" + id + "/stop", cookie, Json::object()).status, 200);
    ASSERT_TRUE(host_until([&] { return !host->stopped.empty(); }));
    ASSERT_TRUE(host->beat());
    ASSERT_TRUE(eventually([&] { return browser("GET", "/v1/workspaces/" + id, cookie).json["state"] == "stopped"; }));
    const auto page = ask("GET", "/open/" + id, "", {cookie});
    EXPECT_EQ(page.status, 200);
    EXPECT_THAT(page.body, HasSubstr("open.js"));
}

}  // namespace
}  // namespace berth::testing
