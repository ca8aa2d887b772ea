// SPDX-License-Identifier: Apache-2.0
// A session goes on while it is used, up to the lease, and who comes late is led back in (field report 21).
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/integration/proxy/world.hpp"

namespace berth::proxy_tests {
namespace {

class Session : public ProxyTest {
protected:
    /// As if it had been opened so long ago.
    TokenClaims opened(Duration ago) const {
        auto session = claims(TokenPurpose::session, "w-1");
        session.expires_at -= ago;
        return session;
    }
    Reply page(const std::string& cookies, const std::vector<std::string>& more = {}) const {
        return visitor().ask(get(host("w-1"), "/head", cookies, more));
    }
    static constexpr Duration hour{3'600'000};
};

TEST_F(Session, OneThatIsUsedIsFollowedByANewOne) {
    start();
    give_routes();
    EXPECT_FALSE(page(cookie(opened(5 * hour))).has("set-cookie"));

    const auto answer = page(cookie(opened(7 * hour)));

    EXPECT_EQ(answer.status, 200);
    const auto set = answer.field("set-cookie");
    EXPECT_TRUE(set.starts_with("berth-w-1="));
    EXPECT_NE(set.find("Max-Age=43200"), std::string::npos) << set;
    const auto next = set.substr(0, set.find(';'));
    EXPECT_EQ(page(next).status, 200);
    EXPECT_FALSE(page(next).has("set-cookie"));
    const auto claims = verify_token(next.substr(next.find('=') + 1), TokenPurpose::session, {"h-1"}, kv().secret(), now());
    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->epoch, Epoch{7});

    auto socket = visitor();
    socket.send(get(host("w-1"), "/ws", cookie(opened(7 * hour)),
                    {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: a",
                     origin("w-1")}));
    const auto upgraded = socket.head();
    EXPECT_EQ(upgraded.status, 101);
    EXPECT_TRUE(upgraded.has("set-cookie"));
}

TEST_F(Session, ALiveConnectionIsNotCutWhenItsTokenEndsAndComesBackByTheSameCookie) {
    start();
    give_routes();
    const auto nearly_over = opened(12 * hour - Duration{1'500});
    auto socket = visitor();
    socket.send(get(host("w-1"), "/ws", cookie(nearly_over),
                    {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: a",
                     origin("w-1")}));
    EXPECT_EQ(socket.head().status, 101);
    EXPECT_TRUE(eventually([&] { return now() > nearly_over.expires_at + Duration{2'500}; }));

    const auto frame = masked_frame(0x82, "typed");
    socket.send(frame);
    EXPECT_EQ(socket.receive_exactly(frame.size()), frame);
    EXPECT_EQ(page(cookie(nearly_over)).status, 200);
    EXPECT_EQ(page(cookie(opened(13 * hour))).status, 401);   // one that nobody used

    kill_proxy(SIGTERM);
    EXPECT_EQ(wait_for_end(), 0);
    start();
    EXPECT_EQ(page(cookie(nearly_over)).status, 200);
    std::ifstream file{dir + "/proxy.sessions"};
    std::ostringstream kept;
    kept << file.rdbuf();
    EXPECT_EQ(kept.str().find("eyJ"), std::string::npos) << "a token stands in a file";

    ASSERT_TRUE(kv().apply({DropRoute{{"w-1"}}}));   // the lease is over: use keeps nothing
    EXPECT_NE(page(cookie(nearly_over)).status, 200);
}

TEST_F(Session, WhoComesLateIsLedToTheGateway) {
    start("gateway_url = \"https://berth.example.org/\"");
    give_routes();
    const std::vector<std::string> person{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none"};
    const std::string back = "https://berth.example.org/open/w-1";

    for (const auto& cookies : {std::string{}, cookie(opened(13 * hour)), std::string{"berth-w-1=x"}}) {
        const auto led = page(cookies, person);
        EXPECT_EQ(led.status, 302);
        EXPECT_EQ(led.field("location"), back);
        const auto program = page(cookies, {"Accept: application/json"});
        EXPECT_EQ(program.status, 401);
        EXPECT_NE(program.body.find("\"open\":\"" + back + "\""), std::string::npos) << program.body;
    }
    // A bookmark of what is not here leads there too; a link of it does not: nobody is sent round and round.
    EXPECT_EQ(visitor().ask(get(host("w-9"), "/", "", person)).field("location"), "https://berth.example.org/open/w-9");
    const auto stale = visitor().ask(get(host("w-9"), "/_berth/open?token=" + token(claims(TokenPurpose::link, "w-9")), "", person));
    EXPECT_EQ(stale.status, 404);
    EXPECT_EQ(visitor().ask(get(host("w-9"), "/", "")).status, 404);
    // A browser that keeps no cookie would go round and round.
    const auto link = token(claims(TokenPurpose::link, "w-1"));
    EXPECT_EQ(visitor().ask(get(host("w-1"), "/_berth/open?token=" + link, "", person)).status, 302);
    const auto lost = page("", person);
    EXPECT_EQ(lost.status, 401);
    EXPECT_NE(lost.body.find("cookie_lost"), std::string::npos);
}

TEST_F(Session, WithoutAGatewaysAddressThePageSaysHow) {
    start();
    give_routes();
    const auto told = page("", {"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"});
    EXPECT_EQ(told.status, 401);
    EXPECT_NE(told.body.find("berth open"), std::string::npos);
}

}  // namespace
}  // namespace berth::proxy_tests
