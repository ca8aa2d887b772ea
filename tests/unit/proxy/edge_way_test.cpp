// SPDX-License-Identifier: Apache-2.0
// Where the front door sends a browser, by what the ledger says (issue 13, point 2b).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/edge_way.hpp"

namespace berth::proxy {
namespace {

using ::testing::HasSubstr;

View one_workspace() {
    View view;
    HostView host{.host = HostId{"box-1"}, .public_ip = "203.0.113.5", .private_ip = "10.0.0.5", .proxy_port = 9480};
    view.hosts[host.host] = host;
    WorkspaceView workspace{.workspace = WorkspaceId{"w-1"}, .state = WorkspaceState::active, .host = host.host, .leased = true};
    view.workspaces[workspace.workspace] = workspace;
    return view;
}

std::string text_of(const EdgeWay& way) {
    const auto* target = std::get_if<EdgeTarget>(&way);
    return target ? fmt::format("{}:{}", target->address, target->port) : fmt::format("{} {}", std::get<NoWay>(way).status, std::get<NoWay>(way).text);
}

TEST(EdgeWays, LeadToTheHostOfTheLeaseByItsInnerAddress) {
    auto view = one_workspace();
    EXPECT_EQ(text_of(way_to(view, WorkspaceId{"w-1"})), "10.0.0.5:9480");
    view.hosts[HostId{"box-1"}].private_ip = "127.79.30.251";
    EXPECT_EQ(text_of(way_to(view, WorkspaceId{"w-1"})), "203.0.113.5:9480") << "a loopback address leads nowhere";
    view.hosts[HostId{"box-1"}].private_ip.clear();
    EXPECT_EQ(text_of(way_to(view, WorkspaceId{"w-1"})), "203.0.113.5:9480");
    view.hosts[HostId{"box-1"}].liveness = Liveness::unknown;
    EXPECT_EQ(text_of(way_to(view, WorkspaceId{"w-1"})), "203.0.113.5:9480") << "what runs there runs on (I12)";
    view.workspaces[WorkspaceId{"w-1"}].state = WorkspaceState::stopped;
    EXPECT_EQ(text_of(way_to(view, WorkspaceId{"w-1"})), "203.0.113.5:9480") << "its last host says what became of it";
}

TEST(EdgeWays, OrSayWhyThereIsNone) {
    auto view = one_workspace();
    EXPECT_THAT(text_of(way_to(view, WorkspaceId{"w-2"})), HasSubstr("404 There is no workspace"));
    view.hosts[HostId{"box-1"}].proxy_port = 0;
    EXPECT_THAT(text_of(way_to(view, WorkspaceId{"w-1"})), HasSubstr("503 The host box-1 has no proxy"));
    view.hosts[HostId{"box-1"}].liveness = Liveness::gone;
    EXPECT_THAT(text_of(way_to(view, WorkspaceId{"w-1"})), HasSubstr("its last host is gone"));
    view.workspaces[WorkspaceId{"w-1"}].state = WorkspaceState::destroyed;
    EXPECT_THAT(text_of(way_to(view, WorkspaceId{"w-1"})), HasSubstr("404 There is no workspace"));
}

TEST(EdgeWays, OneHostFieldIsReadAndNothingElseNamesAWorkspace) {
    struct Row {
        const char* name;
        std::string head;
        std::optional<std::string> host;
    };
    const Row rows[] = {{"plain", "GET / HTTP/1.1\r\nHost: w-1.apps.test:8080\r\n\r\n", "w-1.apps.test:8080"},
                        {"case and blanks", "GET / HTTP/1.1\r\nA: b\r\nhOsT:\t w-1.apps.test \r\n\r\nbody", "w-1.apps.test"},
                        {"none", "GET / HTTP/1.1\r\nA: b\r\n\r\n", std::nullopt},
                        {"two", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", std::nullopt},
                        {"in a body", "GET / HTTP/1.1\r\n\r\nHost: a\r\n\r\n", std::nullopt},
                        {"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", std::nullopt},
                        {"no HTTP", "\x16\x03\x01 whatever\r\n\r\n", std::nullopt},
                        {"nothing", "", std::nullopt}};
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(host_in_head(row.head), row.host);
    }
}

TEST(EdgeWays, AHostIsToldWhereTheBrowserIs) {
    EXPECT_EQ(proxy_line("192.0.2.7", 51'000, "198.18.0.41", 443), "PROXY TCP4 192.0.2.7 198.18.0.41 51000 443\r\n");
    EXPECT_EQ(proxy_line("2001:db8::7", 51'000, "2001:db8::1", 443), "PROXY TCP6 2001:db8::7 2001:db8::1 51000 443\r\n");
}

}  // namespace
}  // namespace berth::proxy
