// SPDX-License-Identifier: Apache-2.0
// An old copy of the ledger: hosts know more than it does (F16, I3, I16).
#include "play.hpp"

namespace berth::allocator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const HostRef h1{{"h-1"}, {"i1"}};

const auto first_term = term_of({1}, Instant{Duration{1'000'000}});

RegisterRequest offer(const std::string& host, Term term_seen, std::uint64_t position_seen, std::vector<LeaseOrder> held = {}) {
    return {.host = {host}, .incarnation = {"i1"}, .pool = {"default"}, .instance = host, .public_ip = "127.0.0.9", .proxy_port = 8100,
            .slots = 2, .term_seen = term_seen, .position_seen = Position{position_seen}, .held = std::move(held)};
}

LeaseOrder running(const Play& play, const WorkspaceView& workspace) {
    return {.slot = workspace.slot, .epoch = workspace.epoch, .workspace = workspace.workspace, .user = workspace.user,
            .project = workspace.project, .wanted = Wanted::running, .expires_at = play.now + Duration{80'000'000}};
}
LeaseOrder emptied(std::uint32_t slot, std::uint64_t epoch) { return {.slot = slot, .epoch = Epoch{epoch}, .wanted = Wanted::stopped}; }

std::string drain_refusal(Play& play) {
    const auto caller = play.ask(DrainRequest{h1, "surplus"}, Role::scaler, "scaler");
    return play.refusal_of(caller) ? play.refusal_of(caller)->text : "";
}

/// h-1 with ada's workspace, a copy of the ledger, and then bob's, which the copy does not know.
struct Lost {
    Lost() {
        play.host("h-1", 2);
        play.claim("k1", "ada");
        play.bound();
        ada = play.workspace("ada");
        copy = play.facts.size();
        seen_before = play.state.view.position.value;
        play.claim("k2", "bob");
        play.bound("k2");
        bob = play.workspace("bob");
        seen = play.state.view.position.value;
    }
    Play play;
    WorkspaceView ada, bob;
    std::size_t copy = 0;
    std::uint64_t seen_before = 0, seen = 0;
};

/// And then the copy goes on as another ledger.
struct Recovered : Lost {
    Recovered() { play.recover(copy); }
    CallerId registers(const std::string& host, std::vector<LeaseOrder> held) {
        return play.ask(offer(host, first_term, seen, std::move(held)), Role::host, host);
    }
};

TEST(Recovery, AHostThatHasSeenMoreMakesTheLedgerDoubted_F16) {
    Lost lost;
    auto& play = lost.play;
    play.restore(lost.copy);
    const auto caller = play.ask(HostHeartbeat{.host = {"h-1"}, .incarnation = {"i1"}, .term_seen = first_term, .position_seen = Position{lost.seen}},
                                 Role::host, "h-1");
    ASSERT_TRUE(play.refusal_of(caller));
    EXPECT_EQ(play.refusal_of(caller)->kind, ErrorKind::fenced);
    EXPECT_THAT(play.refusal_of(caller)->text, HasSubstr("docs/restore.md"));
    EXPECT_EQ(play.state.view.doubted_by, HostId{"h-1"});
    EXPECT_THAT(drain_refusal(play), HasSubstr("old copy"));
    play.ask(offer("h-1", first_term, lost.seen), Role::host, "h-1");
    EXPECT_THAT(play.told<LedgerDoubted>(), SizeIs(1)) << "said once";
}

TEST(Recovery, DoubtIsLearnedFromARegistrationThatIsRefusedAnyway) {
    Lost lost;
    auto& play = lost.play;
    play.restore(lost.copy);
    auto next_life = offer("h-1", first_term, lost.seen);
    next_life.incarnation = {"i2"};                            // ada's lease is of i1: a conflict
    const auto caller = play.ask(next_life, Role::host, "h-1");
    ASSERT_TRUE(play.refusal_of(caller));
    EXPECT_EQ(play.refusal_of(caller)->kind, ErrorKind::fenced);
    EXPECT_EQ(play.state.view.doubted_by, HostId{"h-1"});
}

