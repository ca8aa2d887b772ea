// SPDX-License-Identifier: Apache-2.0
// The command line against the real gateway: each call of cli/gateway_client.cpp.
#include <gmock/gmock.h>

#include "tests/integration/gateway/command_line.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(CommandLine, claims_and_looks) {
    const auto claimed = berth({"claim", "web", "--user", "ada", "--ttl", "1h", "-o", "json"});
    ASSERT_EQ(claimed.exit, 0) << claimed.text;
    EXPECT_THAT(claimed.text, HasSubstr("/_berth/open?token="));
    const auto list = berth({"list", "-o", "json"});
    EXPECT_EQ(list.exit, 0) << list.text;
    EXPECT_THAT(list.text, HasSubstr("\"web\""));
    EXPECT_THAT(list.text, Not(HasSubstr("_berth/open")));
    const auto hosts = berth({"hosts"});
    EXPECT_EQ(hosts.exit, 0);
    EXPECT_THAT(hosts.text, HasSubstr("h-1"));
    const auto pools = berth({"pools", "-o", "json"});
    EXPECT_EQ(pools.exit, 0);
    EXPECT_THAT(pools.text, HasSubstr("default"));
    EXPECT_EQ(berth({"status"}).exit, 0);
    EXPECT_EQ(berth({"status", "--instance-id", "h-1"}).exit, 0);
    const auto link = berth({"open", "web", "--user", "ada", "--print"});
    EXPECT_EQ(link.exit, 0) << link.text;
    EXPECT_THAT(link.text, HasSubstr("/_berth/open?token="));
    const auto why = berth({"why", get("/v1/workspaces").json["workspaces"][0]["workspace"].get<std::string>()});
    EXPECT_EQ(why.exit, 0) << why.text;
    EXPECT_THAT(why.text, HasSubstr("lease.granted"));
    EXPECT_EQ(berth({"wait", "web", "--user", "ada", "--timeout", "5s"}).exit, 0);
}

TEST_F(CommandLine, extends_holds_stops_starts_and_destroys) {
    ASSERT_EQ(berth({"claim", "web", "--user", "ada"}).exit, 0);
    const auto id = get("/v1/workspaces").json["workspaces"][0]["workspace"].get<std::string>();
    const auto before = get("/v1/workspaces/" + id).json["expires_at"].get<std::string>();
    const auto extended = berth({"extend", "web", "10h", "--user", "ada"});
    EXPECT_EQ(extended.exit, 0) << extended.text;
    EXPECT_GT(get("/v1/workspaces/" + id).json["expires_at"].get<std::string>(), before);
    const auto held = berth({"hold", "web", "2h", "--user", "ada", "--why", "a build"});
    EXPECT_EQ(held.exit, 0) << held.text;
    EXPECT_TRUE(get("/v1/workspaces/" + id).json.contains("hold_until"));
    const auto stopped = berth({"stop", "web", "--user", "ada", "--why", "lunch"});
    EXPECT_EQ(stopped.exit, 0) << stopped.text;
    settle(id, "stopped");
    const auto started = berth({"start", "web", "--user", "ada"});
    EXPECT_EQ(started.exit, 0) << started.text;
    EXPECT_EQ(get("/v1/workspaces/" + id).json["state"], "active");
    host->stopped.clear();
    const auto released = berth({"release", "web", "--user", "ada"});
    EXPECT_EQ(released.exit, 0) << released.text;
    settle(id, "stopped");
    EXPECT_EQ(berth({"destroy", "web", "--user", "ada", "--yes"}).exit, 0);
    const auto facts = get("/v1/facts?subject=" + id).body;
    EXPECT_THAT(facts, HasSubstr("lunch"));
    EXPECT_THAT(facts, HasSubstr("a build"));
    EXPECT_THAT(facts, HasSubstr("workspace.destroying"));
}

TEST_F(CommandLine, taps_from_a_position) {
    ASSERT_EQ(berth({"claim", "web", "--user", "ada"}).exit, 0);
    const auto tapped = berth({"tap", "claim.", "--from", "0", "--count", "2", "-o", "cloudevents"});
    EXPECT_EQ(tapped.exit, 0) << tapped.text;
    EXPECT_THAT(tapped.text, HasSubstr("claim.accepted"));
    EXPECT_THAT(tapped.text, HasSubstr("claim.granted"));
    EXPECT_THAT(tapped.text, HasSubstr("specversion"));
}

TEST_F(CommandLine, exits_by_what_went_wrong) {
    EXPECT_EQ(berth({"stop", "nothing", "--user", "ada"}).exit, 5) << "not found";
    EXPECT_EQ(berth({"claim", "health", "--user", "ada"}).exit, 2) << "a reserved word";
    for (int i = 0; i < 4; ++i) ASSERT_EQ(claim("ada", "p" + std::to_string(i), "k" + std::to_string(i)).status, 201);
    EXPECT_EQ(berth({"claim", "more", "--user", "ada", "--no-wait"}).exit, 3) << "nothing free";
    write_text(cluster.state() + "/bad-token", "berth_" + std::string(64, '0') + "\n");
    const auto denied = berth({"--token-file", cluster.state() + "/bad-token", "list"});
    EXPECT_EQ(denied.exit, 4) << denied.text;
    EXPECT_THAT(denied.text, Not(HasSubstr(std::string(64, '0')))) << "I30";
}

}  // namespace
}  // namespace berth::testing
