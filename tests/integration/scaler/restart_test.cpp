// SPDX-License-Identifier: Apache-2.0
// kill -9 of the scaler at any moment, of agents, and the whole machine off and on again: the same
// hosts, the same workspaces, and nothing twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/integration/scaler/fleet.hpp"

namespace berth::testing {
namespace {

using ::testing::SizeIs;

TEST(ScalerRestart, killed_in_the_middle_of_launches_it_launches_nothing_twice_I31) {
    Fleet fleet{"slots_per_host = 1\nbuffer = 1\nhosts_max = 8\n", "cooldown = \"50ms\"\n"};
    fleet.start();
    TestPeer tap(fleet.cluster, "tap", Role::tap);
    std::uint32_t started = 0;
    tap.endpoint().subscribe("launch.started", [&](const bus::Delivery&) { ++started; });
    std::uint32_t users = 0;
    // From right after the fact to after the agent's start.
    for (const auto later : {0, 5, 40, 120}) {
        SCOPED_TRACE(later);
        ASSERT_TRUE(fleet.until([](const View& view) { return free_slots(view) >= 1; }, Duration{20'000})) << fleet.cluster.log_of("scaler");
        const auto before = started;
        const auto claimed = fleet.claim(fmt::format("u{}", ++users));
        ASSERT_TRUE(claimed) << claimed.error().text;
        ASSERT_TRUE(tap.until([&] { return started > before || fleet.facts_of<LaunchStarted>().size() > users; }));
        tap.until([] { return false; }, Duration{later});
        fleet.cluster.process("scaler").kill();
        fleet.cluster.start("scaler");
    }
    ASSERT_TRUE(fleet.until([&](const View& view) { return view.launches.empty() && live_hosts(view) == users + 1; }, Duration{20'000}))
        << fleet.cluster.log_of("scaler");
    EXPECT_THAT(fleet.facts_of<LaunchStarted>(), SizeIs(users + 1));
    EXPECT_THAT(fleet.facts_of<LaunchFailed>(), SizeIs(0));
    ASSERT_TRUE(eventually([&] { return wrong_launches(fleet).empty(); })) << wrong_launches(fleet);
}

TEST(ScalerRestart, a_killed_agent_comes_back_as_the_same_host_and_its_user_stays) {
    Fleet fleet{"slots_per_host = 2\nbuffer = 1\nhosts_max = 1\n", "", "[provider.local]\nrevive_pause = \"100ms\"\n"};
    fleet.start();
    const auto ada = fleet.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    const auto before = fleet.view().hosts.at(ada->host);
    const auto pids = fleet.agents_of(ada->host);
    ASSERT_THAT(pids, SizeIs(1));
    fleet.kill_agent(ada->host);
    ASSERT_TRUE(eventually([&] { return fleet.agents_of(ada->host).size() == 1 && fleet.agents_of(ada->host) != pids; }))
        << fleet.cluster.log_of("scaler");
    const auto bob = fleet.claim("bob");
    ASSERT_TRUE(bob) << "it serves again: " << bob.error().text;
    EXPECT_EQ(bob->host, ada->host);
    const auto after = fleet.view().hosts.at(ada->host);
    EXPECT_EQ(after.incarnation, before.incarnation);
    EXPECT_EQ(after.proxy_port, before.proxy_port);
    EXPECT_TRUE(eventually([&] { return fleet.phase_of(ada->workspace) == SlotPhase::bound; }));
    EXPECT_EQ(fleet.view().workspaces.at(ada->workspace).epoch, ada->epoch) << "the same lease";
}

TEST(ScalerRestart, starting_everything_again_finds_the_same_hosts_and_the_same_workspaces) {
    Fleet fleet{"slots_per_host = 2\nbuffer = 1\nhosts_max = 2\n"};
    fleet.start();
    const auto ada = fleet.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    const auto before = fleet.view();
    fleet.stop_like_up();
    for (const auto& instance : fleet.instances()) EXPECT_TRUE(fleet.agents_of({instance.host}).empty());

    fleet.start();
    ASSERT_TRUE(eventually([&] { return fleet.phase_of(ada->workspace) == SlotPhase::bound; }, Duration{20'000}))
        << "the environment is there again: " << fleet.cluster.log_of(ada->host.value);
    const auto after = fleet.view();
    ASSERT_EQ(after.hosts.size(), before.hosts.size());
    for (const auto& [id, host] : before.hosts) {
        EXPECT_EQ(after.hosts.at(id).incarnation, host.incarnation);
        EXPECT_EQ(after.hosts.at(id).proxy_port, host.proxy_port);
    }
    EXPECT_EQ(after.workspaces.at(ada->workspace).epoch, ada->epoch);
    EXPECT_TRUE(after.workspaces.at(ada->workspace).leased);
    EXPECT_THAT(fleet.facts_of<LaunchStarted>(), SizeIs(before.hosts.size()));
    EXPECT_EQ(wrong_launches(fleet), "");
    const auto again = fleet.claim("ada");
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->workspace, ada->workspace);
}

TEST(ScalerRestart, a_second_scaler_of_the_same_folder_does_not_touch_its_hosts) {
    Fleet fleet{"slots_per_host = 1\nbuffer = 1\nhosts_max = 2\n"};
    fleet.start();
    ASSERT_TRUE(fleet.until([](const View& view) { return live_hosts(view) == 1; })) << fleet.cluster.log_of("scaler");
    Child second({std::string{BERTH_BIN_DIR} + "/berth-scaler", "--config", fleet.cluster.config(), "--state", fleet.cluster.state()},
                 fleet.cluster.state() + "/log/second.log");
    EXPECT_NE(second.wait(Duration{15'000}).value_or(0), 0);
    EXPECT_THAT(read_text(second.log()), ::testing::HasSubstr("another scaler"));
    EXPECT_EQ(wrong_launches(fleet), "");
}

}  // namespace
}  // namespace berth::testing