TEST(Recovery, ADoubtedLedgerLaunchesNothing_I31) {
    Lost lost;
    auto& play = lost.play;
    play.restore(lost.copy);
    const auto launch = [&] { return play.ask(LaunchRequest{.pool = {"default"}, .count = 1}, Role::scaler, "scaler"); };
    EXPECT_TRUE(play.reply_to<LaunchReply>(launch()));
    play.ask(offer("h-1", first_term, lost.seen), Role::host, "h-1");
    const auto refused = launch();
    ASSERT_TRUE(play.refusal_of(refused));
    EXPECT_THAT(play.refusal_of(refused)->text, HasSubstr("old copy"));
    EXPECT_THAT(play.told<LaunchStarted>(), SizeIs(1));
}

TEST(Recovery, ATermOfTheSamePositionInAnotherHistoryIsToldApart) {
    Lost lost;
    auto& play = lost.play;
    const auto length = play.facts.size();
    play.restart();
    const auto lost_term = play.state.view.term;
    play.now += Duration{5'000};
    play.restore(length);
    EXPECT_EQ(begin_of(play.state.view.term), begin_of(lost_term));
    const auto caller = play.ask(HostHeartbeat{.host = {"h-1"}, .incarnation = {"i1"}, .term_seen = lost_term}, Role::host, "h-1");
    EXPECT_TRUE(play.refusal_of(caller));
    EXPECT_TRUE(play.state.view.doubted_by);
}

TEST(Recovery, AHostThatHasSeenNoMoreThanTheCopyIsServed) {
    Lost lost;
    auto& play = lost.play;
    play.restore(lost.copy);
    const auto caller = play.ask(HostHeartbeat{.host = {"h-1"}, .incarnation = {"i1"}, .term_seen = first_term, .position_seen = Position{lost.seen_before}},
                                 Role::host, "h-1");
    EXPECT_TRUE(play.reply_to<HostOrders>(caller));
    EXPECT_FALSE(play.state.view.doubted_by);
}

TEST(Recovery, AnExpiredLeaseOfADoubtedLedgerIsNotReaped) {
    Lost lost;
    auto& play = lost.play;
    play.restore(lost.copy);
    play.ask(offer("h-1", first_term, lost.seen), Role::host, "h-1");
    play.pass(lost.ada.expires_at - play.now + Duration{1});
    const auto caller = play.ask(ReapRequest{.workspace = lost.ada.workspace, .epoch = lost.ada.epoch, .cause = "expired"}, Role::reaper, "reaper");
    ASSERT_TRUE(play.refusal_of(caller));
    EXPECT_THAT(play.refusal_of(caller)->text, HasSubstr("may have been extended"));
}

TEST(Recovery, BeforeItIsMetAHostGetsNothingAndIsNotEnded) {
    Recovered lost;
    auto& play = lost.play;
    const auto beat = play.beat("h-1");
    EXPECT_EQ(play.refusal_of(beat)->kind, ErrorKind::not_found) << "it has to register first";
    const auto claim = play.claim("k3", "eve", Duration{0});
    EXPECT_EQ(play.refusal_of(claim)->kind, ErrorKind::no_capacity);
    EXPECT_THAT(drain_refusal(play), HasSubstr("has not met it yet"));
}

TEST(Recovery, TheLostLeaseIsTakenOverFromItsHost_I3) {
    Recovered lost;
    auto& play = lost.play;
    const auto caller = lost.registers("h-1", {running(play, lost.ada), running(play, lost.bob)});
    ASSERT_TRUE(play.reply_to<HostOrders>(caller)) << play.refusal_of(caller)->text;
    const auto& orders = *play.reply_to<HostOrders>(caller);
    EXPECT_THAT(orders.leases, SizeIs(2)) << "what is not listed would be stopped";
    EXPECT_GT(begin_of(orders.term).value, lost.seen);
    play.pass(Duration{100});
    play.bound("k2");
    EXPECT_EQ(play.workspace("bob").workspace, lost.bob.workspace);
    EXPECT_EQ(play.workspace("bob").state, WorkspaceState::active);
    EXPECT_EQ(play.workspace("bob").epoch, lost.bob.epoch);
    EXPECT_EQ(play.workspace("ada").expires_at, play.now - Duration{100} + Duration{80'000'000}) << "an extension that was lost";

    const auto again = play.claim("k9", "bob");
    play.linked();
    EXPECT_TRUE(play.reply_to<ClaimReply>(again));
    EXPECT_EQ(play.told<HostRecovered>().size(), 1U);
    play.ask(offer("h-1", play.state.view.term, play.state.view.position.value, {emptied(0, 99)}), Role::host, "h-1");
    EXPECT_EQ(play.told<HostRecovered>().size(), 1U) << "a host is met once; later it changes nothing by registering";
}

TEST(Recovery, ASlotThatServedAnotherSinceFreesItsOldWorkspace) {
    Recovered lost;
    auto& play = lost.play;
    // ada was released in the lost part, and bob got her slot; the other slot is empty by now.
    auto bob = running(play, lost.bob);
    bob.slot = lost.ada.slot;
    bob.epoch = Epoch{lost.ada.epoch.value + 3};
    lost.registers("h-1", {bob, emptied(lost.bob.slot, 7)});
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopped);
    EXPECT_FALSE(play.workspace("ada").leased);
    EXPECT_EQ(play.workspace("bob").slot, lost.ada.slot);
    const auto& emptied_slot = play.state.view.hosts.at({"h-1"}).slots[lost.bob.slot];
    EXPECT_EQ(emptied_slot.use, SlotUse::quarantined) << "until its host says that nothing is there";
    play.beat("h-1", {{.slot = lost.bob.slot, .phase = SlotPhase::empty, .epoch = Epoch{7}}});
    EXPECT_EQ(emptied_slot.use, SlotUse::free);
    const auto early = play.claim("k3", "ada", Duration{0});
    EXPECT_THAT(play.refusal_of(early)->text, HasSubstr("hosts may still register"));
    play.pass(play.state.policy.recovery_settle);
    play.claim("k4", "ada");
    EXPECT_EQ(play.workspace("ada").epoch, Epoch{8}) << "above every epoch that the slot has seen";
}

