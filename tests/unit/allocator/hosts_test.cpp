// SPDX-License-Identifier: Apache-2.0
#include "play.hpp"

namespace berth::allocator {
namespace {

const HostRef h1{{"h-1"}, {"i1"}};

TEST(Hosts, AHostSpeaksOnlyForItself) {
    Play play;
    const auto caller = play.ask(RegisterRequest{.host = {"h-1"}, .incarnation = {"i1"}, .pool = {"default"}, .slots = 1}, Role::host, "h-2");
    EXPECT_EQ(play.refusal_of(caller)->kind, ErrorKind::denied);
}

TEST(Hosts, I15_AnUnknownHostKeepsItsLeasesAndGetsNoNewOnes) {
    Play play;
    play.host("h-1", 2);
    play.claim("k1", "ada");
    play.bound();
    play.pass(Duration{40'000});

    play.ask(UnknownRequest{h1, play.now - Duration{40'000}}, Role::reaper, "reaper");
    const auto caller = play.claim("k2", "bob", Duration{0});

    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::active);
    EXPECT_EQ(play.refusal_of(caller)->kind, ErrorKind::no_capacity);
    play.beat("h-1");
    EXPECT_EQ(play.told<HostReturned>().size(), 1U);
}

TEST(Hosts, AHostThatWasJustHeardIsNotUnknown) {
    Play play;
    play.host("h-1", 2);
    const auto caller = play.ask(UnknownRequest{h1, play.now}, Role::reaper, "reaper");
    EXPECT_EQ(play.refusal_of(caller)->kind, ErrorKind::conflict);
}

TEST(Hosts, I10_OnlyTheProvidersWordFreesTheSlotsOfADeadHost) {
    Play play;
    play.host("h-1", 1);
    play.claim("k1", "ada");
    play.bound();
    const auto again = play.ask(RegisterRequest{.host = {"h-1"}, .incarnation = {"i2"}, .pool = {"default"}, .slots = 1}, Role::host, "h-1");
    EXPECT_EQ(play.refusal_of(again)->kind, ErrorKind::conflict);

    play.ask(GoneRequest{h1, "terminated at the provider"}, Role::reaper, "reaper");
    play.host("h-1", 1, "i2");
    play.claim("k2", "ada");

    EXPECT_EQ(play.told<LeaseGranted>().back().incarnation.value, "i2");
    EXPECT_EQ(play.told<LeaseGranted>().back().epoch, Epoch{2}) << "I3: epochs outlive incarnations";
}

TEST(Hosts, I16_AnOrphanAndAHostExcludeEachOtherByTheLedgersOrder) {
    Play play;
    play.host("h-1", 1);
    const auto known = play.ask(CondemnRequest{.instance = "h-1", .incarnation = {"i1"}}, Role::scaler, "scaler");
    EXPECT_EQ(play.refusal_of(known)->kind, ErrorKind::conflict);

    const auto orphan = play.ask(CondemnRequest{.instance = "h-2", .incarnation = {"i1"}}, Role::scaler, "scaler");
    EXPECT_FALSE(play.refusal_of(orphan));
    const auto late = play.ask(RegisterRequest{.host = {"h-2"}, .incarnation = {"i1"}, .pool = {"default"}, .instance = "h-2", .slots = 1}, Role::host, "h-2");
    EXPECT_EQ(play.refusal_of(late)->kind, ErrorKind::fenced);
    EXPECT_EQ(play.told<InstanceCondemned>().size(), 1U);

    play.host("h-2", 1, "i2");
    EXPECT_TRUE(play.state.view.hosts.contains({"h-2"})) << "another life of the name is another instance";
}

TEST(Hosts, I29_WhateverATornLedgerKeptOfAHostsEndItsLeasesEnd) {
    const auto until_gone = [](Play& play) {
        play.host("h-1", 3);
        for (const auto* user : {"ada", "bob"}) {
            play.claim(user, user);
            play.bound(user);
        }
        play.claim("eve", "eve");                                  // it is still starting
        const auto before = play.facts.size();
        play.ask(GoneRequest{h1, "terminated at the provider"}, Role::reaper, "reaper");
        return std::pair{before + 1, play.facts.size()};           // at least the host's end was kept
    };
    Play whole;
    const auto [first, last] = until_gone(whole);
    ASSERT_GT(last, first + 4);
    for (auto kept = first; kept <= last; ++kept) {
        SCOPED_TRACE(kept);
        Play play;
        until_gone(play);
        play.restore(kept);
        EXPECT_TRUE(play.state.view.hosts.at({"h-1"}).idle());
        for (const auto* user : {"ada", "bob", "eve"}) EXPECT_EQ(play.workspace(user).state, WorkspaceState::stopped);
    }
}

TEST(Hosts, I13_ADrainNeedsASealAndNoLease) {
    Play play;
    play.host("h-1", 1);
    play.claim("k1", "ada");
    play.bound();
    const auto early = play.ask(DrainRequest{h1, "surplus"}, Role::scaler, "scaler");
    EXPECT_EQ(play.refusal_of(early)->kind, ErrorKind::conflict);
    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    play.wiped();

    const auto caller = play.ask(DrainRequest{h1, "surplus"}, Role::scaler, "scaler");
    EXPECT_FALSE(play.reply_to<Permit>(caller)) << "not before the seal";
    play.answer<SealCommand>(HostAnswer{SealReply{{"i1"}, 0}});

    const auto* permit = play.reply_to<Permit>(caller);
    ASSERT_TRUE(permit);
    EXPECT_TRUE(play.reply_to<Done>(play.ask(PermitCheckRequest{*permit}, Role::scaler, "scaler")));
    EXPECT_EQ(play.refusal_of(play.claim("k2", "bob", Duration{0}))->kind, ErrorKind::no_capacity);
    EXPECT_EQ(play.refusal_of(play.ask(UncordonRequest{h1}, Role::scaler, "scaler"))->kind, ErrorKind::conflict);
}

TEST(Hosts, I16_APermitDiesWithItsTerm) {
    Play play;
    play.host("h-1", 1);
    const auto caller = play.ask(DrainRequest{h1, "surplus"}, Role::scaler, "scaler");
    play.answer<SealCommand>(HostAnswer{SealReply{{"i1"}, 0}});
    const auto permit = *play.reply_to<Permit>(caller);

    play.restart();

    EXPECT_EQ(play.refusal_of(play.ask(PermitCheckRequest{permit}, Role::scaler, "scaler"))->kind, ErrorKind::fenced);
}

TEST(Hosts, AGrantThatCameFirstDefeatsTheSeal) {
    Play play;
    play.host("h-1", 2);
    const auto caller = play.ask(DrainRequest{h1, "surplus"}, Role::scaler, "scaler");
    play.answer<SealCommand>(HostAnswer{SealReply{{"i1"}, 1}});
    EXPECT_EQ(play.refusal_of(caller)->kind, ErrorKind::conflict);
}

TEST(Hosts, ABrokenSlotIsQuarantinedUntilTheHostHasCleanedIt) {
    Play play;
    play.host("h-1", 1);
    play.beat("h-1", {{.slot = 0, .phase = SlotPhase::broken, .text = "umount failed"}});
    EXPECT_EQ(play.refusal_of(play.claim("k1", "ada", Duration{0}))->kind, ErrorKind::no_capacity);

    play.beat("h-1", {{.slot = 0, .phase = SlotPhase::empty}});
    play.claim("k2", "ada");

    EXPECT_EQ(play.told<LeaseGranted>().size(), 1U);
}

TEST(Hosts, I13_ASlotSetAsideThatStillHasItsWorkspaceKeepsItsHost) {
    Play play;
    play.host("h-1", 1);
    play.claim("k1", "ada");
    play.bound();
    play.beat("h-1", {{.slot = 0, .phase = SlotPhase::broken, .epoch = Epoch{1}, .workspace = play.workspace("ada").workspace, .text = "umount failed"}});
    ASSERT_EQ(play.told<SlotQuarantined>().size(), 1U);
    const auto drain = play.ask(DrainRequest{h1, "surplus"}, Role::scaler, "scaler");
    ASSERT_TRUE(play.refusal_of(drain));
    EXPECT_EQ(play.refusal_of(drain)->kind, ErrorKind::conflict);
    play.host("h-1", 1, "i2");
    EXPECT_EQ(play.state.view.hosts.at({"h-1"}).incarnation, HostIncarnation{"i1"}) << "it is not known what became of ada's work";
    play.ask(GoneRequest{h1, "by the provider"}, Role::reaper, "reaper");
    play.host("h-1", 1, "i2");
    EXPECT_EQ(play.state.view.hosts.at({"h-1"}).incarnation, HostIncarnation{"i2"});
}

TEST(Hosts, F16_AnOldLedgerIsNoticedByTheHostsEpochs) {
    Play play;
    play.host("h-1", 1);
    play.beat("h-1", {{.slot = 0, .phase = SlotPhase::bound, .epoch = Epoch{7}, .workspace = {"w-x"}}});
    ASSERT_EQ(play.told<SlotQuarantined>().size(), 1U);
    EXPECT_THAT(play.told<SlotQuarantined>()[0].text, ::testing::HasSubstr("old ledger"));
}

TEST(Hosts, I31_LaunchesAreFactsWithinThePoolsMaximum) {
    Play play;
    play.host("h-1", 1);
    const auto caller = play.ask(LaunchRequest{.pool = {"default"}, .count = 50}, Role::scaler, "scaler");
    ASSERT_TRUE(play.reply_to<LaunchReply>(caller));
    EXPECT_EQ(play.reply_to<LaunchReply>(caller)->launches.size(), 9U);
    EXPECT_EQ(play.refusal_of(play.ask(LaunchRequest{.pool = {"default"}, .count = 1}, Role::scaler, "scaler"))->kind, ErrorKind::no_capacity);

    const auto launch = play.reply_to<LaunchReply>(caller)->launches[0];
    play.ask(LaunchFailedRequest{launch, LaunchFailure::quota, "vCPU quota"}, Role::scaler, "scaler");
    play.claim("k1", "ada");
    play.claim("k2", "bob");

    EXPECT_EQ(play.progress.back().blocked_by, "vCPU quota") << "req 15: the waiting claim says why";
    play.pass(Duration{700'000});
    EXPECT_TRUE(play.state.view.launches.empty()) << "no launch is in flight for ever";
}

TEST(Hosts, a_launch_is_met_by_the_host_that_the_provider_names) {
    Play play;
    const auto caller = play.ask(LaunchRequest{.pool = {"default"}, .count = 1}, Role::scaler, "scaler");
    const auto launch = play.reply_to<LaunchReply>(caller)->launches[0];
    const auto early = play.ask(LaunchMetRequest{launch, {{"h-1"}, {"i-h-1"}}, "cloud"}, Role::scaler, "scaler");
    EXPECT_EQ(play.refusal_of(early)->kind, ErrorKind::conflict) << "there is no such host yet";
    play.host("h-1", 1);
    const HostRef host{{"h-1"}, play.state.view.hosts.at({"h-1"}).incarnation};
    EXPECT_TRUE(play.state.view.hosts.at({"h-1"}).is_static());

    play.ask(LaunchMetRequest{launch, host, "cloud"}, Role::scaler, "scaler");
    play.ask(LaunchMetRequest{launch, host, "cloud"}, Role::scaler, "scaler");

    EXPECT_THAT(play.told<LaunchMet>(), ::testing::ElementsAre(LaunchMet{launch, {"default"}, host, "cloud"})) << "once";
    EXPECT_TRUE(play.state.view.launches.empty());
    EXPECT_EQ(play.state.view.hosts.at({"h-1"}).provider, "cloud") << "whoever launched it may give it back";
}

TEST(Hosts, req31_what_a_host_costs_is_a_fact_once_and_again_when_it_changes) {
    Play play;
    play.host("h-1", 1);
    const HostRef host{{"h-1"}, play.state.view.hosts.at({"h-1"}).incarnation};
    const HostPrice price{"t3.large", "us-east-1a", false, 83'200};

    play.ask(HostPricedRequest{host, price}, Role::scaler, "scaler");
    play.ask(HostPricedRequest{host, price}, Role::scaler, "scaler");
    const auto unknown = play.ask(HostPricedRequest{{{"h-9"}, {"i"}}, price}, Role::scaler, "scaler");

    EXPECT_THAT(play.told<HostPriced>(), ::testing::ElementsAre(HostPriced{host, price}));
    EXPECT_EQ(play.state.view.hosts.at({"h-1"}).price, price);
    EXPECT_EQ(play.refusal_of(unknown)->kind, ErrorKind::conflict);
}

TEST(Hosts, I33_EveryFactHasAReason) {
    Play play;
    play.host("h-1", 1);
    play.claim("k1", "ada");
    for (const auto& record : play.facts) {
        SCOPED_TRACE(type_of(record.fact));
        EXPECT_FALSE(record.reason.why().empty());
        EXPECT_FALSE(record.reason.actor().empty());
        EXPECT_FALSE(record.reason.policy().empty());
    }
}

CallerId beat_in_trouble(Play& play, std::optional<std::string> trouble) {
    return play.ask(HostHeartbeat{.host = {"h-1"}, .incarnation = {"i1"}, .trouble = std::move(trouble)}, Role::host, "h-1");
}

TEST(Hosts, AHostThatCanStartNothingIsPassedOverAndSaid_FieldReportN2) {
    Play play;
    play.host("h-1", 2);
    beat_in_trouble(play, "no image 'berth/workspace:4'");
    beat_in_trouble(play, "no image 'berth/workspace:4', tried again");
    EXPECT_EQ(play.told<HostImpaired>().size(), 1U);
    EXPECT_EQ(play.state.view.hosts.at({"h-1"}).ready(), 0U);

    const auto caller = play.claim("k1", "ada", Duration{5'000});
    ASSERT_FALSE(play.progress.empty());
    EXPECT_THAT(play.progress.back().blocked_by, ::testing::HasSubstr("no image 'berth/workspace:4'"));
    play.pass(Duration{5'000});
    ASSERT_TRUE(play.refusal_of(caller));
    EXPECT_THAT(play.refusal_of(caller)->text, ::testing::HasSubstr("h-1: no image"));
}

TEST(Hosts, AHostThatCanStartAgainIsUsedAtOnce_FieldReportN2) {
    Play play;
    play.host("h-1", 2);
    play.claim("k0", "eve", Duration{60'000});
    for (std::uint32_t failed = 0; failed < play.state.policy.host_failures_max; ++failed) {
        play.answer<BindCommand>(fail(ErrorKind::conflict, "no image"));
        play.wiped();
    }
    ASSERT_GE(play.state.view.hosts.at({"h-1"}).failures, play.state.policy.host_failures_max);
    beat_in_trouble(play, "no image");
    play.claim("k1", "ada");
    const auto before = play.told<LeaseGranted>().size();
    play.pass(Duration{1'000});
    EXPECT_EQ(play.told<LeaseGranted>().size(), before);

    beat_in_trouble(play, std::nullopt);
    play.pass(Duration{1'000});
    EXPECT_EQ(play.state.view.hosts.at({"h-1"}).failures, 0U);
    EXPECT_EQ(play.told<LeaseGranted>().size(), before + 1) << "the pause is lifted";
}

TEST(Hosts, AnotherEnvironmentForALeaseIsAFactWithItsReason_FieldReportN3) {
    Play play;
    play.host("h-1", 2);
    play.claim("k1", "ada");
    play.bound("first");
    const auto id = play.workspace("ada").workspace;
    SlotReport report{.slot = play.workspace("ada").slot, .phase = SlotPhase::bound, .epoch = play.workspace("ada").epoch, .workspace = id, .container = {"first"}};
    play.beat("h-1", {report});
    EXPECT_TRUE(play.told<WorkspaceRestarted>().empty());

    report.container = {"second"};
    report.text = "first has exited: status 137, out of memory (its limit is 96 MiB)";
    play.beat("h-1", {report});
    play.beat("h-1", {report});
    ASSERT_EQ(play.told<WorkspaceRestarted>().size(), 1U);
    EXPECT_EQ(play.workspace("ada").container.value, "second");
    EXPECT_THAT(play.facts.back().reason.why(), ::testing::HasSubstr("out of memory"));

    report.incident = "paused by somebody";
    play.beat("h-1", {report});
    play.beat("h-1", {report});
    EXPECT_EQ(play.workspace("ada").incident, "paused by somebody");
    report.incident.reset();
    play.beat("h-1", {report});
    EXPECT_FALSE(play.workspace("ada").incident);
    EXPECT_EQ(play.told<WorkspaceIncident>().size(), 2U);
}

}  // namespace
}  // namespace berth::allocator
