// SPDX-License-Identifier: Apache-2.0
#include "proxy/names.hpp"

#include <gtest/gtest.h>

namespace berth::proxy {
namespace {

TEST(Names, OneLabelBelowTheAppsDomainIsAWorkspace) {
    EXPECT_EQ(workspace_of("w-1.localhost", "localhost")->value, "w-1");
    EXPECT_EQ(workspace_of("w-1.localhost:8080", "localhost")->value, "w-1");
    EXPECT_EQ(workspace_of("W-1.LocalHost:1", "localhost")->value, "w-1");
    EXPECT_EQ(workspace_of("w-1.apps.example.org", "apps.example.org")->value, "w-1");
}

TEST(Names, AnythingElseIsNone) {
    for (const char* host : {"",
                             "localhost",
                             ".localhost",
                             "w-1",
                             "a.w-1.localhost",
                             "w-1.localhost.",
                             "w-1.localhost..",
                             "w-1.localhost:",
                             "w-1.localhost:x",
                             "w-1.localhost:80:80",
                             "w-1.localhost:999999",
                             "w-1.localhost:-1",
                             "w-1localhost",
                             "w-1.localhost.evil.example",
                             "w-1.notlocalhost",
                             "127.0.0.1",
                             "[::1]:80",
                             "-w.localhost",
                             "w-.localhost",
                             "w_1.localhost",
                             "w%2d1.localhost",
                             "w-1 .localhost",
                             "w-1\t.localhost",
                             "w*.localhost",
                             "../x.localhost",
                             "\xc3\xa9.localhost",
                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.localhost"}) {
        SCOPED_TRACE(host);
        EXPECT_EQ(workspace_of(host, "localhost"), std::nullopt);
    }
}

TEST(Names, AnAddressForAPageHoldsNothingThatHtmlWouldTake) {
    EXPECT_TRUE(is_plain_url("https://berth.example.org"));
    EXPECT_TRUE(is_plain_url("http://127.0.0.1:9092/berth"));
    for (const auto* text : {"", "berth.example.org", "javascript:alert(1)", "https://a\"b", "https://a<b", "https://a b",
                             "https://a\r\nX: y", "https://a?b", "https://\xc3\xa9"}) {
        EXPECT_FALSE(is_plain_url(text)) << text;
    }
}

TEST(Names, ATargetIsForwardedVerbatimOrNotAtAll) {
    const auto path = [](std::string_view target) { return path_of(target, "w-1.localhost:80").value_or("none"); };

    EXPECT_EQ(path("/a/../b?c=%00&d=//e"), "/a/../b?c=%00&d=//e");
    EXPECT_EQ(path("//evil.example/a"), "//evil.example/a");
    EXPECT_EQ(path("http://w-1.localhost:80/a"), "/a");
    EXPECT_EQ(path("HTTPS://W-1.localhost:80/a?b"), "/a?b");
    for (const auto* target :
         {"http://w-2.localhost:80/a", "http://w-1.localhost/a", "http://x@w-1.localhost:80/a",
          "http://w-1.localhost:80", "http://w-1.localhost:80?a", "http:///a", "ftp://w-1.localhost:80/a", "*",
          "w-1.localhost:80", "\\a", "", "http:/a"}) {
        SCOPED_TRACE(target);
        EXPECT_EQ(path(target), "none");
    }
    EXPECT_EQ(path_of("http:///a", ""), std::nullopt);
}

TEST(Names, OnlyTheVeryOriginIsTheSame) {
    const auto same = [](std::string_view origin) { return same_origin(origin, "http", "w-1.localhost:8080"); };

    EXPECT_TRUE(same("http://w-1.localhost:8080"));
    EXPECT_TRUE(same_origin("http://w-1.localhost:8080", "http", "W-1.localhost:8080"));
    for (const auto* origin :
         {"", "null", "http://w-2.localhost:8080", "https://w-1.localhost:8080", "http://w-1.localhost",
          "http://w-1.localhost:80801", "http://w-1.localhost:8080/", "http://w-1.localhost:8080.evil.org",
          "http://evil-w-1.localhost:8080", "http://W-1.localhost:8080", "http://localhost:8080",
          "http://w-1.localhost:8080 http://w-1.localhost:8080", " http://w-1.localhost:8080", "file://",
          "http://x@w-1.localhost:8080"}) {
        SCOPED_TRACE(origin);
        EXPECT_FALSE(same(origin));
    }
    EXPECT_FALSE(same_origin("http://", "http", ""));
}

TEST(Names, TheCookieIsSecureOverHttpsAndNamedByTheWorkspaceOtherwise) {
    EXPECT_EQ(cookie_name("https", {"w-1"}), "__Host-berth");
    EXPECT_EQ(cookie_name("http", {"w-1"}), "berth-w-1");
    // Where workspaces share an address their cookies would be one another's.
    EXPECT_EQ(cookie_name("https", {"w-1"}, Apart::by_port), "__Host-berth-w-1");
    EXPECT_EQ(cookie_name("http", {"w-1"}, Apart::by_port), "berth-w-1");
    EXPECT_EQ(set_cookie("__Host-berth-w-1", "t", Duration{60'000}),
              "__Host-berth-w-1=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
    EXPECT_EQ(set_cookie("__Host-berth", "t", Duration{60'000}),
              "__Host-berth=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
    EXPECT_EQ(set_cookie("berth-w-1", "t", Duration{60'000}),
              "berth-w-1=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
}

TEST(Names, AllCookiesOfOurNameAreFoundUpToABound) {
    using Values = std::vector<std::string>;
    const auto values = [](std::vector<std::string_view> fields) { return cookie_values(fields, "__Host-berth"); };

    EXPECT_EQ(values({"a=1; __Host-berth=t.u.v; b=2"}), Values{"t.u.v"});
    EXPECT_EQ(values({"a=1", "__Host-berth=t"}), Values{"t"});
    EXPECT_EQ(values({"__Host-berth=t; __Host-berth=u"}), (Values{"t", "u"}));
    EXPECT_EQ(values({"__Host-berth=t", "__Host-berth=u"}), (Values{"t", "u"}));
    EXPECT_EQ(values({"__host-berth=t"}), Values{});
    EXPECT_EQ(values({"x__Host-berth=t; __Host-berth2=u; __Host-berth"}), Values{});
    EXPECT_EQ(values({}), Values{});
    std::string many;
    for (int i = 0; i < 9; ++i) many += "__Host-berth=t; ";
    EXPECT_EQ(values({many}).size(), cookies_tried_max);
}

TEST(Names, OurCookiesNeverGoOn) {
    EXPECT_EQ(without_our_cookies({"a=1; __Host-berth=t; b=2"}), "a=1; b=2");
    EXPECT_EQ(without_our_cookies({"__Host-berth=t; __HOST-BERTH=u; berth-w-1=v;__Host-berth =w; Berth-w-2=x"}), "");
    EXPECT_EQ(without_our_cookies({"a=1;;  ; b", "c=3; berth-w-1=x"}), "a=1; b; c=3");
}

TEST(Names, APreviewIsAPathWithAPort) {
    EXPECT_EQ(preview_root("/proxy/3000/a?b"), "/proxy/3000");
    EXPECT_EQ(preview_root("/absproxy/80"), "/absproxy/80");
    EXPECT_EQ(preview_root("/proxy/3000?x"), "/proxy/3000");
    for (const auto* path : {"", "/", "/proxy", "/proxy/", "/proxy/x", "/proxy/3000x", "/proxy/123456/", "/stable/proxy/3000/", "/_static/a"}) {
        EXPECT_EQ(preview_root(path), "") << path;
    }
}

TEST(Names, TooManyCookiesOfPreviewsDoNotReachTheEditor) {   // field report 35
    const std::string big(3'500, 'x');
    const auto all = "a=" + big + "; vscode-tkn=t; b=" + big + "; berth-w-1=s; code-server-session=u; c=" + big;
    const std::vector<std::string_view> fields{all};

    EXPECT_EQ(cookies_to_pass(fields, "/", 8'192), "vscode-tkn=t; code-server-session=u");
    EXPECT_EQ(cookies_to_pass(fields, "/stable-abc?x", 8'192), "vscode-tkn=t; code-server-session=u");
    EXPECT_EQ(cookies_to_pass(fields, "/proxy/3000/", 8'192), std::nullopt);
    EXPECT_EQ(cookies_to_pass(fields, "/proxy/3000/", 16'384), without_our_cookies(fields));
    EXPECT_EQ(cookies_to_pass({"a=1; b=2"}, "/", 8'192), "a=1; b=2");
    EXPECT_EQ(cookies_to_pass({}, "/", 8'192), "");
    EXPECT_EQ(foreign_cookie_names(fields, 64), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(foreign_cookie_names({"a=1; a=2; nameless; b=3"}, 1), std::vector<std::string>{"a"});
}

TEST(Names, ACookieIsEndedWhereverAPageCouldSetIt) {
    const auto ended = ended_cookies("a", "w-1.localhost:80", "/proxy/3000");
    EXPECT_EQ(ended.size(), 9u);
    EXPECT_EQ(ended.front(), "a=; Path=/; Max-Age=0");
    EXPECT_EQ(ended[1], "a=; Path=/; Max-Age=0; Domain=w-1.localhost");
    EXPECT_EQ(ended[5], "a=; Path=/proxy/3000; Max-Age=0; Domain=localhost");
    EXPECT_EQ(ended_cookies("__Host-a", "w-1", "").front(), "__Host-a=; Path=/; Max-Age=0; Secure");
}

TEST(Names, AContainerSetsItsOwnCookiesOnly) {
    EXPECT_TRUE(may_set_cookie("a=1; Path=/; HttpOnly"));
    EXPECT_TRUE(may_set_cookie("domain=x; Path=/"));
    EXPECT_FALSE(may_set_cookie("a=1; Domain=localhost"));
    EXPECT_FALSE(may_set_cookie("a=1; path=/; dOmAiN = .example.org"));
    EXPECT_FALSE(may_set_cookie("__Host-berth=x; Path=/; Secure"));
    EXPECT_FALSE(may_set_cookie("__HOST-Berth=x"));
    EXPECT_FALSE(may_set_cookie("berth-w-1=; Max-Age=0"));
    EXPECT_FALSE(may_set_cookie("=__Host-berth=x; Path=/"));
    EXPECT_FALSE(may_set_cookie(" = berth-w-1=x"));
}

}  // namespace
}  // namespace berth::proxy
