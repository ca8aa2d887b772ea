// SPDX-License-Identifier: Apache-2.0
// Without DNS: each slot's workspace at a port of its own on the host's address (issue 13, point 2c).
#include "os/ports.hpp"
#include "tests/integration/proxy/world.hpp"

namespace berth::proxy_tests {
namespace {

constexpr std::uint32_t ports = 2;

/// Somewhere below the ephemeral range; another program may be quicker, then the proxy says so.
std::uint16_t free_ports() {
    const auto begin = 22'000 + static_cast<std::uint32_t>(::getpid()) % 5'000;
    for (std::uint32_t at = begin; at < 32'000; at += ports) {
        bool free = true;
        for (std::uint32_t i = 0; i < ports; ++i) free = free && os::check_port_is_free(at + i);
        if (free) return static_cast<std::uint16_t>(at);
    }
    throw std::runtime_error("no two ports are free");
}

class Plain : public ProxyTest {
protected:
    Plain() : first_(free_ports()) {}
    void begin() {
        start(fmt::format("plain_port_first = {}\nplain_port_count = {}\n", first_, ports));
        give_routes();
    }
    std::uint16_t port_of(std::uint32_t slot) const { return static_cast<std::uint16_t>(first_ + slot); }
    std::string at(std::uint32_t slot) const { return fmt::format("127.0.0.1:{}", port_of(slot)); }
    Reply ask(std::uint32_t slot, const std::string& request) const { return Visitor{port_of(slot)}.ask(request); }
    int status(std::uint32_t slot, const std::string& cookies) const { return ask(slot, get(at(slot), "/head", cookies)).status; }
    std::uint16_t first_;
};

TEST_F(Plain, ALinkAtItsPortOpensThatSlotsWorkspaceAndNoOther) {
    begin();
    ASSERT_EQ(route_of("w-1").slot, 0U);
    const auto link = "/_berth/open?token=" + token(claims(TokenPurpose::link, "w-1"));

    EXPECT_EQ(ask(1, get(at(1), link, "")).status, 403) << "another workspace's port";
    const auto opened = ask(0, get(at(0), link, ""));

    ASSERT_EQ(opened.status, 302) << opened.body;
    const auto set = opened.field("set-cookie");
    EXPECT_TRUE(set.starts_with("berth-w-1=")) << "cookies know no ports, so their names tell whose they are";
    const auto session = set.substr(0, set.find(';'));
    EXPECT_EQ(status(0, session), 200);
    EXPECT_EQ(status(1, session), 401) << "the browser sends it to each port of the address";
    EXPECT_EQ(status(1, "berth-w-2" + session.substr(session.find('='))), 403);
    const auto both = session + "; " + cookie("w-2") + "; mine=1";
    EXPECT_EQ(status(0, both), 200);
    EXPECT_EQ(status(1, both), 200);
    EXPECT_EQ(one.heads().back().find("berth-"), std::string::npos) << "and no container sees another's";
    EXPECT_EQ(two.heads().back().find("berth-"), std::string::npos);
}

TEST_F(Plain, TheOriginIsTheAddressWithItsPort) {
    begin();
    const auto upgrade = [&](const std::string& origin) {
        return ask(0, get(at(0), "/ws", cookie("w-1"),
                          {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
                           "Origin: " + origin})).status;
    };
    EXPECT_EQ(upgrade("http://" + at(1)), 403) << "a page of the neighbour at the next port";
    EXPECT_EQ(upgrade("http://127.0.0.1"), 403);
    Visitor browser{port_of(0)};
    browser.send(get(at(0), "/ws", cookie("w-1"), {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                                   "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Origin: http://" + at(0)}));
    EXPECT_EQ(browser.head().status, 101);
}

TEST_F(Plain, APortGoesWithItsSlotToTheNextWorkspace) {
    begin();
    const auto mine = cookie("w-1");
    ASSERT_EQ(status(0, mine), 200);

    ASSERT_TRUE(kv().apply({DropRoute{WorkspaceId{"w-1"}}}));
    EXPECT_EQ(status(0, mine), 404);
    auto next = route_of("w-2");
    next.slot = 0;
    put(next);

    EXPECT_EQ(status(0, mine), 401) << "who was there before is nobody there now (I27)";
    EXPECT_EQ(status(0, cookie("w-2")), 200);
}

}  // namespace
}  // namespace berth::proxy_tests
