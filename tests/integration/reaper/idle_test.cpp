// SPDX-License-Identifier: Apache-2.0
// Idle, on real processes: one intent, which both sides consume; what is not known is not quiet; the
// host's objection stands; and a reaper that is killed on the way changes no outcome.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/reaper/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::SizeIs;

constexpr const char* soon_idle = "idle_after_ms = \"600ms\"\n";

bool is_stopped(ReaperStage& stage, const WorkspaceId& id) {
    const auto workspace = stage.workspace(id);
    return workspace && !workspace->leased && workspace->state == WorkspaceState::stopped;
}

TEST(ReaperIdle, one_intent_stops_a_quiet_workspace_and_the_allocator_records_it) {
    ReaperStage stage{soon_idle};
    stage.start();
    const auto ada = stage.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    ASSERT_TRUE(stage.until([&] { return is_stopped(stage, ada->workspace); })) << stage.cluster.log_of("reaper");
    ASSERT_THAT(stage.intents, SizeIs(1)) << "said once";
    EXPECT_EQ(stage.intents[0].workspace, ada->workspace);
    EXPECT_EQ(stage.intents[0].epoch, ada->epoch);
    EXPECT_GE(stage.intents[0].stop_at - stage.intents[0].quiet_since, Duration{900}) << "the window, and then the time to object";
    EXPECT_THAT(stage.facts_of<IdleNoted>(), SizeIs(1));
    EXPECT_THAT(stage.facts_of<WorkspaceStopped>(), SizeIs(1));
}

TEST(ReaperIdle, a_signal_that_cannot_be_read_vetoes_and_so_does_silence_I32) {
    ReaperStage stage{soon_idle};
    stage.knows_signals = false;
    stage.start();
    const auto ada = stage.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    ASSERT_TRUE(stage.hears_for(Duration{1'300}));
    EXPECT_THAT(stage.intents, SizeIs(0)) << "unknown is not quiet";
    stage.knows_signals = true;
    stage.reads = false;
    ASSERT_TRUE(stage.hears_for(Duration{1'100}));
    EXPECT_THAT(stage.intents, SizeIs(0)) << "no reading is not a quiet one";
    RealClock clock;
    stage.reads = true;
    stage.last_used = [&] { return clock.now(); };
    ASSERT_TRUE(stage.hears_for(Duration{1'100}));
    EXPECT_THAT(stage.intents, SizeIs(0)) << "it is used";
    const auto left = clock.now();
    stage.last_used = [=] { return left; };
    ASSERT_TRUE(stage.until([&] { return stage.intents.size() == 1; }));
    EXPECT_GE(stage.intents[0].quiet_since, left - Duration{50}) << "counted from the last sign of use";
}

TEST(ReaperIdle, an_objection_holds_for_a_whole_window) {
    ReaperStage stage{"idle_after_ms = \"1500ms\"\n"};
    stage.stops_when_idle = false;
    stage.start();
    const auto ada = stage.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    ASSERT_TRUE(stage.until([&] { return stage.intents.size() == 1; })) << stage.cluster.log_of("reaper");
    stage.object(stage.intents[0]);
    ASSERT_TRUE(stage.until([&] { return stage.facts_of<StopObjected>().size() == 1; }));
    ASSERT_TRUE(stage.until([&] { return stage.intents.size() == 2; }));
    EXPECT_GE(stage.intents[1].stop_at - stage.intents[0].stop_at, Duration{1'500})
        << "although the signals alone would be quiet at once";
    EXPECT_EQ(stage.workspace(ada->workspace)->state, WorkspaceState::active);
}

TEST(ReaperIdle, a_reaper_that_is_killed_between_intent_and_end_says_it_again_only_if_nothing_came_of_it) {
    ReaperStage stage{soon_idle, "intent_grace = \"1500ms\"\n"};
    stage.stops_when_idle = false;        // the host lost the intent
    stage.start();
    const auto ada = stage.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    ASSERT_TRUE(stage.until([&] { return !stage.intents.empty() && !stage.facts_of<IdleNoted>().empty(); }));
    stage.restart_reaper();
    ASSERT_TRUE(stage.until([&] { return stage.intents.size() >= 2; })) << stage.cluster.log_of("reaper");
    EXPECT_GE(stage.intents[1].stop_at, stage.intents[0].stop_at + Duration{1'500}) << "after the first one's end and its grace";
    stage.stops_when_idle = true;
    ASSERT_TRUE(stage.until([&] { return is_stopped(stage, ada->workspace); }));
}

TEST(ReaperIdle, killed_in_the_middle_the_same_intent_ends_well_without_it) {
    ReaperStage stage{soon_idle};
    stage.start();
    const auto ada = stage.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    ASSERT_TRUE(stage.until([&] { return stage.intents.size() == 1; })) << stage.cluster.log_of("reaper");
    stage.cluster.process("reaper").kill();
    ASSERT_TRUE(stage.until([&] { return is_stopped(stage, ada->workspace); })) << "host and allocator need nobody else";
}

}  // namespace
}  // namespace berth::testing
