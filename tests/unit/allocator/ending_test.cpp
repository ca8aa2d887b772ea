// SPDX-License-Identifier: Apache-2.0
// The end of a host: every step is a fact, and the next one follows from the view alone, so a new
// allocator goes on wherever the old one died.
#include "events/ending.hpp"
#include "play.hpp"

namespace berth::allocator {
namespace {

using ::testing::HasSubstr;

const HostRef h1{{"h-1"}, {"i1"}};

class Ends : public ::testing::Test {
protected:
    CallerId end(Play& play, EndMode mode = EndMode::wait, const std::string& why = "old disk") {
        return play.ask(EndHostRequest{.host = h1, .mode = mode, .why = why, .principal = Principal{"ops"}}, Role::gateway, "gateway");
    }
    static void launched(Play& play, std::uint32_t slots, const std::string& incarnation = "i1") {
        play.ask(RegisterRequest{.host = {"h-1"}, .incarnation = {incarnation}, .pool = {"default"}, .launch = LaunchId{"l-1"}, .instance = "h-1",
                                 .public_ip = "127.0.0.9", .proxy_port = 8100, .slots = slots}, Role::host, "h-1");
        play.beat("h-1", {}, incarnation);
    }
    void with_workspace(Play& play) {
        launched(play, 2);
        play.claim("k1", "ada");
        play.bound();
        play.linked();
    }
    void sealed(Play& play) { play.answer<SealCommand>(HostAnswer{SealReply{{"i1"}, 0}}); }
    const HostView& host(const Play& play) const { return play.state.view.hosts.at({"h-1"}); }
    std::string waits(const Play& play) const { return waits_for(play.state.view, host(play)); }
};

TEST_F(Ends, AnEmptyHostIsCordonedSealedAndDrainedForTheScalerToEnd) {
    Play play;
    launched(play, 2);

    const auto caller = end(play);
    ASSERT_TRUE(play.reply_to<EndHostReply>(caller));
    EXPECT_EQ(play.reply_to<EndHostReply>(caller)->waits_for, "its agent is asked for the seal");
    sealed(play);

    EXPECT_EQ(play.told<HostCordoned>().size(), 1U);
    EXPECT_EQ(host(play).admission, Admission::draining);
    EXPECT_THAT(waits(play), HasSubstr("the scaler ends"));
    const auto permit = play.ask(DrainRequest{h1, "it is sealed"}, Role::scaler, "scaler");
    ASSERT_TRUE(play.reply_to<Permit>(permit));
    EXPECT_TRUE(play.reply_to<Done>(play.ask(PermitCheckRequest{*play.reply_to<Permit>(permit)}, Role::scaler, "scaler")));
    play.ask(GoneRequest{h1, "terminated"}, Role::scaler, "scaler");
    EXPECT_EQ(waits(play), "");
    EXPECT_TRUE(play.state.endings.empty());
    const auto* again = play.reply_to<EndHostReply>(end(play));
    ASSERT_TRUE(again) << "asking for what has come is no error";
    EXPECT_EQ(again->changed, 0U);
    EXPECT_EQ(play.refusal_of(end(play, EndMode::undo))->kind, ErrorKind::not_found);
}

TEST_F(Ends, ItWaitsForTheWorkspacesThatAreThereAndTakesNoNewOnes) {
    Play play;
    with_workspace(play);

    const auto caller = end(play);
    EXPECT_EQ(play.reply_to<EndHostReply>(caller)->waits_for, "1 workspace on it; --force stops them now");
    EXPECT_EQ(play.refusal_of(play.claim("k2", "bob", Duration{0}))->kind, ErrorKind::no_capacity);
    play.pass(Duration{3'600'000});
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::active) << "nobody ends it but its own end";
    EXPECT_FALSE(play.take<SealCommand>());

    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    play.wiped();
    play.pass(Duration{100});
    sealed(play);
    EXPECT_EQ(host(play).admission, Admission::draining);
}

TEST_F(Ends, ForceStopsWhatIsThereAndSaysWhoWantedIt) {
    Play play;
    with_workspace(play);

    const auto caller = end(play, EndMode::force);

    EXPECT_EQ(play.reply_to<EndHostReply>(caller)->stopped, 1U);
    const auto at = std::find_if(play.facts.begin(), play.facts.end(), [](const auto& record) { return std::holds_alternative<WorkspaceStopping>(record.fact); });
    ASSERT_NE(at, play.facts.end());
    EXPECT_EQ(at->reason.why(), "its host is being ended: ops asked to end it by force (--force): old disk");
    EXPECT_EQ(at->reason.actor(), "ops");
    play.wiped();
    play.pass(Duration{100});
    sealed(play);
    EXPECT_EQ(host(play).admission, Admission::draining);
}

TEST_F(Ends, ForceMayBeAddedLater) {
    Play play;
    with_workspace(play);
    end(play);
    EXPECT_EQ(play.reply_to<EndHostReply>(end(play))->changed, 0U) << "asked for twice is asked for once";
    EXPECT_EQ(play.reply_to<EndHostReply>(end(play, EndMode::force))->changed, 1U);
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopping);
    EXPECT_EQ(play.told<HostCordoned>().size(), 1U);
    EXPECT_EQ(play.reply_to<EndHostReply>(end(play))->changed, 0U) << "force stays";
}

