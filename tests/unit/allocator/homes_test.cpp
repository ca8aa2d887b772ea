// SPDX-License-Identifier: Apache-2.0
// Homes have a place, and hosts leave at a time that is known: what the allocator decides about both.
#include "tests/unit/allocator/play.hpp"

namespace berth::allocator {
namespace {

using ::testing::HasSubstr;

const HostRef h1{{"h-1"}, {"i1"}};

class Homes : public ::testing::Test {
protected:
    static void pool(Play& play, HomePlace place, std::uint32_t slots = 1) {
        PoolDefined pool{.pool = {"default"}, .slots_per_host = slots, .hosts_max = 10, .home_place = place};
        if (place == HomePlace::archive) pool.home_repository = "/repository";
        play.give(PoolConfigured{pool});
    }
    static HomeArchive archive(const WorkspaceView& workspace, const std::string& snapshot, Instant at, bool last = true) {
        return {.epoch = workspace.epoch, .host = workspace.host, .snapshot = snapshot, .at = at, .bytes = 5'000'000, .last = last};
    }
    static SlotReport report(const WorkspaceView& workspace, SlotPhase phase) {
        return {.slot = workspace.slot, .phase = phase, .epoch = workspace.epoch, .workspace = workspace.workspace, .container = workspace.container};
    }
    static void stop(Play& play, const std::string& user) {
        play.ask(ReleaseRequest{.target = {.user = UserId{user}}});
    }
    static const HostView& host(const Play& play, const std::string& id = "h-1") { return play.state.view.hosts.at({id}); }
};

TEST_F(Homes, ASlotIsFreeOnlyWithTheLastArchiveOfItsEpoch) {
    Play play;
    pool(play, HomePlace::archive);
    play.host("h-1", 1);
    play.claim("k", "ada");
    const auto command = play.take<BindCommand>();
    const auto bind = std::get<BindCommand>(command->body);
    EXPECT_EQ(bind.order.home->rule.repository, "/repository");
    EXPECT_FALSE(bind.order.home->archive);
    play.give(CommandAnswered{command->id, HostAnswer{BindReply{{"k1"}, "http://w/"}}});
    stop(play, "ada");
    play.wiped();
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopping) << "wiped is not saved";
    play.pass(play.state.policy.command_retry);
    const auto saved = archive(play.workspace("ada"), "s-1", play.now);
    play.answer<StopCommand>(HostAnswer{StopReply{0, play.workspace("ada").epoch, saved}});
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopped);
    EXPECT_EQ(play.workspace("ada").archive, saved);
    play.claim("k2", "ada");
    EXPECT_EQ(std::get<BindCommand>(play.take<BindCommand>()->body).order.home->archive, saved) << "and the next start brings it back";
}

TEST_F(Homes, OnlyTheLeaseThatHasItIsArchived) {
    Play play;
    pool(play, HomePlace::archive);
    play.host("h-1", 1);
    play.claim("k", "ada");
    play.bound();
    auto beat = report(play.workspace("ada"), SlotPhase::bound);
    beat.archive = archive(play.workspace("ada"), "s-1", play.now, false);
    play.beat("h-1", {beat});
    play.beat("h-1", {beat});
    ASSERT_EQ(play.told<HomeArchived>().size(), 1U);
    beat.archive->at -= Duration{5'000};
    beat.archive->snapshot = "s-0";
    play.beat("h-1", {beat});
    beat.archive = HomeArchive{.epoch = {99}, .snapshot = "s-99", .at = play.now + Duration{1}};
    play.beat("h-1", {beat});
    EXPECT_EQ(play.told<HomeArchived>().size(), 1U) << "an older one, and one of another epoch, are aside";
    EXPECT_EQ(play.workspace("ada").archive->snapshot, "s-1");
}

TEST_F(Homes, WhatDiesWithItsHostIsSaidWithTheTimeOfTheLastArchive) {
    Play play;
    pool(play, HomePlace::archive);
    play.host("h-1", 1);
    play.claim("k", "ada");
    play.bound();
    auto beat = report(play.workspace("ada"), SlotPhase::bound);
    beat.archive = archive(play.workspace("ada"), "s-1", play.now, false);
    play.beat("h-1", {beat});
    play.ask(GoneRequest{h1, "the provider lists it no more"}, Role::scaler, "scaler");
    ASSERT_EQ(play.told<HomeLost>().size(), 1U);
    const auto lost = std::find_if(play.facts.begin(), play.facts.end(), [](const FactRecord& fact) { return std::holds_alternative<HomeLost>(fact.fact); });
    EXPECT_THAT(lost->reason.why(), HasSubstr("after " + to_rfc3339(beat.archive->at) + " is gone"));
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopped);
    play.host("h-2", 1);
    play.claim("k2", "ada");
    EXPECT_EQ(std::get<BindCommand>(play.take<BindCommand>()->body).order.home->archive->snapshot, "s-1");
}

