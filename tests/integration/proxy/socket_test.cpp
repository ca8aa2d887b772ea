// SPDX-License-Identifier: Apache-2.0
// A container that is reached by a Unix socket in its slot's folder (field report 13): the proxy goes
// there and nowhere else, whatever the container puts in its place.
#include <filesystem>
#include <fstream>

#include "tests/integration/proxy/world.hpp"

namespace berth::proxy_tests {
namespace {

class ContainerSocket : public ProxyTest {
protected:
    ContainerSocket() { std::filesystem::create_directories(dir + "/slot"); }

    std::string path() const { return dir + "/slot/editor.sock"; }
    void lead_to(const std::string& socket) {
        auto route = route_of("w-1");
        route.port = 0;
        route.socket = socket;
        put(route);
    }
    Reply page(const std::string& path = "/head") {
        return visitor().ask(get(host("w-1"), path, cookie("w-1"), {"Accept: application/json"}));
    }
};

TEST_F(ContainerSocket, PagesUploadsAndWebSocketsPassThroughIt) {
    Container inside(path());
    start();
    lead_to(path());

    EXPECT_EQ(page().status, 200);
    const auto body = pattern(300'000);
    const auto sent = visitor().ask(request("POST", host("w-1"), "/upload", cookie("w-1"),
                                            {origin("w-1"), "Content-Length: " + std::to_string(body.size())}) +
                                    body);
    EXPECT_EQ(sent.body, std::to_string(body.size()) + " " + sha256(body));
    auto browser = websocket();
    const auto frame = masked_frame(0x82, pattern(200'000));
    browser.send(frame);
    EXPECT_EQ(browser.receive_exactly(frame.size()), frame);
    auto kept = visitor();
    EXPECT_EQ(kept.ask(get(host("w-1"), "/head", cookie("w-1"))).status, 200);
    const auto connections = inside.connections();
    EXPECT_EQ(kept.ask(get(host("w-1"), "/head", cookie("w-1"))).status, 200);
    EXPECT_EQ(inside.connections(), connections);

    EXPECT_EQ(inside.heads().size(), 5u);
    EXPECT_EQ(one.heads().size(), 0u);
}

TEST_F(ContainerSocket, ARouteThatMovesIsFollowedByAKeptConnection) {
    Container inside(path());
    Container next(dir + "/slot/next.sock");
    start();
    lead_to(path());
    auto browser = visitor();
    EXPECT_EQ(browser.ask(get(host("w-1"), "/head", cookie("w-1"))).status, 200);

    lead_to(dir + "/slot/next.sock");

    EXPECT_EQ(browser.ask(get(host("w-1"), "/head", cookie("w-1"))).status, 200);
    EXPECT_EQ(inside.heads().size(), 1u);
    EXPECT_EQ(next.heads().size(), 1u);
}

TEST_F(ContainerSocket, ItsPathMayBeLongerThanASocketsAddress) {
    const auto folder = dir + "/" + std::string(100, 'a') + "/" + std::string(100, 'b');
    std::filesystem::create_directories(folder);
    Container inside(path());
    std::filesystem::rename(path(), folder + "/editor.sock");
    start();
    lead_to(folder + "/editor.sock");

    EXPECT_EQ(page().status, 200);
    EXPECT_EQ(inside.heads().size(), 1u);
}

TEST_F(ContainerSocket, NeitherALinkNorAFileIsFollowed) {
    Container inside(path());
    const Container neighbour(dir + "/neighbour.sock");
    start();
    lead_to(path());
    EXPECT_EQ(page().status, 200);

    std::filesystem::remove(path());
    std::filesystem::create_symlink(dir + "/neighbour.sock", path());
    EXPECT_EQ(page().status, 502);
    std::filesystem::remove(path());
    EXPECT_EQ(page().status, 502);
    std::ofstream{path()} << "no socket";
    EXPECT_EQ(page().status, 502);

    EXPECT_NE(log().find("container.unreachable"), std::string::npos);
    EXPECT_EQ(neighbour.connections(), 0u);
    EXPECT_EQ(inside.heads().size(), 1u);
}

}  // namespace
}  // namespace berth::proxy_tests
