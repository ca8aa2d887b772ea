// SPDX-License-Identifier: Apache-2.0
// The real broker and the real allocator, and peers of the test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/exit.hpp"
#include "tests/integration/allocator/scripted_host.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* config = "[pool.default]\nslots_per_host = 2\n";

class AllocatorProcess : public ::testing::Test {
protected:
    AllocatorProcess() {
        cluster.start("broker");
        cluster.start("allocator");
        robot.emplace(cluster, "robot", Role::client);
        host.emplace(cluster, "h-1", 2);
    }
    /// Claims, with the host's loop running beside; says it again while nobody is there to hear it.
    Result<ClaimReply> claim(const std::string& key, const std::string& user, Duration wait = Duration{10'000}) {
        std::optional<Result<ClaimReply>> reply;
        const auto ask = [&] {
            reply.reset();
            robot->endpoint().request<ClaimRequest>({.key = {key}, .user = {user}, .project = {"site"}, .wait_ms = wait},
                                                    wait + Duration{1'000}, [&](Result<ClaimReply> got) { reply = std::move(got); });
        };
        const RealClock clock;
        const auto last = clock.now() + wait;
        ask();
        both_until([&] {
            const bool unheard = reply && !*reply && reply->error().kind == ErrorKind::unavailable;
            if (unheard && clock.now() < last) ask();
            return reply.has_value();
        }, wait * 2 + Duration{5'000});
        return reply ? std::move(*reply) : Result<ClaimReply>{fail(ErrorKind::timeout, "no reply at all")};
    }
    bool both_until(const std::function<bool()>& is_so, Duration within = Duration{15'000}) {
        return eventually([&] {
            robot->until([] { return false; }, Duration{2});
            host->peer().until([] { return false; }, Duration{2});
            return is_so();
        }, within);
    }

    Cluster cluster{config};
    std::optional<TestPeer> robot;
    std::optional<ScriptedHost> host;
};

TEST_F(AllocatorProcess, grants_a_claim_with_a_link_req_5) {
    ASSERT_TRUE(host->enrol());
    const auto granted = claim("k1", "ada");
    ASSERT_TRUE(granted) << granted.error().text;
    EXPECT_EQ(granted->state, ClaimState::granted);
    EXPECT_THAT(granted->link, HasSubstr("/_berth/open?token="));
    const auto again = claim("k1", "ada");
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->workspace, granted->workspace);
    EXPECT_EQ(again->epoch, granted->epoch);
    EXPECT_NE(again->link, granted->link) << "a link opens once, so each answer has its own";
}

TEST_F(AllocatorProcess, says_no_capacity_at_the_deadline_I7) {
    const auto denied = claim("k1", "ada", Duration{300});
    ASSERT_FALSE(denied && denied->state == ClaimState::granted);
    const auto outcome = robot->ask(ClaimOutcomeRequest{.key = {"k1"}});
    ASSERT_TRUE(!outcome || outcome->state != ClaimState::waiting);
}

TEST_F(AllocatorProcess, keeps_every_acknowledged_lease_over_kill_9_I5) {
    ASSERT_TRUE(host->enrol());
    const auto ada = claim("k1", "ada");
    const auto bob = claim("k2", "bob");
    ASSERT_TRUE(ada && bob);
    cluster.process("allocator").kill();
    cluster.start("allocator");
    Result<ViewReply> view = fail(ErrorKind::internal, "not asked");
    ASSERT_TRUE(eventually([&] { return (view = robot->ask(ViewRequest{}, Duration{1'000})).has_value(); })) << view.error().text;
    ASSERT_EQ(view->view.workspaces.size(), 2U);
    EXPECT_TRUE(view->view.workspaces.at(ada->workspace).leased);
    EXPECT_TRUE(view->view.workspaces.at(bob->workspace).leased);
    const auto orders = host->beat();
    ASSERT_TRUE(orders) << orders.error().text;
    EXPECT_EQ(orders->leases.size(), 2U);
    const auto same = claim("k1", "ada");
    ASSERT_TRUE(same) << same.error().text;
    EXPECT_EQ(same->workspace, ada->workspace) << "the same key has the same outcome after a restart (I6)";
}

TEST_F(AllocatorProcess, ends_a_claim_whose_host_hangs_and_frees_the_slot_after_the_release) {
    ASSERT_TRUE(host->enrol());
    const auto granted = claim("k1", "ada");
    ASSERT_TRUE(granted) << granted.error().text;
    const auto released = robot->ask(ReleaseRequest{.target = {granted->workspace}, .why = "done"});
    ASSERT_TRUE(released) << released.error().text;
    ASSERT_TRUE(both_until([&] { return !host->stopped.empty(); }));
    ASSERT_TRUE(both_until([&] {
        std::optional<bool> leased;
        robot->endpoint().request<ViewRequest>({}, Duration{1'000}, [&](Result<ViewReply> view) {
            leased = view && view->view.workspaces.at(granted->workspace).leased;
        });
        robot->until([&] { return leased.has_value(); }, Duration{1'500});
        return leased == false;
    })) << cluster.log_of("allocator");
}

TEST_F(AllocatorProcess, a_published_claim_is_answered_by_an_event_req_19) {
    ASSERT_TRUE(host->enrol());
    TestPeer tap(cluster, "tap", Role::tap);
    std::vector<ClaimGranted> granted;
    tap.endpoint().subscribe("claim.granted", [&](const bus::Delivery& delivery) {
        if (auto fact = delivery.as<ClaimGranted>()) granted.push_back(*fact);
    });
    // A subscription has no acknowledgement: publish until it is heard. The key makes it one claim.
    ASSERT_TRUE(both_until([&] {
        robot->endpoint().publish(ClaimRequest{.key = {"p1"}, .user = {"eve"}, .project = {"site"}});
        tap.until([&] { return !granted.empty(); }, Duration{100});
        return !granted.empty() || host->bound.size() > 1;
    }));
    EXPECT_EQ(host->bound.size(), 1U) << "published many times, claimed once (I6)";
}

TEST_F(AllocatorProcess, a_second_allocator_does_not_start_I4) {
    Child second({std::string{BERTH_BIN_DIR} + "/berth-allocator", "--state", cluster.state()}, cluster.state() + "/log/second.log");
    ASSERT_EQ(second.wait(Duration{20'000}), exit_number(ErrorKind::conflict));
    EXPECT_THAT(read_text(second.log()), HasSubstr("in use by another allocator"));
    EXPECT_TRUE(cluster.process("allocator").alive());
}

TEST_F(AllocatorProcess, ends_with_0_within_two_seconds_of_SIGTERM) {
    EXPECT_EQ(cluster.process("allocator").terminate(Duration{2'000}), 0);
    EXPECT_EQ(cluster.process("broker").terminate(Duration{2'000}), 0);
}

TEST(allocator_command, refuses_an_unknown_key_and_says_which) {
    Cluster cluster("[allocator]\nclaim_wiat = \"5s\"\n");
    Child child({std::string{BERTH_BIN_DIR} + "/berth-allocator", "--config", cluster.config(), "--state", cluster.state()},
                cluster.state() + "/log/a.log");
    ASSERT_EQ(child.wait(Duration{10'000}), exit_number(ErrorKind::invalid));
    EXPECT_THAT(read_text(child.log()), HasSubstr("claim_wait"));
}

}  // namespace
}  // namespace berth::testing