TEST_F(Homes, WhatIsSavedIsNotLostWithItsHost) {
    Play play;
    pool(play, HomePlace::archive);
    play.host("h-1", 1);
    play.claim("k", "ada");
    play.bound();
    stop(play, "ada");
    auto beat = report(play.workspace("ada"), SlotPhase::stopped);
    beat.archive = archive(play.workspace("ada"), "s-1", play.now);
    play.beat("h-1", {beat});
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopped);
    play.ask(GoneRequest{h1, ""}, Role::scaler, "scaler");
    EXPECT_TRUE(play.told<HomeLost>().empty());
}

TEST_F(Homes, AHomeThatStaysOnItsHostIsStartedThereAlone) {
    Play play;
    pool(play, HomePlace::host);
    play.host("h-1", 1);
    play.claim("k", "ada");
    play.bound();
    stop(play, "ada");
    play.wiped();
    play.claim("k2", "bob");
    play.bound("k2");
    play.host("h-2", 1);
    const auto denied = play.claim("k3", "ada", Duration{0});
    EXPECT_THAT(play.refusal_of(denied)->text, HasSubstr("its files are on h-1, which is full"));
    const auto waits = play.claim("k4", "ada");
    EXPECT_THAT(play.progress.back().blocked_by, HasSubstr("h-1"));
    play.claim("k5", "eve");
    EXPECT_EQ(play.workspace("eve").host, HostId{"h-2"}) << "who waits for one host holds up nobody else";
    stop(play, "bob");
    play.wiped();
    EXPECT_EQ(play.workspace("ada").host, HostId{"h-1"});
    EXPECT_EQ(play.refusal_of(waits), nullptr);
}

TEST_F(Homes, WithItsHostAHomeThatStaysThereIsGoneAndSaidSo) {
    Play play;
    pool(play, HomePlace::host);
    play.host("h-1", 1);
    play.claim("k", "ada");
    play.bound();
    stop(play, "ada");
    play.wiped();
    play.ask(GoneRequest{h1, ""}, Role::scaler, "scaler");
    ASSERT_EQ(play.told<HomeLost>().size(), 1U);
    EXPECT_FALSE(play.told<HomeLost>()[0].archive);
    play.host("h-2", 1);
    play.claim("k2", "ada");
    EXPECT_EQ(play.workspace("ada").host, HostId{"h-2"});
}

TEST_F(Homes, AFolderThatIsNotSharedIsSaid) {
    Play play;
    pool(play, HomePlace::shared);
    const auto offer = [](const std::string& id, std::optional<std::string> mark) {
        return RegisterRequest{.host = {id}, .incarnation = {"i1"}, .pool = {"default"}, .instance = id, .slots = 1, .home_mark = std::move(mark)};
    };
    play.ask(offer("h-1", "aa"), Role::host, "h-1");
    EXPECT_EQ(play.refusal_of(play.ask(offer("h-2", "aa"), Role::host, "h-2")), nullptr);
    EXPECT_THAT(play.refusal_of(play.ask(offer("h-3", "bb"), Role::host, "h-3"))->text, HasSubstr("is not the one of host h-1"));
    EXPECT_THAT(play.refusal_of(play.ask(offer("h-4", std::nullopt), Role::host, "h-4"))->text, HasSubstr("mount it there"));
}