TEST(Recovery, WhatWasStoppedInTheLostPartIsStopped_I10) {
    Recovered lost;
    auto& play = lost.play;
    lost.registers("h-1", {emptied(lost.ada.slot, lost.ada.epoch.value)});
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopped);
    const auto& slot = play.state.view.hosts.at({"h-1"}).slots[lost.ada.slot];
    EXPECT_EQ(slot.use, SlotUse::quarantined);
    play.beat("h-1", {{.slot = lost.ada.slot, .phase = SlotPhase::empty, .epoch = lost.ada.epoch}});
    EXPECT_EQ(slot.use, SlotUse::free);
}

TEST(Recovery, AWorkspaceThatMovedIsWhereItRuns) {
    Recovered lost;
    auto& play = lost.play;
    auto moved = running(play, lost.ada);
    moved.slot = 1;
    moved.epoch = Epoch{5};
    lost.registers("h-2", {moved});
    EXPECT_EQ(play.workspace("ada").host, HostId{"h-2"});
    const auto& old = play.state.view.hosts.at({"h-1"}).slots[lost.ada.slot];
    EXPECT_EQ(old.use, SlotUse::quarantined);
    EXPECT_TRUE(old.workspace.empty());
    EXPECT_THAT(play.told<HostRecovered>().front().displaced, ElementsAre(lost.ada.workspace));
}

