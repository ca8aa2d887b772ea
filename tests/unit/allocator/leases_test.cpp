// SPDX-License-Identifier: Apache-2.0
#include "play.hpp"

namespace berth::allocator {
namespace {

struct Running : Play {
    Running() {
        host("h-1", 2);
        claim("k1", "ada");
        bound();
        linked();
    }
};

TEST(Leases, ReleaseStopsWipesAndKeepsTheWorkspaceForLater) {
    Running play;

    const auto released = play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    const auto twice = play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopping);
    play.wiped();
    const auto id = play.workspace("ada").workspace;
    play.claim("k2", "ada");
    play.bound("k2");

    EXPECT_EQ(play.reply_to<Done>(released)->count, 1U);
    EXPECT_EQ(play.reply_to<Done>(twice)->count, 0U);
    EXPECT_EQ(play.workspace("ada").workspace, id);
    EXPECT_EQ(play.workspace("ada").epoch, Epoch{2});
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::active);
}

TEST(Leases, I10_AnOldLeasesLateAnswerNeverFreesTheNewOne) {
    Running play;
    play.host("h-2", 2);
    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    const auto id = play.workspace("ada").workspace;
    const auto old_stop = play.take<StopCommand>();
    play.beat("h-1", {{.slot = 0, .phase = SlotPhase::stopped, .epoch = Epoch{1}, .workspace = id}});
    play.ask(CordonRequest{{{"h-1"}, {"i1"}}, "test"}, Role::scaler, "scaler");
    play.claim("k2", "ada");
    play.bound("k2");
    ASSERT_EQ(play.workspace("ada").host, HostId{"h-2"});

    play.give(CommandAnswered{old_stop->id, HostAnswer{StopReply{0, Epoch{1}}}});

    EXPECT_EQ(play.workspace("ada").epoch, Epoch{2}) << "(workspace, epoch) names one lease, whichever slots it had";
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::active);
}

TEST(Leases, I2_ABindNamesTheLifeOfTheMachine) {
    Play play;
    play.host("h-1", 2, "i1");
    play.claim("k1", "ada");

    const auto bind = play.take<BindCommand>();

    ASSERT_TRUE(bind);
    EXPECT_EQ(std::get<BindCommand>(bind->body).incarnation, HostIncarnation{"i1"}) << "a later life of h-1 has to refuse it";
}

TEST(Leases, I10_SilenceNeverFreesASlot) {
    Running play;
    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    for (int i = 0; i < 5; ++i) {
        play.answer<StopCommand>(fail(ErrorKind::timeout, "no answer"));
        play.pass(Duration{2'000});
    }
    EXPECT_EQ(play.told<WorkspaceStopped>().size(), 0U);
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopping);
    EXPECT_TRUE(play.take<StopCommand>()) << "it is asked again";
}

TEST(Leases, ALostAnswerIsHealedByTheHeartbeat) {
    Running play;
    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});

    play.beat("h-1", {{.slot = 0, .phase = SlotPhase::stopped, .epoch = Epoch{1}, .workspace = play.workspace("ada").workspace}});

    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopped);
}

TEST(Leases, AnIdleStopIsOneIntentThenTheHostsWord) {
    Running play;
    const auto id = play.workspace("ada").workspace;
    const Reason reason{"quiet for 15m", "reaper", "1", {"proxy: 10:00"}};
    const WorkspaceIdle intent{.workspace = id, .epoch = Epoch{1}, .host = {"h-1"}, .slot = 0, .stop_at = play.now + Duration{30'000}};

    play.give(IdleIntended{intent, reason, "m1"});
    play.give(IdleIntended{intent, reason, "m1"});
    EXPECT_EQ(play.told<IdleNoted>().size(), 1U);
    play.beat("h-1", {{.slot = 0, .phase = SlotPhase::stopped, .epoch = Epoch{1}, .workspace = id, .text = "idle"}});

    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopped);
    EXPECT_EQ(play.told<WorkspaceStopping>().size(), 1U);
    EXPECT_EQ(play.state.view.hosts.at({"h-1"}).slots[0].use, SlotUse::free);
}

TEST(Leases, AnObjectionIsRecordedAndNothingStops) {
    Running play;
    const auto id = play.workspace("ada").workspace;
    play.give(IdleIntended{{.workspace = id, .epoch = Epoch{1}, .host = {"h-1"}, .stop_at = play.now}, Reason{"quiet", "reaper", "1"}, "m"});

    play.ask(HostObjected{.host = {"h-1"}, .workspace = id, .epoch = Epoch{1}, .signals = {{"cpu", std::nullopt}}}, Role::host, "h-1");

    EXPECT_EQ(play.told<StopObjected>().size(), 1U);
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::active);
    EXPECT_FALSE(play.workspace("ada").idle_stop_at);
}

