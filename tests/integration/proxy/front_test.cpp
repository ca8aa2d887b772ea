// SPDX-License-Identifier: Apache-2.0
// Behind a front proxy with a public scheme, name and port of its own (field report 14).
#include <signal.h>
#include <sys/wait.h>

#include "tests/integration/proxy/world.hpp"

namespace berth::proxy_tests {
namespace {

class Front : public ProxyTest {
protected:
    static constexpr const char* fronted = "scheme = \"https\"\npublic_domain = \"apps.example.org\"\npublic_port = 8443\n";
    std::string cookie() const { return "__Host-berth=" + token(claims(TokenPurpose::session, "w-1")); }
    int post(const std::string& named, const std::string& origin, const std::vector<std::string>& more = {}) const {
        std::vector<std::string> lines{"Content-Length: 0"};
        if (!origin.empty()) lines.push_back("Origin: " + origin);
        lines.insert(lines.end(), more.begin(), more.end());
        return visitor().ask(request("POST", named, "/head", cookie(), lines)).status;
    }
    int upgrade(const std::string& named, const std::string& origin) const {
        return visitor()
            .ask(get(named, "/ws", cookie(),
                     {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: a",
                      "Origin: " + origin}))
            .status;
    }
};

TEST_F(Front, ThePublicOriginIsOursWhateverHostWasRewrittenTo) {
    start(fronted);
    give_routes();
    const std::string outside = "https://w-1.apps.example.org:8443";

    for (const auto& named : std::vector<std::string>{host("w-1"), "w-1.localhost", "w-1.apps.example.org",
                                                      "w-1.apps.example.org:8443"}) {
        SCOPED_TRACE(named);
        EXPECT_EQ(post(named, outside), 200);
        EXPECT_EQ(upgrade(named, outside), 101);
        for (const auto* foreign : {"https://w-2.apps.example.org:8443", "http://w-1.apps.example.org:8443",
                                    "https://w-1.apps.example.org", "https://evil.example", ""}) {
            EXPECT_EQ(post(named, foreign), 403) << foreign;
        }
        EXPECT_EQ(upgrade(named, "https://evil.example"), 403);
    }
    EXPECT_EQ(post("evil.example", "https://evil.example"), 404);
    for (const auto& head : one.heads()) {
        // The editor compares a WebSocket's Origin with these.
        EXPECT_NE(head.find("Host: w-1.apps.example.org:8443\r\n"), std::string::npos) << head;
        EXPECT_NE(head.find("X-Forwarded-Proto: https\r\n"), std::string::npos) << head;
    }
}

TEST_F(Front, ALinkThatWasOpenedThroughItGivesASecureCookie) {
    start(fronted);
    give_routes();
    const auto link = token(claims(TokenPurpose::link, "w-1"));
    const auto opened = visitor().ask(get(host("w-1"), "/_berth/open?token=" + link, ""));
    EXPECT_EQ(opened.field("location"), "/?folder=/berth/home");
    const auto set = opened.field("set-cookie");
    EXPECT_TRUE(set.starts_with("__Host-berth=")) << set;
    EXPECT_NE(set.find("; Secure"), std::string::npos);
    EXPECT_EQ(visitor().ask(get(host("w-1"), "/head", set.substr(0, set.find(';')))).status, 200);
}

TEST_F(Front, ItsWordIsTakenOnlyFromATrustedNetwork) {
    const std::vector<std::string> word{"X-Forwarded-Host: w-1.localhost", "X-Forwarded-Proto: https"};
    start("trusted_networks = [\"10.0.0.0/8\", \"::1\"]");
    give_routes();
    EXPECT_EQ(post("127.0.0.1", "https://w-1.localhost", word), 404);
    kill_proxy(SIGTERM);
    EXPECT_EQ(wait_for_end(), 0);

    start("trusted_networks = [\"10.0.0.0/8\", \"127.0.0.0/8\"]");
    EXPECT_EQ(post("127.0.0.1", "https://w-1.localhost", word), 200);
    EXPECT_EQ(post("127.0.0.1", "https://evil.example", word), 403);
    EXPECT_EQ(post("127.0.0.1", "https://w-1.localhost", {"X-Forwarded-Host: w-1.localhost, w-2.localhost"}), 400);
    EXPECT_EQ(post("127.0.0.1", "https://w-1.localhost", {"X-Forwarded-Host: evil.example"}), 404);
    EXPECT_NE(one.heads().back().find("X-Forwarded-Host: w-1.localhost\r\n"), std::string::npos);
}

TEST_F(Front, ThePROXYProtocolIsReadFromATrustedNetworkAlone) {
    const auto page = [&](const std::string& header) {
        auto browser = visitor();
        browser.send(header + get(host("w-1"), "/head", ProxyTest::cookie("w-1"), {"Connection: close"}));
        std::string all;
        for (auto piece = browser.receive(); !piece.empty(); piece = browser.receive()) all += piece;
        return all.substr(0, 12);
    };
    const std::string binary = std::string{"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16} + std::string(12, '\1');
    start("proxy_protocol = true\ntrusted_networks = [\"127.0.0.1\"]");
    give_routes();

    EXPECT_EQ(page("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"), "HTTP/1.1 200");
    EXPECT_EQ(page("PROXY UNKNOWN\r\n"), "HTTP/1.1 200");
    EXPECT_EQ(page(binary), "HTTP/1.1 200");
    EXPECT_EQ(page(""), "");
    EXPECT_EQ(page("PROXY TCP4 nobody 198.51.100.1 56324 443\r\n"), "");
    EXPECT_EQ(page("PROXY TCP4 " + std::string(200, '1') + "\r\n"), "");
    EXPECT_EQ(one.heads().size(), 3u);
    kill_proxy(SIGTERM);
    EXPECT_EQ(wait_for_end(), 0);

    start("proxy_protocol = true\ntrusted_networks = [\"10.0.0.0/8\"]");
    EXPECT_EQ(page("PROXY UNKNOWN\r\n"), "HTTP/1.1 400");   // a browser says no such thing
    EXPECT_EQ(page(""), "HTTP/1.1 200");
}

TEST_F(Front, ANetworkThatIsNoneIsSaid) {
    for (const auto* text : {"10.0.0.0/33", "localhost", "10.0.0.0/8=ci", "fd00::/129", "10.0.0.0/"}) {
        const auto pid = spawn(std::string{"trusted_networks = [\""} + text + "\"]");
        int status = 0;
        EXPECT_TRUE(eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }));
        EXPECT_NE(WEXITSTATUS(status), 0) << text;
        EXPECT_NE(log().find(std::string{"proxy.trusted_networks: '"} + text + "' is no network"), std::string::npos);
    }
}

TEST_F(Front, ItListensWhereTheConfigurationSays) {
    start("listen_address = \"0.0.0.0\"");
    give_routes();
    EXPECT_EQ(visitor().ask(get(host("w-1"), "/head", ProxyTest::cookie("w-1"))).status, 200);
    EXPECT_NE(log().find("\"address\":\"0.0.0.0\""), std::string::npos);
}

}  // namespace
}  // namespace berth::proxy_tests
