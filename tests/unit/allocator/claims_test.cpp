// SPDX-License-Identifier: Apache-2.0
#include "play.hpp"

namespace berth::allocator {
namespace {

TEST(Claims, AFreeSlotBecomesALinkToAWorkspace) {
    Play play;
    play.host("h-1", 2);

    const auto caller = play.claim("k1", "ada");
    play.bound();
    play.linked();

    const auto* reply = play.reply_to<ClaimReply>(caller);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->state, ClaimState::granted);
    EXPECT_EQ(reply->host.value, "h-1");
    EXPECT_EQ(reply->ip, "127.0.0.9");
    EXPECT_EQ(reply->port, 8100U);
    EXPECT_EQ(reply->token, "t");
    EXPECT_EQ(reply->epoch, Epoch{1});
    EXPECT_EQ(reply->lease_expires_at, play.now + Duration{8 * 3'600'000});
}

TEST(Claims, ALinkThatComesWithTheBindIsTheFirstCallersAndNoFactHoldsIt) {
    Play play;
    play.host("h-1", 2);
    const auto first = play.claim("k1", "ada");
    const auto joined = play.claim("k1", "ada");

    play.answer<BindCommand>(HostAnswer{BindReply{{"k1"}, "http://w.localhost:8100/", LinkReply{"http://w.localhost:8100/", "l-1", "t-1"}}});

    ASSERT_TRUE(play.reply_to<ClaimReply>(first)) << "in the same step as the grant";
    EXPECT_EQ(play.reply_to<ClaimReply>(first)->token, "t-1");
    EXPECT_EQ(play.reply_to<ClaimReply>(first)->link, "l-1");
    EXPECT_EQ(play.reply_to<ClaimReply>(first)->state, ClaimState::granted);
    EXPECT_FALSE(play.reply_to<ClaimReply>(joined)) << "a link opens once: the other caller gets its own";
    play.linked();
    EXPECT_EQ(play.reply_to<ClaimReply>(joined)->token, "t");
    EXPECT_FALSE(play.take<LinkCommand>());
    for (const auto& record : play.facts) EXPECT_EQ(encode(record).find("t-1"), std::string::npos) << "I30";
    const auto later = play.claim("k2", "ada");
    play.linked();
    EXPECT_EQ(play.reply_to<ClaimReply>(later)->token, "t");
}

TEST(Claims, ReturningUserGetsTheirRunningEnvironment) {
    Play play;
    play.host("h-1", 2);
    play.claim("k1", "ada");
    play.bound();
    play.linked();

    const auto again = play.claim("k2", "ada");
    play.linked();

    EXPECT_EQ(play.reply_to<ClaimReply>(again)->workspace, play.workspace("ada").workspace);
    EXPECT_EQ(play.told<LeaseGranted>().size(), 1U);
}

TEST(Claims, I6_TheSameKeyHasOneOutcomeAndAnotherBodyIsRefused) {
    Play play;
    play.host("h-1", 2);
    const auto first = play.claim("k1", "ada");
    const auto joined = play.claim("k1", "ada");
    play.bound();
    play.linked();
    play.linked();
    play.restart();
    play.beat("h-1");

    const auto later = play.claim("k1", "ada");
    play.linked();
    const auto other = play.claim("k1", "bob");

    EXPECT_EQ(play.reply_to<ClaimReply>(first)->claim, play.reply_to<ClaimReply>(joined)->claim);
    EXPECT_EQ(play.reply_to<ClaimReply>(first)->workspace, play.reply_to<ClaimReply>(later)->workspace);
    EXPECT_EQ(play.refusal_of(other)->kind, ErrorKind::conflict);
    EXPECT_EQ(play.told<LeaseGranted>().size(), 1U);
}

TEST(Claims, WaitingClaimsAreServedInOrder) {
    Play play;
    play.host("h-1", 1);
    play.claim("k1", "ada");
    play.bound();
    play.claim("k2", "bob");
    play.claim("k3", "cid");
    EXPECT_EQ(play.progress.back().place, 2U);

    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    play.wiped();

    const auto leases = play.told<LeaseGranted>();
    ASSERT_EQ(leases.size(), 2U);
    EXPECT_EQ(leases[1].user.value, "bob");
    EXPECT_EQ(leases[1].epoch, Epoch{2});
}

TEST(Claims, ANewClaimDoesNotOvertakeTheQueue) {
    Play play;
    play.claim("k1", "ada");
    play.claim("k2", "bob");

    play.host("h-1", 1);

    EXPECT_EQ(play.told<LeaseGranted>().at(0).user.value, "ada");
}

TEST(Claims, WithoutWaitingTheReasonComesAtOnce) {
    Play play;
    const auto caller = play.claim("k1", "ada", Duration{0});

    ASSERT_TRUE(play.refusal_of(caller));
    EXPECT_EQ(play.refusal_of(caller)->kind, ErrorKind::no_capacity);
    EXPECT_THAT(play.refusal_of(caller)->text, ::testing::HasSubstr("no host of pool default"));
}

TEST(Claims, I7_AWaitingClaimExpiresAtItsDeadlineAndItsOutcomeCanBeAsked) {
    Play play;
    const auto caller = play.claim("k1", "ada", Duration{5'000});

    play.pass(Duration{4'999});
    EXPECT_FALSE(play.refusal_of(caller));
    play.pass(Duration{1});
    play.restart();
    const auto asked = play.ask(ClaimOutcomeRequest{.key = {"k1"}});

    EXPECT_EQ(play.refusal_of(caller)->kind, ErrorKind::no_capacity);
    EXPECT_EQ(play.refusal_of(asked)->text, play.refusal_of(caller)->text);
}

TEST(Claims, OneThatExpiresWhileAHostBootsSaysWhereToLook) {
    Play play;
    play.ask(LaunchRequest{.pool = {"default"}, .count = 1}, Role::scaler, "scaler");
    const auto caller = play.claim("k1", "ada", Duration{5'000});
    play.pass(Duration{5'000});
    EXPECT_THAT(play.refusal_of(caller)->text, ::testing::HasSubstr("1 host booting: `berth doctor` says"));
}

TEST(Claims, AFailedStartTriesTheNextHostWithinTheSameClaim) {
    Play play;
    play.host("h-1", 1);
    play.host("h-2", 1);
    const auto caller = play.claim("k1", "ada");
    const auto first = play.told<LeaseGranted>().at(0).host;

    play.answer<BindCommand>(fail(ErrorKind::unavailable, "no answer"));
    EXPECT_EQ(play.told<WorkspaceFailed>().size(), 0U) << "silence is not a failure before the start deadline";
    play.pass(Duration{2'000});
    play.answer<BindCommand>(fail(ErrorKind::internal, "code-server never became healthy"));
    play.wiped();
    play.bound("k2");
    play.linked();

    const auto leases = play.told<LeaseGranted>();
    ASSERT_EQ(leases.size(), 2U);
    EXPECT_NE(leases[1].host, first);
    EXPECT_EQ(play.reply_to<ClaimReply>(caller)->host, leases[1].host);
}

TEST(Claims, AfterTooManyFailedStartsTheClaimFailsWithTheReason) {
    Play play(Policy{.tries_max = 2});
    play.host("h-1", 1);
    const auto caller = play.claim("k1", "ada");
    for (int i = 0; i < 2; ++i) {
        play.answer<BindCommand>(fail(ErrorKind::internal, "the image is broken"));
        play.wiped();
    }
    ASSERT_TRUE(play.refusal_of(caller));
    EXPECT_EQ(play.refusal_of(caller)->kind, ErrorKind::unavailable);
    EXPECT_THAT(play.refusal_of(caller)->text, ::testing::HasSubstr("failed to start 2 times, the last time on h-1; see `berth why c-"));
}

TEST(Claims, AHostWithManyFailuresIsPassedOverForAWhile) {
    Play play(Policy{.tries_max = 9, .host_failures_max = 1});
    play.host("h-1", 1);
    play.claim("k1", "ada");
    play.answer<BindCommand>(fail(ErrorKind::internal, "broken"));
    play.wiped();
    EXPECT_EQ(play.told<LeaseGranted>().size(), 1U);

    play.host("h-2", 1);

    EXPECT_EQ(play.told<LeaseGranted>().at(1).host.value, "h-2");
}

TEST(Claims, AStandbyIsPreferred) {
    Play play;
    play.host("h-1", 2);
    play.host("h-2", 3);
    play.beat("h-2", {{.slot = 2, .phase = SlotPhase::prepared}});

    play.claim("k1", "ada");

    EXPECT_EQ(play.told<LeaseGranted>().at(0).host.value, "h-2");
    EXPECT_EQ(play.told<LeaseGranted>().at(0).slot, 2U);
}

TEST(Claims, BadRequestsChangeNothing) {
    struct Row {
        std::string name;
        ClaimRequest request;
        ErrorKind kind;
    };
    const std::vector<Row> rows{
        {"no key", {.user = {"ada"}, .project = {"site"}}, ErrorKind::invalid},
        {"long key", {.key = {std::string(129, 'k')}, .user = {"ada"}, .project = {"site"}}, ErrorKind::invalid},
        {"path in project", {.key = {"k"}, .user = {"ada"}, .project = {"../etc"}}, ErrorKind::invalid},
        {"control character", {.key = {"k"}, .user = {"a\nb"}, .project = {"site"}}, ErrorKind::invalid},
        {"empty user", {.key = {"k"}, .project = {"site"}}, ErrorKind::invalid},
        {"unknown pool", {.key = {"k"}, .user = {"ada"}, .project = {"site"}, .pool = PoolName{"gpu"}}, ErrorKind::not_found},
        {"no lease at all", {.key = {"k"}, .user = {"ada"}, .project = {"site"}, .ttl_ms = Duration{0}}, ErrorKind::invalid},
    };
    Play play;
    const auto before = play.facts.size();
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        const auto caller = play.ask(row.request);
        ASSERT_TRUE(play.refusal_of(caller));
        EXPECT_EQ(play.refusal_of(caller)->kind, row.kind) << play.refusal_of(caller)->text;
    }
    EXPECT_EQ(play.facts.size(), before);
}

TEST(Claims, AFullDiskRefusesClaimsButReleases) {
    Play play;
    play.host("h-1", 2);
    play.claim("k1", "ada");
    play.bound();
    play.give(StorageChanged{Storage::low});

    const auto claim = play.claim("k2", "bob");
    const auto release = play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});

    EXPECT_EQ(play.refusal_of(claim)->kind, ErrorKind::unavailable);
    EXPECT_EQ(play.reply_to<Done>(release)->count, 1U);
}

TEST(Claims, AFullDiskAnswersAStartWithItsReason_field_report_28) {
    Play play;
    play.host("h-1", 2);
    play.claim("k1", "ada");
    play.bound();
    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    play.wiped();
    play.give(StorageChanged{Storage::low});

    const auto start = play.ask(ExtendRequest{.target = {.user = UserId{"ada"}}, .expires_at = play.now + Duration{60'000}});

    ASSERT_TRUE(play.refusal_of(start)) << "a start that does not happen is no success";
    EXPECT_THAT(play.refusal_of(start)->text, ::testing::HasSubstr("disk is full"));
}

TEST(Claims, AKeyWhoseOutcomeIsOverSaysSo_field_report_15) {
    Play play;
    play.host("h-1", 2);
    play.claim("k1", "ada");
    play.bound();
    play.linked();
    const auto id = play.workspace("ada").workspace;
    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    const auto stopping = play.claim("k1", "ada");
    play.wiped();
    const auto stopped = play.claim("k1", "ada");

    ASSERT_TRUE(play.reply_to<ClaimReply>(stopping)->over);
    EXPECT_EQ(play.reply_to<ClaimReply>(stopping)->over->state, "stopping");
    const auto& over = play.reply_to<ClaimReply>(stopped)->over;
    ASSERT_TRUE(over);
    EXPECT_EQ(play.reply_to<ClaimReply>(stopped)->state, ClaimState::granted) << "I6: the outcome stands";
    EXPECT_EQ(over->state, "stopped");
    EXPECT_EQ(over->since, play.workspace("ada").changed_at);
    EXPECT_THAT(over->text, ::testing::HasSubstr("`berth start " + id.value + "`"));

    play.claim("k2", "ada");
    play.bound("k2");
    const auto again = play.claim("k1", "ada");
    EXPECT_THAT(play.reply_to<ClaimReply>(again)->over->text, ::testing::HasSubstr("`berth open " + id.value + "`"));
    play.ask(DestroyRequest{.target = {.user = UserId{"ada"}}});
    const auto gone = play.claim("k1", "ada");
    EXPECT_THAT(play.reply_to<ClaimReply>(gone)->over->text, ::testing::HasSubstr("new key"));
}

TEST(Claims, ALengthThatIsAskedForMovesTheEndOfARunningLease_field_report_N5) {
    Play play;
    play.host("h-1", 2);
    play.claim("k1", "ada");
    play.bound();
    const auto before = play.workspace("ada").expires_at;
    const auto ask = [&](const char* key, std::optional<Duration> ttl) {
        play.ask(ClaimRequest{.key = {key}, .user = {"ada"}, .project = {"site"}, .ttl_ms = ttl});
        return play.workspace("ada").expires_at;
    };

    EXPECT_EQ(ask("k2", std::nullopt), before) << "who names no length changes none";
    EXPECT_EQ(ask("k3", Duration{3'600'000}), before) << "never shorter";
    EXPECT_EQ(ask("k4", Duration{10 * 3'600'000}), play.now + Duration{10 * 3'600'000});
    EXPECT_EQ(ask("k5", Duration{1'000LL * 3'600'000}), play.now + Duration{24 * 3'600'000}) << "up to the pool's cap";
    play.pass(Duration{60'000});
    EXPECT_EQ(ask("k4", Duration{10 * 3'600'000}), play.now - Duration{60'000} + Duration{24 * 3'600'000}) << "a key that is asked again moves nothing";
}

TEST(Claims, WhatAClockMeasuredIsRounded_field_report_N10) {
    Play play;
    const auto caller = play.claim("k", "ada", Duration{5'000});
    play.pass(Duration{5'002});
    ASSERT_TRUE(play.refusal_of(caller));
    EXPECT_THAT(play.refusal_of(caller)->text, ::testing::HasSubstr("within 5s"));
    EXPECT_THAT(play.refusal_of(caller)->text, ::testing::Not(::testing::HasSubstr("ms")));
}

TEST(Claims, OnlyAGatewayMaySpeakForAnotherPrincipal) {
    Play play;
    play.ask(ClaimRequest{.key = {"k"}, .user = {"ada"}, .project = {"site"}, .principal = Principal{"someone"}}, Role::client, "robot");
    play.ask(ClaimRequest{.key = {"k"}, .user = {"bob"}, .project = {"site"}, .principal = Principal{"someone"}}, Role::gateway, "gateway");

    const auto accepted = play.told<ClaimAccepted>();
    EXPECT_EQ(accepted.at(0).principal.value, "robot");
    EXPECT_EQ(accepted.at(1).principal.value, "someone");
}

TEST(Claims, I11_WaitingForOnesOwnWorkspaceIsNotLackOfRoom) {
    Play play;
    play.host("h-1", 2);
    play.claim("k1", "ada");
    play.bound();
    play.linked();
    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});

    const auto caller = play.claim("k2", "ada", Duration{5'000});
    play.pass(Duration{6'000});

    ASSERT_TRUE(play.refusal_of(caller));
    EXPECT_EQ(play.refusal_of(caller)->kind, ErrorKind::timeout);
    EXPECT_THAT(play.refusal_of(caller)->text, testing::HasSubstr("still stopping on h-1"));
}

}  // namespace
}  // namespace berth::allocator
