// SPDX-License-Identifier: Apache-2.0
// Nobody reaches another's workspace, whatever they send (I25, I26): tokens, cookies, hosts, origins.
#include <openssl/hmac.h>

#include "tests/integration/proxy/world.hpp"

namespace berth::proxy_tests {
namespace {

std::string base64url(std::string_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    for (auto& letter : text) letter = letter == '+' ? '-' : letter == '/' ? '_' : letter;
    return text.substr(0, text.find('='));
}

std::string hmac(const EVP_MD* digest, std::string_view key, std::string_view text) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(digest, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), bytes, &size);
    return {reinterpret_cast<const char*>(bytes), size};
}

class Access : public ProxyTest {
protected:
    std::string open_path(const std::string& link) const { return "/_berth/open?token=" + link; }
    std::string link(const std::string& workspace) const { return token(claims(TokenPurpose::link, workspace)); }
    Reply open(const std::string& at, const std::string& with, const std::vector<std::string>& more = {}) const {
        return visitor().ask(get(host(at), open_path(with), "", more));
    }
    /// The status of a page of `workspace`, asked for with these cookies.
    int status(const std::string& workspace, const std::string& cookies) const {
        return visitor().ask(get(host(workspace), "/head", cookies)).status;
    }
    void expect_nothing_came_through() const {
        EXPECT_EQ(one.heads().size(), 0u);
        EXPECT_EQ(two.heads().size(), 0u);
    }
};

TEST_F(Access, ALinkBecomesACookieOnceAndTheCookieLetsIn) {
    start();
    give_routes();
    const auto ticket = link("w-1");

    const auto opened = open("w-1", ticket);

    ASSERT_EQ(opened.status, 302) << opened.head << opened.body;
    EXPECT_EQ(opened.field("location"), "/?folder=/berth/home");
    EXPECT_EQ(opened.field("cache-control"), "no-store");
    EXPECT_EQ(opened.field("referrer-policy"), "no-referrer");
    const auto set = opened.field("set-cookie");
    EXPECT_TRUE(set.starts_with("berth-w-1="));
    for (const auto* attribute : {"; Path=/", "; HttpOnly", "; SameSite=Lax"}) {
        EXPECT_NE(set.find(attribute), std::string::npos) << attribute;
    }
    for (const auto* attribute : {"Domain", "Secure"}) EXPECT_EQ(set.find(attribute), std::string::npos);
    const auto ours = set.substr(0, set.find(';'));
    EXPECT_EQ(status("w-1", ours), 200);
    EXPECT_EQ(status("w-2", ours), 401);
    EXPECT_EQ(status("w-2", "berth-w-2" + ours.substr(ours.find('='))), 403);

    const auto again = open("w-1", ticket);
    EXPECT_EQ(again.status, 403);
    EXPECT_NE(again.body.find("used_link"), std::string::npos) << again.body;
    EXPECT_FALSE(again.has("set-cookie"));
    const auto reloaded = visitor().ask(get(host("w-1"), open_path(ticket), ours));   // who is in stays in
    EXPECT_EQ(reloaded.status, 302);
    EXPECT_FALSE(reloaded.has("set-cookie"));
}

TEST_F(Access, ALinkIsUsedOnceAlsoByManyAtATimeAndAcrossRestarts) {
    start();
    give_routes();
    const auto ticket = link("w-1");
    std::vector<Visitor> crowd;
    for (int i = 0; i < 20; ++i) crowd.push_back(visitor());
    for (auto& each : crowd) each.send(get(host("w-1"), open_path(ticket), ""));

    int let_in = 0;
    std::vector<std::string> sessions;
    for (auto& each : crowd) {
        const auto set = each.reply().field("set-cookie");
        ASSERT_FALSE(set.empty());
        sessions.push_back(set.substr(0, set.find(';')));
    }
    // All have been given one; the first that comes back is the one that is good.
    for (std::size_t i = 0; i < crowd.size(); ++i) crowd[i].send(get(host("w-1"), "/head", sessions[i]));
    std::string good;
    for (std::size_t i = 0; i < crowd.size(); ++i) {
        if (crowd[i].reply().status != 200) continue;
        ++let_in;
        good = sessions[i];
    }

    EXPECT_EQ(let_in, 1);
    EXPECT_EQ(one.heads().size(), 1u);
    kill_proxy(SIGKILL);
    EXPECT_EQ(wait_for_end(), 128 + SIGKILL);
    start();
    EXPECT_EQ(open("w-1", ticket).status, 403);
    for (const auto& session : sessions) EXPECT_EQ(status("w-1", session), session == good ? 200 : 403);
}