TEST_F(Ends, AWorkspaceThatOnlyStartsGoesToAnotherHost) {
    Play play;
    launched(play, 2);
    play.claim("k1", "ada");
    play.host("h-2", 2);

    end(play, EndMode::force);
    play.wiped();

    EXPECT_EQ(play.workspace("ada").host.value, "h-2");
    EXPECT_EQ(play.state.view.claims.begin()->second.state, ClaimState::starting) << "the claim lives on";
}

TEST_F(Ends, UndoneBeforeTheSealTheHostTakesLeasesAgain) {
    Play play;
    with_workspace(play);
    end(play);

    const auto caller = end(play, EndMode::undo, "");

    EXPECT_EQ(play.reply_to<EndHostReply>(caller)->changed, 1U);
    EXPECT_FALSE(host(play).ending);
    play.claim("k2", "bob");
    EXPECT_EQ(play.told<LeaseGranted>().back().host.value, "h-1");
    EXPECT_EQ(play.reply_to<EndHostReply>(end(play, EndMode::undo))->changed, 0U);
}

TEST_F(Ends, UndoneItIsWhatItWasBefore) {
    Play play;
    with_workspace(play);
    play.ask(CordonRequest{.host = h1, .why = "look at it"}, Role::gateway, "gateway");
    end(play);
    end(play, EndMode::undo);
    EXPECT_EQ(host(play).admission, Admission::cordoned) << "somebody else's cordon stays";
}

TEST_F(Ends, AfterTheSealWasAskedForThereIsNoWayBack) {
    Play play;
    launched(play, 1);
    end(play);
    const auto asked = play.refusal_of(end(play, EndMode::undo));
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->kind, ErrorKind::conflict);
    EXPECT_THAT(asked->text, HasSubstr("asked for the seal, which is for ever"));
    sealed(play);
    EXPECT_THAT(play.refusal_of(end(play, EndMode::undo))->text, HasSubstr("it is sealed"));
}

TEST_F(Ends, AnUncordonIsNoUndo) {
    Play play;
    with_workspace(play);
    end(play);
    const auto* refused = play.refusal_of(play.ask(UncordonRequest{h1}, Role::scaler, "scaler"));
    ASSERT_TRUE(refused);
    EXPECT_THAT(refused->text, HasSubstr("berth hosts end h-1 --undo"));
}

TEST_F(Ends, ASealThatFailsIsAskedForAgain) {
    Play play;
    launched(play, 1);
    end(play);
    play.answer<SealCommand>(fail(Error{ErrorKind::timeout, "no answer"}));
    play.pass(Duration{100});
    EXPECT_FALSE(play.take<SealCommand>()) << "after a pause";
    play.pass(play.state.policy.command_retry);
    sealed(play);
    EXPECT_EQ(host(play).admission, Admission::draining);
    EXPECT_EQ(play.told<HostSealing>().size(), 1U);
}