TEST(Leases, ExtensionIsAbsoluteMonotonicAndCapped) {
    Running play;
    const auto target = WorkspaceRef{.user = UserId{"ada"}};
    const auto before = play.workspace("ada").expires_at;

    play.ask(ExtendRequest{.target = target, .expires_at = before - Duration{1}});
    EXPECT_EQ(play.workspace("ada").expires_at, before);
    play.ask(ExtendRequest{.target = target, .expires_at = before + Duration{1'000}});
    EXPECT_EQ(play.workspace("ada").expires_at, before + Duration{1'000});
    play.ask(ExtendRequest{.target = target, .expires_at = play.now + Duration{1'000LL * 3'600'000}});
    EXPECT_EQ(play.workspace("ada").expires_at, play.now + Duration{24 * 3'600'000});
}

TEST(Leases, ExtendingAStoppedWorkspaceStartsItAgain) {
    Running play;
    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    play.wiped();

    play.ask(ExtendRequest{.target = {.user = UserId{"ada"}}, .expires_at = play.now + Duration{60'000}});
    play.bound("k2");

    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::active);
    EXPECT_EQ(play.workspace("ada").expires_at, play.now + Duration{60'000});
}

TEST(Leases, TheReaperIsBelievedOnlyWhenTheLedgerAgrees) {
    Running play;
    const auto id = play.workspace("ada").workspace;

    const auto early = play.ask(ReapRequest{.workspace = id, .epoch = Epoch{1}, .cause = "expired"}, Role::reaper, "reaper");
    play.now += Duration{8 * 3'600'000};
    const auto late = play.ask(ReapRequest{.workspace = id, .epoch = Epoch{1}, .cause = "expired"}, Role::reaper, "reaper");

    EXPECT_EQ(play.refusal_of(early)->kind, ErrorKind::conflict);
    EXPECT_EQ(play.reply_to<Done>(late)->count, 1U);
    EXPECT_EQ(play.facts.back().reason.actor(), "reaper");
}

TEST(Leases, DestroyIsLegalFromAnyStateAndErasesTheHome) {
    Running play;
    const auto id = play.workspace("ada").workspace;

    play.ask(DestroyRequest{.target = {.workspace = id}});
    play.wiped();
    play.answer<EraseCommand>(HostAnswer{EraseReply{id}});
    const auto again = play.ask(DestroyRequest{.target = {.workspace = id}});

    EXPECT_EQ(play.state.view.workspaces.at(id).state, WorkspaceState::destroyed);
    EXPECT_EQ(play.reply_to<Done>(again)->count, 0U);
    EXPECT_EQ(play.state.view.workspace_of({"ada"}, {"site"}), nullptr);
}

TEST(Leases, AfterARestartStartingAndStoppingWorkspacesAreDrivenOn) {
    Play play;
    play.host("h-1", 2);
    play.claim("k1", "ada");
    play.claim("k2", "bob");
    play.bound();  // of ada
    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});

    play.restart();
    play.wiped();
    play.bound();

    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopped);
    EXPECT_EQ(play.workspace("bob").state, WorkspaceState::active);
    EXPECT_EQ(play.told<ClaimGranted>().size(), 2U);
}

TEST(Leases, OrdersListWhatTheHostShouldHoldAndNothingElse) {
    Running play;
    const auto beat = play.beat("h-1");
    const auto* orders = play.reply_to<HostOrders>(beat);
    ASSERT_TRUE(orders);
    ASSERT_EQ(orders->leases.size(), 1U);
    EXPECT_EQ(orders->leases[0].wanted, Wanted::running);
    EXPECT_EQ(orders->term, play.state.view.term);

    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    EXPECT_EQ(play.reply_to<HostOrders>(play.beat("h-1"))->leases[0].wanted, Wanted::stopped);
    play.wiped();
    EXPECT_TRUE(play.reply_to<HostOrders>(play.beat("h-1"))->leases.empty());
}

}  // namespace
}  // namespace berth::allocator