TEST(Recovery, AProjectThatWasMadeAnewReplacesTheOldOne) {
    Recovered lost;
    auto& play = lost.play;
    auto anew = running(play, lost.bob);
    anew.user = {"ada"};
    anew.workspace = {"w99-anew"};
    lost.registers("h-1", {anew});
    EXPECT_EQ(play.workspace("ada").workspace, anew.workspace);
    EXPECT_EQ(play.state.view.workspaces.at(lost.ada.workspace).state, WorkspaceState::destroyed);
    auto again = play.state.view;
    again.reindex();
    EXPECT_EQ(again.index, play.state.view.index);
}

TEST(Recovery, AHostThatComesAfterItsUserGotAnotherGivesItUp) {
    Recovered lost;
    auto& play = lost.play;
    lost.registers("h-1", {running(play, lost.ada), running(play, lost.bob)});
    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}}, Role::client, "ada");
    play.ask(DestroyRequest{.target = {.user = UserId{"ada"}}}, Role::client, "ada");
    auto moved = running(play, lost.ada);
    moved.slot = 0;
    moved.epoch = Epoch{50};
    const auto caller = lost.registers("h-2", {moved});
    ASSERT_TRUE(play.reply_to<HostOrders>(caller)) << play.refusal_of(caller)->text;
    EXPECT_THAT(play.reply_to<HostOrders>(caller)->leases, SizeIs(0));
    EXPECT_EQ(play.state.view.hosts.at({"h-2"}).slots[0].use, SlotUse::quarantined);
    EXPECT_EQ(play.state.view.workspaces.at(lost.ada.workspace).state, WorkspaceState::destroying);
}

TEST(Recovery, WhatCanNotBeIsRefusedAndChangesNothing) {
    Recovered lost;
    auto& play = lost.play;
    auto stolen = running(play, lost.ada);
    stolen.slot = 1;
    stolen.epoch = Epoch{9};
    stolen.user = {"eve"};
    auto odd_name = running(play, lost.bob);
    odd_name.project = {"../x"};
    auto twice = running(play, lost.bob);
    twice.slot = 0;
    twice.epoch = Epoch{9};
    auto beyond = running(play, lost.bob);
    beyond.slot = 7;
    auto odd_id = running(play, lost.bob);
    odd_id.workspace = {"../x"};
    auto two_of_one = running(play, lost.bob);
    two_of_one.workspace = {"w99-other"};
    two_of_one.user = {"ada"};
    const auto before = state_hash(play.state.view);
    for (const auto& bad : {std::vector{stolen}, {odd_name}, {running(play, lost.bob), twice}, {emptied(0, ~0ULL)}, {beyond}, {odd_id}, {two_of_one}}) {
        for (const auto* host : {"h-1", "h-9"}) {
            auto held = bad;
            held.insert(held.begin(), running(play, lost.ada));      // what is right in it does not count either
            EXPECT_TRUE(play.refusal_of(lost.registers(host, held)));
            EXPECT_EQ(state_hash(play.state.view), before);
        }
    }
    EXPECT_THAT(play.told<HostRecovered>(), SizeIs(0));
}

TEST(Recovery, AHostThatCanNotSayWhatItHoldsIsRefusedAndRunsOn) {
    Recovered lost;
    auto& play = lost.play;
    auto old_agent = offer("h-1", first_term, lost.seen);
    old_agent.held.reset();
    const auto caller = play.ask(old_agent, Role::host, "h-1");
    ASSERT_TRUE(play.refusal_of(caller));
    EXPECT_THAT(play.refusal_of(caller)->text, HasSubstr("update its agent"));
    EXPECT_FALSE(play.state.view.has_met(play.state.view.hosts.at({"h-1"})));
}