TEST_F(Ends, ADeadAgentsEmptyHostIsDrainedWithoutItsWord) {
    Play play;
    launched(play, 1);
    play.pass(Duration{60'000});
    play.ask(UnknownRequest{h1, play.now - Duration{60'000}}, Role::reaper, "reaper");
    end(play);
    play.pass(Duration{100});
    EXPECT_EQ(host(play).admission, Admission::draining);
    EXPECT_FALSE(play.take<SealCommand>());
}

TEST_F(Ends, ADeadAgentsWorkspacesEndByTheProvidersWord) {
    Play play;
    with_workspace(play);
    play.pass(Duration{60'000});
    play.ask(UnknownRequest{h1, play.now - Duration{60'000}}, Role::reaper, "reaper");

    end(play, EndMode::force);
    play.pass(Duration{60'000});
    EXPECT_TRUE(play.workspace("ada").leased) << "I15: unreachable is not free";
    EXPECT_THAT(waits(play), HasSubstr("when its provider says that the machine is gone"));

    play.ask(GoneRequest{h1, "the listing says terminated"}, Role::reaper, "reaper");
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopped);
    EXPECT_TRUE(play.state.endings.empty());
}

TEST_F(Ends, TheNextLifeOfAMachineIsEndedToo) {
    Play play;
    launched(play, 1);
    end(play);
    launched(play, 1, "i2");
    EXPECT_EQ(host(play).admission, Admission::cordoned);
    EXPECT_EQ(play.refusal_of(play.claim("k1", "ada", Duration{0}))->kind, ErrorKind::no_capacity);
    play.answer<SealCommand>(fail(Error{ErrorKind::timeout, "that life is over"}));
    play.pass(play.state.policy.command_retry);
    play.answer<SealCommand>(HostAnswer{SealReply{{"i2"}, 0}});
    EXPECT_EQ(host(play).admission, Admission::draining);
    play.ask(GoneRequest{{{"h-1"}, {"i2"}}, "terminated"}, Role::reaper, "reaper");
    launched(play, 1, "i3");
    EXPECT_FALSE(host(play).ending) << "that end had come";
    EXPECT_EQ(host(play).admission, Admission::open);
}

TEST_F(Ends, AnOldCopyOfTheLedgerEndsNothing) {
    Play play;
    with_workspace(play);
    play.ask(HostHeartbeat{.host = {"h-1"}, .incarnation = {"i1"}, .term_seen = Term{play.state.view.term.value + (1ULL << 20)}}, Role::host, "h-1");
    ASSERT_TRUE(play.state.view.doubted_by);
    end(play, EndMode::force);
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::active);
    EXPECT_THAT(waits(play), HasSubstr("old copy"));
}

TEST_F(Ends, DrainEmptiesAHostAndKeepsIt) {
    Play play;
    with_workspace(play);
    const auto caller = play.ask(CordonRequest{.host = h1, .why = "new kernel", .tenants = Tenants::stop, .principal = Principal{"ops"}},
                                 Role::gateway, "gateway");
    EXPECT_EQ(play.reply_to<Done>(caller)->count, 2U);
    EXPECT_EQ(host(play).cordoned_by, "ops");
    play.wiped();
    EXPECT_TRUE(host(play).idle());
    play.pass(Duration{60'000});
    EXPECT_EQ(host(play).admission, Admission::cordoned);
    EXPECT_TRUE(play.reply_to<Done>(play.ask(UncordonRequest{h1}, Role::gateway, "gateway")));
}

// Field report 39, for every place where an allocator may die: after any fact of the whole way, the
// next one brings the host to its end.
TEST_F(Ends, WhateverATornLedgerKeptOfTheWayTheNextAllocatorGoesOn) {
    const auto whole_way = [&](Play& play) {
        with_workspace(play);
        const auto before = play.facts.size();
        end(play, EndMode::force);
        play.wiped();
        play.pass(Duration{100});
        sealed(play);
        return before;
    };
    Play whole;
    const auto first = whole_way(whole) + 1;                  // the wish itself was kept
    ASSERT_TRUE(std::holds_alternative<HostEnding>(whole.facts[first - 1].fact));
    ASSERT_GT(whole.facts.size(), first + 4);
    for (auto kept = first; kept <= whole.facts.size(); ++kept) {
        SCOPED_TRACE(kept);
        Play play;
        whole_way(play);
        play.restore(kept);
        EXPECT_NE(host(play).admission, Admission::open);
        if (play.workspace("ada").leased) play.wiped();
        play.beat("h-1");
        play.pass(Duration{100});
        if (host(play).admission != Admission::draining) sealed(play);
        EXPECT_EQ(host(play).admission, Admission::draining);
        EXPECT_TRUE(host(play).idle());
        EXPECT_LE(play.told<HostCordoned>().size(), 1U);
    }
}

TEST_F(Ends, WhateverATornLedgerKeptOfAnUndoTheHostIsEitherEndingOrOpen) {
    Play whole;
    with_workspace(whole);
    end(whole);
    const auto before = whole.facts.size();
    end(whole, EndMode::undo);
    for (auto kept = before; kept <= whole.facts.size(); ++kept) {
        SCOPED_TRACE(kept);
        Play play;
        with_workspace(play);
        end(play);
        end(play, EndMode::undo);
        play.restore(kept);
        EXPECT_EQ(host(play).admission, host(play).ending ? Admission::cordoned : Admission::open);
    }
}

// ---- hosts that an operator enrolled by hand: the operator is their provider (requirement 19)

TEST_F(Ends, AHostWithoutALaunchIsItsOwners) {
    Play play;
    play.host("h-1", 1);
    EXPECT_TRUE(host(play).is_static());
    const LaunchId launch{"l-1"};
    play.ask(RegisterRequest{.host = {"h-2"}, .incarnation = {"i1"}, .pool = {"default"}, .launch = launch, .slots = 1}, Role::host, "h-2");
    EXPECT_EQ(play.state.view.hosts.at({"h-2"}).provider, "local");
    const auto before = play.facts.size();
    play.ask(RegisterRequest{.host = {"h-2"}, .incarnation = {"i1"}, .pool = {"default"}, .instance = "h-2", .slots = 1}, Role::host, "h-2");
    EXPECT_EQ(play.facts.size(), before) << "the same life is the same machine";
}

TEST_F(Ends, AStaticHostIsGoneOnceItIsSealed) {
    Play play;
    play.host("h-1", 1);
    end(play);
    sealed(play);
    EXPECT_EQ(host(play).liveness, Liveness::gone);
    EXPECT_EQ(play.told<HostDrained>().size(), 1U);
    EXPECT_EQ(play.facts.back().reason.evidence().front(), "ops asked to end it: old disk");
    EXPECT_EQ(play.refusal_of(play.beat("h-1"))->kind, ErrorKind::not_found);
}

TEST_F(Ends, OfASilentStaticHostItsOwnersWordEndsTheLeases) {
    Play play;
    play.host("h-1", 2);
    play.claim("k1", "ada");
    play.bound();
    play.pass(Duration{60'000});
    play.ask(UnknownRequest{h1, play.now - Duration{60'000}}, Role::reaper, "reaper");

    end(play);
    play.pass(Duration{60'000});
    EXPECT_TRUE(play.workspace("ada").leased) << "I15: it may run there";
    EXPECT_THAT(waits(play), HasSubstr("an operator says that the machine is off: berth hosts end h-1 --force"));

    end(play, EndMode::force);
    EXPECT_EQ(host(play).liveness, Liveness::gone);
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::stopped);
}

}  // namespace
}  // namespace berth::allocator
