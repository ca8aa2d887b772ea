// SPDX-License-Identifier: Apache-2.0
// A pool that the configuration names no more is retired by a fact; naming it again undoes that.
#include "events/ending.hpp"
#include "play.hpp"

namespace berth::allocator {
namespace {

using ::testing::HasSubstr;

class Pools : public ::testing::Test {
protected:
    Play play;

    void configure(std::vector<std::string> names) {
        PoolsConfigured all;
        for (const auto& name : names) {
            play.give(PoolConfigured{PoolDefined{.pool = {name}, .slots_per_host = 2, .hosts_max = 10}});
            all.pools.push_back({name});
        }
        play.give(all);
    }
    void host_in(const std::string& pool, std::optional<LaunchId> launch = LaunchId{"l-1"}) {
        play.ask(RegisterRequest{.host = {"h-1"}, .incarnation = {"i1"}, .pool = {pool}, .launch = std::move(launch), .instance = "h-1", .slots = 2},
                 Role::host, "h-1");
        play.beat("h-1");
    }
    const HostView& host() const { return play.state.view.hosts.at({"h-1"}); }
};

TEST_F(Pools, OneThatIsNamedNoMoreIsRetiredAndItsHostsEnd) {
    configure({"default", "old"});
    host_in("old");
    configure({"default"});

    EXPECT_EQ(play.told<PoolRetired>().size(), 1U);
    ASSERT_TRUE(host().ending);
    EXPECT_EQ(host().ending->why, "pool 'old' is configured no more");
    play.answer<SealCommand>(HostAnswer{SealReply{{"i1"}, 0}});
    EXPECT_EQ(host().admission, Admission::draining) << "the scaler takes it from there";

    configure({"default"});
    EXPECT_EQ(play.told<PoolRetired>().size(), 1U) << "once";
    EXPECT_EQ(play.told<HostEnding>().size(), 1U);
}

TEST_F(Pools, NoClaimLandsOnARetiredOne) {
    configure({"old"});               // beside Play's own "default"
    host_in("old");
    play.claim("k1", "ada");
    EXPECT_EQ(play.refusal_of(play.ask(ClaimRequest{.key = {"k2"}, .user = {"bob"}, .project = {"site"}, .pool = PoolName{"default"}}))->kind,
              ErrorKind::not_found) << "default is retired";
    EXPECT_EQ(play.state.view.claims.begin()->second.asked.pool.value, "old") << "of two pools one is left";
    EXPECT_EQ(play.refusal_of(play.ask(LaunchRequest{.pool = {"default"}, .count = 1}, Role::scaler, "scaler"))->kind, ErrorKind::not_found);
}

TEST_F(Pools, AStoppedWorkspaceOfARetiredOneStartsElsewhere) {
    configure({"default", "old"});
    host_in("old");
    play.ask(ClaimRequest{.key = {"k1"}, .user = {"ada"}, .project = {"site"}, .pool = PoolName{"old"}});
    play.bound();
    play.linked();
    configure({"default"});
    EXPECT_EQ(play.workspace("ada").state, WorkspaceState::active) << "it is not stopped for that";
    EXPECT_EQ(waits_for(play.state.view, host()), "1 workspace on it; --force stops them now");
    play.ask(ReleaseRequest{.target = {.user = UserId{"ada"}}});
    play.wiped();
    play.ask(RegisterRequest{.host = {"h-2"}, .incarnation = {"i1"}, .pool = {"default"}, .launch = LaunchId{"l-2"}, .slots = 2}, Role::host, "h-2");
    play.beat("h-2");

    play.ask(ExtendRequest{.target = {.user = UserId{"ada"}}, .expires_at = play.now + Duration{3'600'000}});

    EXPECT_EQ(play.workspace("ada").host.value, "h-2");
    EXPECT_EQ(play.workspace("ada").pool.value, "default");
}

TEST_F(Pools, NamedAgainItsHostsStay) {
    configure({"default", "old"});
    host_in("old");
    play.ask(ClaimRequest{.key = {"k1"}, .user = {"ada"}, .project = {"site"}, .pool = PoolName{"old"}});
    play.bound();
    play.linked();
    configure({"default"});
    EXPECT_THAT(play.refusal_of(play.ask(EndHostRequest{.host = {{"h-1"}, {"i1"}}, .mode = EndMode::undo}, Role::gateway, "gateway"))->text,
                HasSubstr("put [pool.old] back"));
    play.restart();
    configure({"default", "old"});
    EXPECT_FALSE(host().ending);
    EXPECT_EQ(host().admission, Admission::open);
    EXPECT_FALSE(play.state.view.retired);
}

TEST_F(Pools, AHostThatComesLateIsEndedToo) {
    configure({"default", "old"});
    configure({"default"});
    host_in("old");
    EXPECT_NE(host().admission, Admission::open);
    EXPECT_TRUE(host().ending);
}

TEST_F(Pools, AnEnrolledHostOfARetiredOneWaitsForItsOwner) {
    configure({"default", "old"});
    host_in("old", std::nullopt);
    configure({"default"});
    play.pass(Duration{60'000});
    EXPECT_EQ(host().admission, Admission::cordoned);
    EXPECT_FALSE(play.take<SealCommand>());
    EXPECT_EQ(waits_for(play.state.view, host()), "no provider launched it, so an operator retires it: berth hosts end h-1");
    play.ask(EndHostRequest{.host = {{"h-1"}, {"i1"}}}, Role::gateway, "gateway");
    play.answer<SealCommand>(HostAnswer{SealReply{{"i1"}, 0}});
    EXPECT_EQ(host().liveness, Liveness::gone);
}

TEST_F(Pools, WhoWaitedForARetiredOneIsToldSo) {
    configure({"default", "old"});
    const auto caller = play.ask(ClaimRequest{.key = {"k1"}, .user = {"ada"}, .project = {"site"}, .pool = PoolName{"old"}, .wait_ms = Duration{5'000}});
    configure({"default"});
    play.pass(Duration{6'000});
    EXPECT_THAT(play.refusal_of(caller)->text, HasSubstr("the pool is configured no more"));
}

}  // namespace
}  // namespace berth::allocator