TEST(Recovery, AStopThatHasNotEndedKeepsItsLease_I10) {
    Recovered lost;
    auto& play = lost.play;
    auto known = running(play, lost.ada), unknown = running(play, lost.bob);   // of the copy, and of the lost part
    known.wanted = unknown.wanted = Wanted::stopped;                           // but their containers are there yet
    lost.registers("h-1", {known, unknown});
    for (const auto* user : {"ada", "bob"}) EXPECT_TRUE(play.workspace(user).leased) << user;
    play.beat("h-1", {{.slot = known.slot, .phase = SlotPhase::stopped, .epoch = known.epoch, .workspace = known.workspace},
                      {.slot = unknown.slot, .phase = SlotPhase::stopped, .epoch = unknown.epoch, .workspace = unknown.workspace}});
    for (const auto* user : {"ada", "bob"}) EXPECT_EQ(play.workspace(user).state, WorkspaceState::stopped) << user;
}

TEST(Recovery, NoHomeIsErasedBeforeAllHaveTold_I8) {
    Recovered lost;
    auto& play = lost.play;
    lost.registers("h-1", {emptied(lost.ada.slot, lost.ada.epoch.value)});
    play.beat("h-1", {{.slot = lost.ada.slot, .phase = SlotPhase::empty, .epoch = lost.ada.epoch}});
    play.ask(DestroyRequest{.target = {.user = UserId{"ada"}}}, Role::client, "ada");
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::destroying);
    EXPECT_FALSE(play.take<EraseCommand>()) << "another host may run it";
    for (int i = 0; i < 4; ++i) {
        play.pass(play.state.policy.recovery_settle / 2);
        play.beat("h-1");
    }
    EXPECT_TRUE(play.take<EraseCommand>());
}

TEST(Recovery, SilenceDoesNotEndALeaseThatWasTakenOver_I8) {
    Recovered lost;
    auto& play = lost.play;
    lost.registers("h-1", {running(play, lost.ada), running(play, lost.bob)});
    for (int i = 0; i < 4; ++i) {
        play.pass(play.state.policy.start_deadline);
        play.answer<BindCommand>(fail(ErrorKind::unavailable, "nobody serves host.h-1 now"));
    }
    EXPECT_TRUE(play.workspace("bob").leased);
    EXPECT_EQ(play.workspace("bob").state, WorkspaceState::starting);
    play.restart();
    EXPECT_TRUE(play.workspace("bob").leased);
}

TEST(Recovery, AHostThatComesLaterTakesNothingFromOneThatWasMet) {
    Recovered lost;
    auto& play = lost.play;
    lost.registers("h-1", {running(play, lost.ada), running(play, lost.bob)});
    auto stolen = running(play, lost.bob);
    stolen.slot = 0;
    stolen.epoch = Epoch{90};
    auto another = running(play, lost.ada);
    another.slot = 1;
    another.epoch = Epoch{91};
    another.workspace = {"w99-another"};
    lost.registers("h-2", {stolen, another});
    for (const auto* user : {"ada", "bob"}) EXPECT_EQ(play.workspace(user).host, HostId{"h-1"}) << user;
    EXPECT_EQ(play.workspace("ada").workspace, lost.ada.workspace);
}

TEST(Recovery, TheSettlingTimeCountsFromTheStartOfTheAllocator) {
    Lost lost;
    auto& play = lost.play;
    play.facts.erase(play.facts.begin() + static_cast<std::ptrdiff_t>(lost.copy), play.facts.end());
    play.facts.push_back({Position{1'000'000}, {}, play.now, LedgerRecovered{.before = "L", .ledger = "R"}, Reason{"an old copy", "operator", "1", {}}, ""});
    play.now += 10 * play.state.policy.recovery_settle;
    play.restart();
    play.ask(offer("h-1", first_term, lost.seen, {running(play, lost.ada)}), Role::host, "h-1");
    const auto early = play.claim("k5", "eve", Duration{0});
    EXPECT_THAT(play.refusal_of(early)->text, HasSubstr("hosts may still register"));
}

