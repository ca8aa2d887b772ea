// SPDX-License-Identifier: Apache-2.0
// What passes the proxy and what does not: fields, cookies, framing, and the proxy's own addresses.
#include "tests/integration/proxy/world.hpp"

namespace berth::proxy_tests {
namespace {

std::string lower(std::string text) {
    for (auto& letter : text) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    return text;
}

class Hygiene : public ProxyTest {
protected:
    /// The head that the container got for a GET with these lines, in lower case.
    std::string passed(const std::vector<std::string>& lines, const std::string& more_cookies = "") {
        const auto answer = visitor().ask(get(host("w-1"), "/head", cookie("w-1") + more_cookies, lines));
        EXPECT_EQ(answer.status, 200) << answer.head;
        return lower(answer.body);
    }
};

TEST_F(Hygiene, NoFieldOfAProxyOrOfOneConnectionReachesTheContainer) {
    start();
    give_routes();

    const auto head = passed({"Connection: close, X-Private, TE",
                              "X-Private: canary-1",
                              "Keep-Alive: canary-2",
                              "Proxy-Authorization: canary-3",
                              "Proxy-Connection: canary-4",
                              "TE: trailers",
                              "Trailer: canary-5",
                              "Forwarded: for=canary-6",
                              "X-Forwarded-For: canary-7",
                              "X-FORWARDED-PROTO: canary-8",
                              "X_Forwarded_Host: canary-9",
                              "x-forwarded_user: canary-10",
                              "X-Forwarded-Uri: canary-11",
                              "X-Berth-User: canary-12",
                              "x_berth_anything: canary-13",
                              "X-Real-IP: canary-14",
                              "X-Original-URL: /canary-15",
                              "X-Rewrite-Url: /canary-16",
                              "X-HTTP-Method-Override: CANARY-17",
                              "Via: canary-18",
                              "X-Remote-User: canary-19",
                              "Remote_User: canary-20",
                              "Upgrade: canary-21",
                              "HTTP2-Settings: canary-22",
                              "X-Auth-Request-Email: canary-23",
                              "Proxy: http://canary-24",
                              "Authorization: Bearer of-the-users-own",
                              "X-Public: here"});

    EXPECT_EQ(head.find("canary"), std::string::npos) << head;
    EXPECT_NE(head.find("\r\nx-public: here\r\n"), std::string::npos);
    EXPECT_NE(head.find("\r\nauthorization: bearer of-the-users-own\r\n"), std::string::npos);
    EXPECT_NE(head.find("\r\nhost: " + host("w-1") + "\r\n"), std::string::npos);
    EXPECT_NE(head.find("\r\nx-forwarded-host: " + host("w-1") + "\r\n"), std::string::npos);
    EXPECT_NE(head.find("\r\nx-forwarded-proto: http\r\n"), std::string::npos);
    EXPECT_EQ(head.find("\r\nconnection:"), std::string::npos);
    EXPECT_EQ(head.find("\r\nte:"), std::string::npos);
}

TEST_F(Hygiene, OurCookieNeverReachesTheContainerAndTheOthersDo) {
    start();
    give_routes();

    const auto head =
        passed({}, "; theme=dark; __HOST-berth=canary; berth-w-2=canary; =__Host-berth=canary; tab=2");
    EXPECT_NE(head.find("\r\ncookie: theme=dark; tab=2\r\n"), std::string::npos) << head;
    EXPECT_EQ(head.find("canary"), std::string::npos);
    EXPECT_EQ(head.find("eyj"), std::string::npos);
    EXPECT_EQ(passed({}).find("cookie"), std::string::npos);
}

TEST_F(Hygiene, AContainerSetsNeitherOurCookieNorOneForItsNeighbours) {
    start();
    give_routes();

    const auto answer = visitor().ask(get(host("w-1"), "/set-cookies", cookie("w-1")));

    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(answer.fields.at("set-cookie"), std::vector<std::string>{"good=1; Path=/"});
    EXPECT_FALSE(answer.has("clear-site-data"));
}

TEST_F(Hygiene, FieldsOfOneConnectionStayOnIt) {
    start();
    give_routes();

    const auto answer = visitor().ask(get(host("w-1"), "/hop", cookie("w-1")));

    ASSERT_EQ(answer.status, 200);
    for (const auto* name : {"connection", "keep-alive", "x-private", "proxy-authenticate", "alt-svc",
                             "x-berth-role", "upgrade"}) {
        EXPECT_FALSE(answer.has(name)) << name;
    }
    EXPECT_EQ(answer.field("x-public"), "b");
}

TEST_F(Hygiene, ARequestThatTwoReadersWouldReadInTwoWaysIsRefusedAndEndsTheConnection) {
    start();
    give_routes();
    const auto start_of = "POST /upload HTTP/1.1\r\nHost: " + host("w-1") + "\r\nCookie: " + cookie("w-1") +
                          "\r\n" + origin("w-1") + "\r\n";
    const std::string hidden =
        "GET /hidden HTTP/1.1\r\nHost: " + host("w-1") + "\r\nCookie: " + cookie("w-1") + "\r\n\r\n";
    const std::vector<std::string> smuggled{
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + hidden,
        "Content-Length: 0\r\nContent-Length: " + std::to_string(hidden.size()) + "\r\n\r\n" + hidden,
        "Content-Length: 0, 5\r\n\r\n" + hidden,
        "Content-Length : 5\r\n\r\n" + hidden,
        "Content_Length: 5\r\n\r\n" + hidden,
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
        "Transfer-Encoding:\vchunked\r\n\r\n0\r\n\r\n" + hidden,
        "X-A: b\nContent-Length: 5\r\n\r\n" + hidden,
        "X-A: b\r\n Content-Length: 5\r\n\r\n" + hidden,
        "Connection: Content-Length\r\nContent-Length: " + std::to_string(hidden.size()) + "\r\n\r\n" + hidden,
    };

    for (const auto& each : smuggled) {
        SCOPED_TRACE(each);
        auto browser = visitor();
        browser.send(start_of + each);
        const auto answer = browser.reply();
        EXPECT_EQ(answer.status, 400);
        EXPECT_EQ(answer.field("connection"), "close");
        EXPECT_EQ(browser.receive(), "");   // and the hidden one is not answered
    }
    EXPECT_EQ(one.heads().size(), 0u);
}

TEST_F(Hygiene, ABodyThatIsNoProperChunkedOneNeverLooksWholeToTheContainer) {
    start();
    give_routes();
    for (const std::string body : {"zz\r\n", "5\r\nhelloXX0\r\n\r\n", "-1\r\n\r\n", "fffffffffffffffff\r\n",
                                   "5 5\r\nhello\r\n0\r\n\r\n"}) {
        SCOPED_TRACE(body);
        auto browser = visitor();
        browser.send(request("POST", host("w-1"), "/upload", cookie("w-1"),
                             {origin("w-1"), "Transfer-Encoding: chunked"}) +
                     body);
        EXPECT_EQ(browser.reply().status, 400);
    }
    EXPECT_TRUE(eventually([&] { return one.open_connections() == 0; }));
    for (const auto& upload : one.uploads()) EXPECT_EQ(upload, "cut");
}

TEST_F(Hygiene, TheProxysOwnAddressesAreNeverForwarded) {
    start();
    give_routes();
    const auto ada = cookie("w-1");

    for (const auto* path : {"/_berth/", "/_berth/anything", "/_berth/open", "/_berth/open?a=b",
                             "/_berth/open/?token=x", "/_berth/../head", "/_berth//open"}) {
        EXPECT_EQ(visitor().ask(get(host("w-1"), path, ada)).status, 404) << path;
    }
    EXPECT_EQ(visitor().ask(get(host("w-1"), "/_berth/health", "")).status, 200);
    EXPECT_EQ(visitor().ask(get("localhost", "/_berth/health", "")).status, 200);
    const auto style = visitor().ask(get(host("w-1"), "/_berth/page.css", ""));
    EXPECT_EQ(style.status, 200);
    EXPECT_TRUE(style.field("content-type").starts_with("text/css"));
    EXPECT_EQ(visitor().ask(request("POST", host("w-1"), "/_berth/health", ada, {"Content-Length: 0"})).status,
              405);
    EXPECT_EQ(one.heads().size(), 0u);
}

TEST_F(Hygiene, ATargetArrivesAsItWasSent) {
    start();
    give_routes();
    for (const auto& path : std::vector<std::string>{"/a/../b?c=%00&d=//e", "//evil.example/a", "/%2e%2e/%5f",
                                                     "/a?b?c", "/" + std::string(4'000, 'a')}) {
        const auto answer = visitor().ask(get(host("w-1"), path, cookie("w-1")));
        EXPECT_TRUE(answer.body.starts_with("GET " + path + " HTTP/1.1\r\n")) << answer.body.substr(0, 200);
    }
}

TEST_F(Hygiene, AnAnswerThatIsNoProperHttpBecomesAPage) {
    start();
    give_routes();
    for (const auto* path : {"/garbage", "/gzip-coding", "/two-lengths", "/hang-up", "/101", "/long-head"}) {
        const auto answer = visitor().ask(get(host("w-1"), path, cookie("w-1")));
        EXPECT_EQ(answer.status, 502) << path;
        EXPECT_NE(answer.body.find("container_broken"), std::string::npos) << path;
        EXPECT_EQ(answer.field("content-security-policy").substr(0, 18), "default-src 'none'");
    }

    auto gone = route_of("w-1");
    gone.port = 1;   // nothing listens
    put(gone);
    const auto refused = visitor().ask(get(host("w-1"), "/head", cookie("w-1"), {"Accept: application/json"}));
    EXPECT_EQ(refused.status, 502);
    EXPECT_EQ(refused.field("content-type"), "application/problem+json");
    EXPECT_NE(refused.body.find("\"container_refused\""), std::string::npos);
}

TEST_F(Hygiene, AnAnswerThatNeverComesBecomesAPage) {
    start("answer_timeout = \"1s\"");
    give_routes();
    EXPECT_EQ(visitor().ask(get(host("w-1"), "/never", cookie("w-1"))).status, 504);
}

}  // namespace
}  // namespace berth::proxy_tests
