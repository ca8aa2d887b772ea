// SPDX-License-Identifier: Apache-2.0
// Nothing scripted: the reaper beside a real scaler and real hosts, with environments as processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/integration/scaler/fleet.hpp"

namespace berth::testing {
namespace {

using ::testing::SizeIs;

TEST(ReaperWhole, an_unused_workspace_is_stopped_by_its_host_and_its_slot_is_free_again) {
    Fleet fleet{"slots_per_host = 1\nbuffer = 1\nhosts_max = 1\nidle_after_ms = \"1s\"\n", "",
                "activity_every = \"200ms\"\n[allocator]\nheartbeat = \"300ms\"\n[reaper]\ntick = \"50ms\"\nobjection = \"500ms\"\n"};
    fleet.start();
    fleet.cluster.start("reaper");
    const auto ada = fleet.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    ASSERT_TRUE(fleet.until([&](const View& view) { return !view.workspaces.at(ada->workspace).leased; }))
        << fleet.cluster.log_of("reaper") << fleet.cluster.log_of(ada->host.value);
    EXPECT_THAT(fleet.facts_of<IdleNoted>(), SizeIs(1)) << fleet.cluster.log_of(ada->host.value);
    EXPECT_THAT(fleet.facts_of<StopObjected>(), SizeIs(0));
    const auto again = fleet.claim("bob");
    ASSERT_TRUE(again) << "the slot is clean and free: " << again.error().text;
}

TEST(ReaperWhole, a_dead_agent_makes_its_host_unknown_until_the_provider_brought_it_back) {
    Fleet fleet{"slots_per_host = 1\nbuffer = 0\nhosts_max = 1\nidle_after_ms = \"0ms\"\n", "",
                "activity_every = \"200ms\"\n[allocator]\nheartbeat = \"300ms\"\n[ledger]\nbeacon = \"100ms\"\n"
                "[reaper]\nbeacon_silence = \"1s\"\ntick = \"50ms\"\n"
                "[provider.local]\nrevive_pause = \"1500ms\"\n"};
    fleet.start();
    fleet.cluster.start("reaper");
    const auto ada = fleet.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    // After the second death the pause is long enough to be noticed.
    const auto first = fleet.agents_of(ada->host);
    fleet.kill_agent(ada->host);
    ASSERT_TRUE(eventually([&] { return fleet.agents_of(ada->host).size() == 1 && fleet.agents_of(ada->host) != first; }));
    ASSERT_EQ(::kill(fleet.agents_of(ada->host).front(), SIGKILL), 0);   // perhaps before it wrote its pid down
    ASSERT_TRUE(fleet.until([&](const View& view) { return view.hosts.at(ada->host).liveness == Liveness::unknown; }))
        << fleet.cluster.log_of("reaper");
    EXPECT_TRUE(fleet.view().workspaces.at(ada->workspace).leased);
    ASSERT_TRUE(fleet.until([&](const View& view) { return view.hosts.at(ada->host).liveness == Liveness::live; }))
        << fleet.cluster.log_of("scaler");
    EXPECT_TRUE(eventually([&] { return fleet.phase_of(ada->workspace) == SlotPhase::bound; }));
    EXPECT_EQ(fleet.view().workspaces.at(ada->workspace).epoch, ada->epoch);
    EXPECT_THAT(fleet.facts_of<HostGone>(), SizeIs(0));
}

}  // namespace
}  // namespace berth::testing