TEST(Recovery, AnAllocatorThatJustBeganDoesNotDrainWhomItDidNotHear_I13) {
    Play play;
    play.host("h-1", 2);
    play.pass(3 * play.state.policy.heartbeat);
    play.ask(UnknownRequest{h1, play.now}, Role::reaper, "reaper");
    ASSERT_EQ(play.state.view.hosts.at({"h-1"}).liveness, Liveness::unknown);
    play.restart();
    EXPECT_THAT(drain_refusal(play), HasSubstr("not heard since this allocator began"));
    play.pass(3 * play.state.policy.heartbeat);
    EXPECT_EQ(drain_refusal(play), "");
    EXPECT_EQ(play.state.view.hosts.at({"h-1"}).admission, Admission::draining);
}

TEST(Recovery, NoHostMakesALeaseOrAHoldLongerThanAUserCould) {
    Recovered lost;
    auto& play = lost.play;
    auto ada = running(play, lost.ada), bob = running(play, lost.bob);
    ada.expires_at = bob.expires_at = play.now + Duration{400L * 365 * 24 * 3'600'000};
    ada.hold_until = bob.hold_until = ada.expires_at;
    lost.registers("h-1", {ada, bob});
    const auto& pool = play.state.view.pools.at({"default"});
    for (const auto* user : {"ada", "bob"}) {
        EXPECT_EQ(play.workspace(user).expires_at, play.now + pool.ttl_max_ms);
        EXPECT_EQ(play.workspace(user).hold_until, play.now + pool.hold_max_ms);
    }
}

TEST(Recovery, AHostThatIsGoneIsNotWaitedFor) {
    Recovered lost;
    auto& play = lost.play;
    lost.registers("h-2", {});
    play.beat("h-2");
    play.pass(play.state.policy.recovery_settle);
    const auto early = play.claim("k5", "eve", Duration{0});
    ASSERT_TRUE(play.refusal_of(early));
    EXPECT_THAT(play.refusal_of(early)->text, HasSubstr("host h-1 has not told yet"));
    play.ask(GoneRequest{h1, "terminated at the provider"}, Role::reaper, "reaper");
    play.claim("k6", "eve");
    EXPECT_EQ(play.workspace("eve").host, HostId{"h-2"});
}

TEST(Recovery, APermitOfADoubtedLedgerEndsNoMachine_I14) {
    Play play;
    play.host("h-1", 2);
    const auto drain = play.ask(DrainRequest{h1, "surplus"}, Role::scaler, "scaler");
    play.answer<SealCommand>(HostAnswer{SealReply{{"i1"}, 0}});
    ASSERT_TRUE(play.reply_to<Permit>(drain));
    const auto permit = *play.reply_to<Permit>(drain);
    const auto good = play.ask(PermitCheckRequest{permit}, Role::scaler, "scaler");
    EXPECT_FALSE(play.refusal_of(good));
    play.ask(offer("h-2", Term{play.state.view.term.value + 1}, play.state.view.position.value + 100), Role::host, "h-2");
    ASSERT_TRUE(play.state.view.doubted_by);
    EXPECT_TRUE(play.refusal_of(play.ask(PermitCheckRequest{permit}, Role::scaler, "scaler")));
}

TEST(Recovery, ALaterBeginIsALaterTermWhateverTheClockSays) {
    const auto late = Instant{Duration{(1LL << 40) + 12'345}}, early = Instant{Duration{99}};
    EXPECT_LT(term_of({7}, late), term_of({8}, early));
    EXPECT_NE(term_of({7}, early), term_of({7}, early + Duration{5'000}));
    EXPECT_EQ(begin_of(term_of(position_max, late)), position_max);
    EXPECT_EQ(begin_of(term_of({7}, late)), Position{7});
}

TEST(Recovery, AReplayOfTheRecoveredLedgerGivesTheSameState_I19) {
    Recovered lost;
    auto& play = lost.play;
    lost.registers("h-1", {running(play, lost.ada), running(play, lost.bob)});
    View view;
    for (const auto& record : play.facts) apply(view, record);
    EXPECT_EQ(state_hash(view), state_hash(play.state.view));
}

}  // namespace
}  // namespace berth::allocator