TEST_F(Access, ALinkIsNotUsedUpByABrowserThatKeepsNoCookie) {   // field report 18
    start();
    give_routes();
    const auto ticket = link("w-1");

    EXPECT_EQ(open("w-1", ticket).status, 302);
    const auto lost = visitor().ask(get(host("w-1"), "/?folder=/berth/home", ""));   // as curl without -c -b
    EXPECT_EQ(lost.status, 401);
    EXPECT_NE(lost.body.find("cookie_lost"), std::string::npos) << lost.body;
    EXPECT_NE(lost.body.find("open the same link again"), std::string::npos);
    EXPECT_NE(visitor().ask(get(host("w-2"), "/", "")).body.find("no_session"), std::string::npos);

    const auto set = open("w-1", ticket).field("set-cookie");
    const auto ours = set.substr(0, set.find(';'));
    EXPECT_EQ(status("w-1", ours), 200);
    EXPECT_EQ(status("w-1", ours), 200);
    EXPECT_EQ(open("w-1", ticket).status, 403);
    EXPECT_NE(visitor().ask(get(host("w-1"), "/", "")).body.find("no_session"), std::string::npos);
}

TEST_F(Access, EverySessionThatIsNotOfThisVeryWorkspaceUserAndEpochIsRefused) {
    start();
    give_routes();
    const auto good = claims(TokenPurpose::session, "w-1");
    ASSERT_TRUE(kv().use_link("used", "used.a", now() + Duration{60'000}, now()));
    const auto with = [&](auto change) {
        auto changed = good;
        change(changed);
        return cookie(changed);
    };
    const auto signed_by = [&](std::string_view secret) { return "berth-w-1=" + mint_token(good, secret); };

    struct Row {
        const char* name;
        std::string cookie;
    };
    const std::vector<Row> rows{
        {"no cookie", ""},
        {"an empty one", "berth-w-1="},
        {"Bob's, of w-2", cookie("w-2")},
        {"Bob's, of w-2, under our name", "berth-w-1=" + token(claims(TokenPurpose::session, "w-2"))},
        {"Bob's, of w-1", with([](auto& c) { c.user = {"bob"}; })},
        {"an earlier epoch", with([](auto& c) { c.epoch = Epoch{6}; })},
        {"a later epoch", with([](auto& c) { c.epoch = Epoch{8}; })},
        {"another host's", with([](auto& c) { c.host = {"h-2"}; })},
        {"a host whose name begins alike", with([](auto& c) { c.host = {"h-1/w-1/7"}; })},
        {"expired", with([&](auto& c) { c.expires_at = now() - Duration{5}; })},
        {"not valid yet", with([&](auto& c) { c.expires_at = now() + session_lifetime + Duration{3'600'000}; })},
        {"a link's token", cookie(claims(TokenPurpose::link, "w-1"))},
        {"another secret", signed_by(std::string(64, '0'))},
        {"half of the secret", signed_by(kv().secret().substr(0, 32))},
        {"under another name", "__Host-berth=" + token(good)},
        {"under another's name", "berth-w-2=" + token(good)},
        {"a name in upper case", "BERTH-w-1=" + token(good)},
        {"of a link that another session came back of", with([&](auto& c) { c.id = "used.b"; })},
        {"of a link that was never minted here", with([&](auto& c) { c.id = "old.a", c.expires_at -= Duration{61'000}; })},
        {"with a tail", cookie(good) + "A"},
        {"quoted", "berth-w-1=\"" + token(good) + "\""},
        {"only the first two parts", "berth-w-1=" + token(good).substr(0, token(good).rfind('.') + 1)},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        const auto refused = status("w-1", row.cookie);
        EXPECT_TRUE(refused == 401 || refused == 403) << refused;
    }
    expect_nothing_came_through();
    EXPECT_EQ(status("w-1", cookie(good)), 200);
    // A page of the workspace may add cookies by our name: that locks nobody out.
    EXPECT_EQ(status("w-1", cookie(good) + "; " + cookie(good)), 200);
    EXPECT_EQ(status("w-1", "berth-w-1=x; berth-w-1=" + token(claims(TokenPurpose::session, "w-2")) + "; " + cookie(good)), 200);
}

TEST_F(Access, AForgedTokenIsRefusedWhateverAlgorithmItNames) {
    start();
    give_routes();
    const auto good = token(claims(TokenPurpose::session, "w-1"));
    const auto body = good.substr(good.find('.') + 1, good.rfind('.') - good.find('.') - 1);
    const auto signature = good.substr(good.rfind('.') + 1);
    const auto& secret = kv().secret();

    std::vector<std::string> forged;
    for (const std::string algorithm : {"none", "None", "NONE", "", "RS256", "ES256", "HS384", "HS512", "hs256"}) {
        const auto head = base64url(R"({"alg":")" + algorithm + R"(","typ":"JWT"})");
        const auto unsigned_part = head + "." + body;
        forged.insert(forged.end(), {unsigned_part + ".", unsigned_part, unsigned_part + "." + signature,
                                     unsigned_part + "." + base64url(hmac(EVP_sha256(), secret, unsigned_part)),
                                     unsigned_part + "." + base64url(hmac(EVP_sha512(), secret, unsigned_part))});
    }
    const auto head = good.substr(0, good.find('.'));
    const auto empty_key = head + "." + body;
    forged.push_back(empty_key + "." + base64url(hmac(EVP_sha256(), "", empty_key)));
    forged.push_back(empty_key + "." + base64url(hmac(EVP_sha256(), "h-1", empty_key)));
    auto changed = good;
    changed[good.find('.') + 10] = changed[good.find('.') + 10] == 'A' ? 'B' : 'A';
    forged.push_back(changed);
    forged.push_back(good + "=");
    forged.push_back(good + "." + body);
    forged.push_back("." + good);
    forged.push_back("..");
    forged.push_back(std::string(4'000, 'A'));

    for (const auto& token : forged) {
        SCOPED_TRACE(token);
        EXPECT_EQ(status("w-1", "berth-w-1=" + token), 401);
        EXPECT_EQ(open("w-1", token).status, 403);
    }
    expect_nothing_came_through();
}

TEST_F(Access, ALinkWorksOnlyWhereWhenAndForWhatItWasMade) {
    start();
    give_routes();
    const auto good = claims(TokenPurpose::link, "w-1");
    const auto with = [&](auto change) {
        auto changed = good;
        change(changed);
        return token(changed);
    };

    EXPECT_EQ(open("w-1", link("w-2")).status, 403);
    EXPECT_EQ(open("w-2", link("w-1")).status, 403);
    EXPECT_EQ(open("w-1", with([](auto& c) { c.user = {"bob"}; })).status, 403);
    EXPECT_EQ(open("w-1", with([](auto& c) { c.epoch = Epoch{6}; })).status, 403);
    EXPECT_EQ(open("w-1", with([](auto& c) { c.host = {"h-2"}; })).status, 403);
    EXPECT_EQ(open("w-1", with([&](auto& c) { c.expires_at = now() - Duration{5}; })).status, 403);
    EXPECT_EQ(open("w-1", token(claims(TokenPurpose::session, "w-1"))).status, 403);
    EXPECT_EQ(open("w-1", "").status, 403);
    EXPECT_EQ(open("w-1", token(good) + "&token=" + token(good)).status, 403);
    EXPECT_EQ(open("w-9", token(good)).status, 404);
    EXPECT_EQ(visitor().ask(get("localhost:" + std::to_string(port_), open_path(token(good)), "")).status, 404);
    for (const auto* sign : {"Purpose: prefetch", "Sec-Purpose: prefetch;prerender", "X-Moz: prefetch",
                             "Sec-Fetch-Dest: iframe", "Sec-Fetch-Dest: image", "Sec-Fetch-Dest: empty"}) {
        EXPECT_EQ(open("w-1", token(good), {sign}).status, 403) << sign;
    }
    EXPECT_EQ(visitor().ask(request("HEAD", host("w-1"), open_path(token(good)), ""), "HEAD").status, 405);
    EXPECT_EQ(
        visitor().ask(request("POST", host("w-1"), open_path(token(good)), "", {"Content-Length: 0"})).status,
        405);

    EXPECT_EQ(open("w-1", token(good), {"Sec-Fetch-Dest: document"}).status, 302);   // none of those had used it up
}

TEST_F(Access, NoGameWithTheHostLeadsElsewhere) {
    start();
    give_routes();
    const auto ada = cookie("w-1");
    const auto port = ":" + std::to_string(port_);
    const auto status_at = [&](const std::string& named, const std::string& path = "/head") {
        return visitor().ask(get(named, path, ada)).status;
    };

    EXPECT_EQ(status_at("W-1.LOCALHOST" + port), 200);
    EXPECT_EQ(status_at("w-1.localhost"), 200);
    EXPECT_EQ(status_at("w-1.localhost:1"), 200);
    for (const auto& named :
         std::vector<std::string>{"w-1.localhost." + port, "w-1.localhost.", "w-1", "localhost" + port,
                                  "127.0.0.1" + port, "a.w-1.localhost" + port, "w-1.localhost.evil.example",
                                  "w-1.localhost:80:81" + port, "w-1.localhost:", "w-1%2elocalhost", "[::1]"}) {
        EXPECT_EQ(status_at(named), 404) << named;
    }
    for (const auto* named :
         {"w-1.localhost@w-2.localhost", "w-1.localhost/..", "w-1.localhost, w-2.localhost",
          "w-1.localhost w-2.localhost", "w-1.localhost?", "w-1.localhost#", "w-1.localhost\\"}) {
        EXPECT_EQ(status_at(named), 400) << named;
    }
    EXPECT_EQ(one.heads().size(), 3u);
    EXPECT_EQ(two.heads().size(), 0u);

    const auto raw = [&](const std::string& text) { return visitor().ask(text).status; };
    const auto ours = "Host: " + host("w-1") + "\r\n";
    const auto other = "Host: " + host("w-2") + "\r\n";
    const auto tail = "Cookie: " + ada + "\r\n\r\n";
    EXPECT_EQ(raw("GET /head HTTP/1.1\r\n" + ours + other + tail), 400);
    EXPECT_EQ(raw("GET /head HTTP/1.1\r\n" + other + ours + tail), 400);
    EXPECT_EQ(raw("GET /head HTTP/1.1\r\n" + ours + ours + tail), 400);
    EXPECT_EQ(raw("GET /head HTTP/1.1\r\n" + tail), 400);
    EXPECT_EQ(raw("GET /head HTTP/1.0\r\n" + tail), 404);
    EXPECT_EQ(raw("GET http://" + host("w-2") + "/head HTTP/1.1\r\n" + ours + tail), 400);
    EXPECT_EQ(raw("GET http://" + host("w-1") + "/head HTTP/1.1\r\n" + other + tail), 400);
    EXPECT_EQ(raw("GET http://w-1.localhost/head HTTP/1.1\r\n" + ours + tail), 400);
    EXPECT_EQ(raw("GET http://a@" + host("w-1") + "/head HTTP/1.1\r\n" + ours + tail), 400);
    EXPECT_EQ(raw("GET w-2.localhost HTTP/1.1\r\n" + ours + tail), 400);
    EXPECT_EQ(raw("OPTIONS * HTTP/1.1\r\n" + ours + tail), 400);
    EXPECT_EQ(raw("CONNECT " + host("w-2") + " HTTP/1.1\r\n" + ours + tail), 405);
    EXPECT_EQ(raw("TRACE / HTTP/1.1\r\n" + ours + tail), 405);
    EXPECT_EQ(raw("GET /head HTTP/1.1\r\n" + ours + "X-Forwarded-Host: " + host("w-2") + "\r\n" + tail), 200);
    EXPECT_EQ(raw("GET http://" + host("w-1") + "/head HTTP/1.1\r\n" + ours + tail), 200);
    EXPECT_TRUE(one.heads().back().starts_with("GET /head HTTP/1.1\r\n"));
    EXPECT_EQ(two.heads().size(), 0u);
}

TEST_F(Access, OnlyOurOwnPagesOpenAWebSocketOrChangeSomething) {
    start();
    give_routes();
    const auto ada = cookie("w-1");
    const auto upgrade = [&](const std::vector<std::string>& origins, const std::string& cookies) {
        std::vector<std::string> lines{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="};
        lines.insert(lines.end(), origins.begin(), origins.end());
        return visitor().ask(get(host("w-1"), "/ws", cookies, lines)).status;
    };
    const auto post = [&](const std::vector<std::string>& origins) {
        auto lines = origins;
        lines.emplace_back("Content-Length: 0");
        return visitor().ask(request("POST", host("w-1"), "/upload", ada, lines)).status;
    };
    const auto port = ":" + std::to_string(port_);

    std::vector<std::vector<std::string>> foreign{
        {}, {origin("w-2")}, {origin("w-1"), origin("w-1")}, {origin("w-1"), origin("w-2")}};
    for (const auto& text : std::vector<std::string>{
             "null", "", "https://w-1.localhost" + port, "http://w-1.localhost",
             "http://w-1.localhost" + port + "0", "http://w-1.localhost" + port + ".evil.example",
             "http://evil-w-1.localhost" + port, "http://localhost" + port, "http://W-1.localhost" + port,
             "http://w-1.localhost" + port + "/", "http://evil.example"}) {
        foreign.push_back({"Origin: " + text});
    }
    for (const auto& origins : foreign) {
        SCOPED_TRACE(origins.empty() ? "none" : origins.back());
        EXPECT_EQ(upgrade(origins, ada), 403);
        EXPECT_EQ(post(origins), 403);
    }
    EXPECT_EQ(upgrade({origin("w-1")}, ""), 401);
    EXPECT_EQ(upgrade({origin("w-1")}, cookie("w-2")), 401);
    expect_nothing_came_through();

    EXPECT_EQ(upgrade({origin("w-1")}, ada), 101);
    EXPECT_EQ(post({origin("w-1")}), 200);
}

TEST_F(Access, AFormOfOurOwnPageThatSendsNoReferrerIsTaken) {   // field report 12
    start();
    give_routes();
    const auto post = [&](const std::vector<std::string>& more) {
        std::vector<std::string> lines{"Origin: null", "Content-Length: 0"};
        lines.insert(lines.end(), more.begin(), more.end());
        return visitor().ask(request("POST", host("w-1"), "/upload", cookie("w-1"), lines)).status;
    };

    EXPECT_EQ(post({"Sec-Fetch-Site: same-origin"}), 200);
    EXPECT_EQ(post({"Sec-Fetch-Site: cross-site"}), 403);
    EXPECT_EQ(post({"Sec-Fetch-Site: same-site"}), 403);
    EXPECT_EQ(post({"Sec-Fetch-Site: none"}), 403);
    EXPECT_EQ(post({"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: same-origin"}), 403);
    EXPECT_EQ(post({}), 403);
    EXPECT_EQ(one.heads().size(), 1u);
}

TEST_F(Access, ANameThatWasReboundLeadsNowhere) {   // field report 13: evil.example resolves to this machine
    start();
    give_routes();
    const auto port = ":" + std::to_string(port_);
    for (const auto& name : std::vector<std::string>{"evil.example", "evil.example" + port, "w-1.evil.example" + port}) {
        SCOPED_TRACE(name);
        const auto ours = "Origin: http://" + name;
        EXPECT_EQ(visitor().ask(get(name, "/head", cookie("w-1"))).status, 404);
        EXPECT_EQ(visitor().ask(get(name, "/ws", cookie("w-1"),
                                    {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                     "Sec-WebSocket-Key: a", ours}))
                      .status,
                  404);
        EXPECT_EQ(visitor().ask(request("POST", name, "/upload", cookie("w-1"), {ours, "Content-Length: 0"})).status, 404);
    }
    expect_nothing_came_through();
}

TEST_F(Access, ASiblingsPageReadsNothingButAPersonMayFollowALink) {
    start();
    give_routes();
    const auto fetched = [&](const std::vector<std::string>& lines) {
        return visitor().ask(get(host("w-1"), "/head", cookie("w-1"), lines)).status;
    };

    EXPECT_EQ(fetched({origin("w-2")}), 403);
    EXPECT_EQ(fetched({"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"}), 403);
    EXPECT_EQ(fetched({"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}), 403);
    EXPECT_EQ(fetched({"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}), 403);
    expect_nothing_came_through();

    EXPECT_EQ(fetched({"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}), 200);
    EXPECT_EQ(fetched({"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"}), 200);
    EXPECT_EQ(fetched({"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}), 200);
    EXPECT_EQ(fetched({origin("w-1")}), 200);
}

TEST_F(Access, AKeptConnectionIsJudgedAnewForEachRequest) {
    start();
    give_routes();
    auto browser = visitor();

    EXPECT_EQ(browser.ask(get(host("w-1"), "/head", cookie("w-1"))).status, 200);
    EXPECT_EQ(browser.ask(get(host("w-1"), "/head", "")).status, 401);
    EXPECT_EQ(browser.ask(get(host("w-2"), "/head", cookie("w-1"))).status, 401);
    EXPECT_EQ(browser.ask(get(host("w-2"), "/head", cookie("w-2"))).status, 200);
    EXPECT_EQ(browser.ask(get(host("w-1"), "/head", cookie("w-2"))).status, 401);
    EXPECT_EQ(browser.ask(get(host("w-1"), "/head", cookie("w-1"))).status, 200);

    EXPECT_EQ(one.heads().size(), 2u);
    EXPECT_EQ(two.heads().size(), 1u);
    for (const auto& head : one.heads()) EXPECT_NE(head.find("w-1.localhost"), std::string::npos);

    auto next = route_of("w-1");   // the workspace is Bob's neighbour's now: same name, another epoch and container
    next.epoch = Epoch{8};
    next.port = two.port();
    put(next);
    EXPECT_EQ(browser.ask(get(host("w-1"), "/head", cookie("w-1"))).status, 401);
    auto renewed = claims(TokenPurpose::session, "w-1");
    renewed.epoch = Epoch{8};
    EXPECT_EQ(browser.ask(get(host("w-1"), "/head", cookie(renewed))).status, 200);
    EXPECT_EQ(two.heads().size(), 2u);
}

TEST_F(Access, WithoutAFreshRouteNobodyIsLetIn) {
    start();
    give_routes();
    const auto page = [&] {
        return visitor().ask(get(host("w-1"), "/head", cookie("w-1"), {"Accept: application/json"}));
    };

    auto route = route_of("w-1");
    route.confirmed_at = now() - Duration{901'000};
    put(route);
    EXPECT_NE(page().body.find("\"unconfirmed\""), std::string::npos);
    EXPECT_EQ(page().status, 503);
    EXPECT_EQ(open("w-1", link("w-1")).status, 503);

    ASSERT_TRUE(kv().apply({DropRoute{{"w-1"}}}));
    EXPECT_EQ(page().status, 404);
    SlotRecord slot{.slot = 0, .phase = SlotPhase::binding, .epoch = Epoch{7}, .workspace = {"w-1"}};
    ASSERT_TRUE(kv().apply({slot}));
    EXPECT_EQ(page().status, 503);
    EXPECT_EQ(page().field("retry-after"), "2");
    slot.phase = SlotPhase::stopped;
    ASSERT_TRUE(kv().apply({slot}));
    EXPECT_EQ(page().status, 410);
    expect_nothing_came_through();
}

}  // namespace
}  // namespace berth::proxy_tests