TEST_F(Homes, AStartMayTakeLongAsLongAsItsFilesAreOnTheirWay) {
    Play play;
    pool(play, HomePlace::archive);
    play.host("h-1", 1);
    play.claim("k", "ada", Duration{900'000});
    play.bound();
    stop(play, "ada");
    play.answer<StopCommand>(HostAnswer{StopReply{0, play.workspace("ada").epoch, archive(play.workspace("ada"), "s-1", play.now)}});
    play.claim("k2", "ada", Duration{900'000});
    auto beat = report(play.workspace("ada"), SlotPhase::binding);
    beat.home = HomeProgress{.step = HomeStep::restoring, .bytes = 2'000'000, .bytes_total = 5'000'000, .bytes_per_s = 1'000'000};
    for (int i = 0; i < 10; ++i) {
        play.pass(play.state.policy.start_deadline / 2);
        play.beat("h-1", {beat});
    }
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::starting);
    EXPECT_THAT(play.progress.back().phase, HasSubstr("bringing its files to h-1: 2.0 MB of 5.0 MB, 1.0 MB/s"));
    play.pass(play.state.policy.start_deadline);
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopping) << "nothing was heard of it any more";
}

TEST_F(Homes, AnOlderArchiveIsBroughtBackWhenSomebodyChoosesIt) {
    Play play;
    pool(play, HomePlace::archive);
    play.host("h-1", 1);
    play.claim("k", "ada");
    play.bound();
    const auto older = archive(play.workspace("ada"), "s-0", play.now, false);
    const auto early = play.ask(ChooseHomeRequest{.target = {.user = UserId{"ada"}}, .archive = older}, Role::gateway, "gateway");
    EXPECT_THAT(play.refusal_of(early)->text, HasSubstr("stop it first"));
    stop(play, "ada");
    play.answer<StopCommand>(HostAnswer{StopReply{0, play.workspace("ada").epoch, archive(play.workspace("ada"), "s-1", play.now)}});
    EXPECT_TRUE(play.reply_to<Done>(play.ask(ChooseHomeRequest{.target = {.user = UserId{"ada"}}, .archive = older}, Role::gateway, "gateway")));
    play.claim("k2", "ada");
    EXPECT_EQ(std::get<BindCommand>(play.take<BindCommand>()->body).order.home->archive->snapshot, "s-0");
}

TEST_F(Homes, AHostIsEmptiedByATimeAndTellsItsHost) {
    Play play;
    play.host("h-1", 2);
    play.claim("k", "ada");
    play.bound();
    const auto by = play.now + Duration{600'000};
    play.ask(CordonRequest{.host = h1, .why = "new kernel", .tenants = Tenants::stop, .principal = Principal{"ops"}, .by = by}, Role::gateway, "gateway");
    EXPECT_EQ(host(play).leaving->by, by);
    const auto caller = play.beat("h-1", {report(play.workspace("ada"), SlotPhase::bound)});
    EXPECT_THAT(play.reply_to<HostOrders>(caller)->leaving->why, HasSubstr("new kernel"));
    const auto denied = play.claim("k2", "bob", Duration{0});
    EXPECT_TRUE(play.refusal_of(denied));
    play.pass(Duration{599'000});
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::active);
    play.restart();
    play.pass(Duration{1'000});
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopping) << "whichever allocator lives then";
    play.wiped();
    EXPECT_TRUE(host(play).idle());
    play.ask(UncordonRequest{h1}, Role::gateway, "gateway");
    EXPECT_FALSE(host(play).leaving);
}

TEST_F(Homes, AMachineThatWillEndIsEmptiedBefore) {
    Play play;
    play.host("h-1", 1);
    play.claim("k", "ada");
    play.bound();
    const auto ends_at = play.now + Duration{300'000};
    auto beat = HostHeartbeat{.host = {"h-1"}, .incarnation = {"i1"}, .slots = {report(play.workspace("ada"), SlotPhase::bound)},
                              .notice = EndNotice{"the spot price rose", ends_at}};
    play.ask(beat, Role::host, "h-1");
    EXPECT_EQ(host(play).admission, Admission::cordoned);
    EXPECT_EQ(host(play).leaving->by, ends_at - play.state.policy.notice_margin);
    EXPECT_THAT(host(play).leaving->why, HasSubstr("the spot price rose"));
    play.ask(UncordonRequest{h1}, Role::gateway, "gateway");
    play.ask(beat, Role::host, "h-1");
    EXPECT_EQ(host(play).admission, Admission::open) << "an operator had the last word on that notice";
}

}  // namespace
}  // namespace berth::allocator
