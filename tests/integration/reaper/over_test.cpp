// SPDX-License-Identifier: Apache-2.0
// What else is over: leases by the clock, hosts that are silent or ended, instances of nobody.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/reaper/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

Instance instance_of(const std::string& name, InstanceState state = InstanceState::running) {
    return {.instance = name, .incarnation = {"i-" + name}, .pool = {"default"}, .state = state,
            .launched_at = RealClock{}.now() - Duration{3'600'000}, .protected_from_scale_in = true};
}

TEST(ReaperOver, an_expired_lease_is_reaped_and_only_that_one) {
    ReaperStage stage{"idle_after_ms = \"0ms\"\n"};
    stage.start();
    const auto ada = stage.claim("ada", Duration{3'000});
    const auto bob = stage.claim("bob");
    ASSERT_TRUE(ada && bob);
    ASSERT_TRUE(stage.until([&] { return !stage.workspace(ada->workspace)->leased; })) << stage.cluster.log_of("reaper");
    EXPECT_EQ(stage.workspace(bob->workspace)->state, WorkspaceState::active);
    EXPECT_THAT(stage.intents, SizeIs(0)) << "nobody was idle";
    ASSERT_THAT(stage.host->stopped, SizeIs(1));
    EXPECT_EQ(stage.host->stopped[0].workspace, ada->workspace);
}

TEST(ReaperOver, a_lease_that_expired_while_no_reaper_ran_is_reaped_by_the_next) {
    ReaperStage stage{"idle_after_ms = \"0ms\"\n"};
    stage.start();
    stage.cluster.process("reaper").kill();
    const auto ada = stage.claim("ada", Duration{800});
    ASSERT_TRUE(ada) << ada.error().text;
    ASSERT_TRUE(stage.hears_for(Duration{1'500}));
    EXPECT_TRUE(stage.workspace(ada->workspace)->leased) << "the clock alone ends nothing (I10)";
    stage.cluster.start("reaper");
    ASSERT_TRUE(stage.until([&] { return !stage.workspace(ada->workspace)->leased; })) << stage.cluster.log_of("reaper");
}

TEST(ReaperOver, a_silent_host_is_unknown_keeps_its_leases_and_comes_back_I15) {
    ReaperStage stage{"idle_after_ms = \"600ms\"\n"};
    RealClock clock;
    stage.last_used = [&] { return clock.now(); };
    stage.start();
    const auto ada = stage.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    stage.beats = false;
    ASSERT_TRUE(stage.until([&] { return stage.view().hosts.at({"h-1"}).liveness == Liveness::unknown; })) << stage.cluster.log_of("reaper");
    ASSERT_TRUE(stage.hears_for(Duration{1'000}));
    EXPECT_TRUE(stage.workspace(ada->workspace)->leased);
    EXPECT_EQ(stage.workspace(ada->workspace)->host, HostId{"h-1"});
    EXPECT_THAT(stage.intents, SizeIs(0)) << "a silent host is not an idle one";
    EXPECT_THAT(stage.facts_of<HostGone>(), SizeIs(0));
    stage.beats = true;
    ASSERT_TRUE(stage.until([&] { return stage.view().hosts.at({"h-1"}).liveness == Liveness::live; }));
    EXPECT_EQ(stage.workspace(ada->workspace)->epoch, ada->epoch);
}

TEST(ReaperOver, a_reaper_that_is_cut_off_takes_nobody_for_silent) {
    ReaperStage stage{"idle_after_ms = \"0ms\"\n", "heartbeat = \"1s\"\n"};
    stage.start();
    ASSERT_TRUE(stage.hears_for(Duration{500}));
    stage.cluster.process("allocator").kill();
    stage.beats = false;
    ASSERT_TRUE(stage.hears_for(Duration{3'000}));
    stage.beats = true;
    stage.cluster.start("allocator");
    ASSERT_TRUE(stage.until([&] { return !stage.view().hosts.empty(); }));
    ASSERT_TRUE(stage.hears_for(Duration{500}));
    EXPECT_EQ(stage.view().hosts.at({"h-1"}).liveness, Liveness::live);
    EXPECT_THAT(stage.facts_of<HostUnknown>(), SizeIs(0)) << stage.cluster.log_of("reaper");
}

TEST(ReaperOver, a_host_is_gone_only_on_the_providers_word_I15) {
    ReaperStage stage{"idle_after_ms = \"0ms\"\n"};
    stage.start();
    const auto ada = stage.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    stage.beats = false;
    ASSERT_TRUE(stage.until([&] { return stage.view().hosts.at({"h-1"}).liveness == Liveness::unknown; }));
    stage.list({});                       // one listing without it proves nothing
    ASSERT_TRUE(stage.hears_for(Duration{500}));
    EXPECT_TRUE(stage.workspace(ada->workspace)->leased);
    ASSERT_TRUE(stage.until([&] {
        stage.list({instance_of("h-1", InstanceState::terminated)});
        return stage.view().hosts.at({"h-1"}).liveness == Liveness::gone;
    })) << stage.cluster.log_of("reaper");
    EXPECT_FALSE(stage.workspace(ada->workspace)->leased);
}

TEST(ReaperOver, an_orphan_is_named_after_two_listings_and_only_that_one_I17) {
    ReaperStage stage{"idle_after_ms = \"0ms\"\n", "orphan_between = \"1s\"\norphan_grace = \"2s\"\n"};
    stage.start();
    auto young = instance_of("h-8");
    young.launched_at = RealClock{}.now() + Duration{3'600'000};
    ASSERT_TRUE(stage.until([&] {
        stage.list({instance_of("h-1"), instance_of("h-9"), young});
        return !stage.orphans.empty();
    })) << stage.cluster.log_of("reaper");
    EXPECT_EQ(stage.orphans[0].instance, "h-9");
    EXPECT_EQ(stage.orphans[0].incarnation, HostIncarnation{"i-h-9"});
    EXPECT_FALSE(stage.orphans[0].evidence.empty());
    for (const auto& orphan : stage.orphans) EXPECT_EQ(orphan.instance, "h-9");
}

TEST(ReaperOver, more_orphans_than_the_share_open_the_breaker_and_none_is_touched_I17) {
    ReaperStage stage{"idle_after_ms = \"0ms\"\n", "orphan_between = \"500ms\"\norphan_grace = \"1s\"\n"};
    stage.start();
    ASSERT_TRUE(stage.until([&] {
        stage.list({instance_of("h-1"), instance_of("h-7"), instance_of("h-8"), instance_of("h-9")});
        return stage.cluster.log_of("reaper").find("breaker") != std::string::npos;
    })) << stage.cluster.log_of("reaper");
    EXPECT_LE(stage.orphans.size(), 1U);
}

TEST(ReaperOver, ends_with_0_within_two_seconds_of_SIGTERM) {
    ReaperStage stage{""};
    stage.start();
    EXPECT_EQ(stage.cluster.process("reaper").terminate(Duration{2'000}), 0);
}

}  // namespace
}  // namespace berth::testing
