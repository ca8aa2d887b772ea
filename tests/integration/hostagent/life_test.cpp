// SPDX-License-Identifier: Apache-2.0
// The life of workspaces on one real host: real broker, allocator, agent, proxy and environments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/integration/hostagent/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
namespace files = std::filesystem;

std::string origin_of(const ClaimReply& reply) { return fmt::format("{}.localhost:{}", reply.workspace.value, reply.port); }

TEST(hostagent, gives_a_workspace_that_a_browser_opens_once_I26) {
    Stage stage;
    const auto granted = stage.claim("k1", "ada");
    ASSERT_TRUE(granted) << granted.error().text << stage.agent.log();
    ASSERT_EQ(granted->state, ClaimState::granted);
    EXPECT_EQ(granted->port, stage.agent.proxy_port());

    const auto port = static_cast<std::uint16_t>(granted->port);
    const auto opened = http_get(port, origin_of(*granted), path_of(granted->link));
    EXPECT_EQ(opened.status, 302) << opened.text;
    ASSERT_FALSE(opened.cookie.empty()) << opened.text;
    const auto page = http_get(port, origin_of(*granted), "/", opened.cookie);
    EXPECT_EQ(page.status, 200) << page.text;
    EXPECT_THAT(page.text, HasSubstr("project site of ada"));
    EXPECT_NE(http_get(port, origin_of(*granted), path_of(granted->link)).status, 302) << "a link opens once";
    EXPECT_NE(http_get(port, origin_of(*granted), "/").status, 200) << "without the cookie there is no access (I25)";
    EXPECT_EQ(stage.agent.log().find(granted->token), std::string::npos) << "a token is in no log (I30)";
}

TEST(hostagent, a_release_wipes_the_slot_and_keeps_the_home_and_a_destroy_erases_it_I27) {
    Stage stage;
    const auto first = stage.claim("k1", "ada");
    ASSERT_TRUE(first) << first.error().text;
    const auto slot = stage.workspace(first->workspace)->slot;
    const auto home = stage.agent.home_of(first->workspace);
    write_text(home + "/notes", "mine");
    const auto environment = stage.agent.environment(slot);
    ASSERT_TRUE(environment);

    ASSERT_TRUE(stage.release(first->workspace));
    ASSERT_TRUE(stage.until_state(first->workspace, WorkspaceState::stopped)) << stage.agent.log();
    EXPECT_FALSE(os::runs(*environment));
    EXPECT_FALSE(files::exists(fmt::format("{}/slots/{}", stage.agent.folder(), slot)));
    EXPECT_TRUE(stage.until_phase(slot, SlotPhase::empty)) << "the allocator agreed";
    EXPECT_EQ(read_text(home + "/notes"), "mine");

    const auto second = stage.claim("k2", "ada");
    ASSERT_TRUE(second) << second.error().text;
    EXPECT_EQ(second->workspace, first->workspace);
    EXPECT_GT(second->epoch, first->epoch) << "I3";
    EXPECT_EQ(read_text(home + "/notes"), "mine");

    ASSERT_TRUE(stage.robot.ask(DestroyRequest{.target = {first->workspace}, .why = "a test"}));
    ASSERT_TRUE(eventually([&] {
        const auto seen = stage.workspace(first->workspace);
        return !seen || seen->state == WorkspaceState::destroyed;
    })) << stage.agent.log();
    EXPECT_FALSE(files::exists(home));
    EXPECT_FALSE(stage.agent.environment(slot));
}

TEST(hostagent, its_death_disturbs_nobody_and_its_next_life_knows_all_I2_I12) {
    Stage stage;
    const auto granted = stage.claim("k1", "ada");
    ASSERT_TRUE(granted) << granted.error().text;
    const auto slot = stage.workspace(granted->workspace)->slot;
    const auto environment = stage.agent.environment(slot);
    const auto proxy = stage.agent.proxy();
    ASSERT_TRUE(environment && proxy);
    const auto port = static_cast<std::uint16_t>(granted->port);
    const auto session = http_get(port, origin_of(*granted), path_of(granted->link));
    ASSERT_EQ(session.status, 302);

    stage.agent.process().kill();
    EXPECT_EQ(http_get(port, origin_of(*granted), "/", session.cookie).status, 200) << "the proxy serves on";
    ASSERT_TRUE(stage.agent.start()) << stage.agent.log();
    EXPECT_EQ(stage.agent.environment(slot), environment) << "the same process";
    EXPECT_EQ(stage.agent.proxy(), proxy);
    auto again = stage.claim("k1", "ada");
    const auto answered = [&] { return again || (again = stage.claim("k1", "ada")); };
    ASSERT_TRUE(eventually(answered)) << again.error().text;   // what fell into the gap is asked again
    EXPECT_EQ(again->workspace, granted->workspace);
    EXPECT_EQ(again->epoch, granted->epoch);
    EXPECT_NE(again->token, granted->token);
    EXPECT_EQ(http_get(port, origin_of(*granted), path_of(again->link)).status, 302);
    EXPECT_EQ(stage.agent.environment(slot), environment);
}

TEST(hostagent, starts_again_an_environment_that_died_under_the_same_lease) {
    Stage stage;
    const auto granted = stage.claim("k1", "ada");
    ASSERT_TRUE(granted) << granted.error().text;
    const auto slot = stage.workspace(granted->workspace)->slot;
    const auto before = stage.agent.environment(slot);
    ASSERT_TRUE(before);
    ::kill(before->pid, SIGKILL);
    ASSERT_TRUE(eventually([&] {
        const auto now = stage.agent.environment(slot);
        return now && now != before;
    })) << stage.agent.log();
    ASSERT_TRUE(stage.until_phase(slot, SlotPhase::bound)) << stage.agent.log();
    EXPECT_EQ(stage.report(slot)->epoch, granted->epoch);
    EXPECT_EQ(stage.workspace(granted->workspace)->state, WorkspaceState::active);

    // The same, while nobody looks: agent and environment die together.
    stage.agent.process().kill();
    const auto second = stage.agent.environment(slot);
    ASSERT_TRUE(second);
    ::kill(second->pid, SIGKILL);
    ASSERT_TRUE(stage.agent.start()) << stage.agent.log();
    ASSERT_TRUE(eventually([&] { return stage.agent.environment(slot).has_value(); })) << stage.agent.log();
    ASSERT_TRUE(stage.until_phase(slot, SlotPhase::bound)) << stage.agent.log();
    EXPECT_EQ(stage.report(slot)->epoch, granted->epoch);
}

TEST(hostagent, keeps_standbys_without_a_user_and_gives_each_once_I27) {
    Stage stage;
    auto config = read_text(stage.cluster.config());
    config.replace(config.find("standbys = 0"), 12, "standbys = 1");
    write_text(stage.cluster.config(), config);
    stage.cluster.process("allocator").terminate();
    stage.cluster.start("allocator");
    ASSERT_TRUE(eventually([&] { return stage.agent.environment(0) || stage.agent.environment(1); })) << stage.agent.log();
    const std::uint32_t standby = stage.agent.environment(0) ? 0 : 1;
    ASSERT_TRUE(stage.until_phase(standby, SlotPhase::prepared)) << stage.agent.log();
    EXPECT_FALSE(files::exists(fmt::format("{}/slots/{}/home", stage.agent.folder(), standby)));
    const auto prepared = stage.agent.environment(standby);

    const auto granted = stage.claim("k1", "ada");
    ASSERT_TRUE(granted) << granted.error().text;
    EXPECT_EQ(stage.workspace(granted->workspace)->slot, standby);
    EXPECT_EQ(stage.agent.environment(standby), prepared) << "a claim is a bind";
    EXPECT_TRUE(stage.until_phase(1 - standby, SlotPhase::prepared)) << "and the next standby follows";
}

TEST(hostagent, ends_all_that_it_started_and_begins_again_what_is_leased) {
    Stage stage;
    const auto granted = stage.claim("k1", "ada");
    ASSERT_TRUE(granted) << granted.error().text;
    const auto slot = stage.workspace(granted->workspace)->slot;
    const auto environment = stage.agent.environment(slot);
    const auto proxy = stage.agent.proxy();
    ASSERT_TRUE(environment && proxy);
    EXPECT_EQ(stage.agent.process().terminate(Duration{2'000}), 0) << stage.agent.log();
    EXPECT_TRUE(os::runs(*environment)) << "its own end is not theirs";
    EXPECT_EQ(stage.agent.end_environments(), 0) << stage.agent.log();
    EXPECT_FALSE(os::runs(*environment));
    EXPECT_FALSE(os::runs(*proxy));

    ASSERT_TRUE(stage.agent.start()) << stage.agent.log();
    ASSERT_TRUE(eventually([&] { return stage.agent.environment(slot).has_value(); })) << stage.agent.log();
    ASSERT_TRUE(stage.until_phase(slot, SlotPhase::bound)) << stage.agent.log();
    EXPECT_EQ(stage.report(slot)->epoch, granted->epoch);
}

TEST(hostagent, a_proxy_that_dies_is_started_again_on_its_port) {
    Stage stage;
    const auto granted = stage.claim("k1", "ada");
    ASSERT_TRUE(granted) << granted.error().text;
    const auto proxy = stage.agent.proxy();
    ASSERT_TRUE(proxy);
    ::kill(proxy->pid, SIGKILL);
    const auto port = static_cast<std::uint16_t>(granted->port);
    ASSERT_TRUE(eventually([&] { return http_get(port, origin_of(*granted), path_of(granted->link)).status == 302; },
                           Duration{20'000}))
        << stage.agent.log();
    EXPECT_NE(stage.agent.proxy(), proxy);
}

TEST(hostagent, hears_the_allocator_again_after_the_broker_was_killed) {
    Stage stage;
    ASSERT_TRUE(stage.claim("k1", "ada"));
    stage.cluster.process("broker").kill();
    stage.cluster.start("broker");
    TestPeer robot(stage.cluster, "robot", Role::client);
    Result<ClaimReply> granted = fail(ErrorKind::internal, "not asked");
    ASSERT_TRUE(eventually([&] {
        granted = robot.ask(ClaimRequest{.key = {"k2"}, .user = {"bob"}, .project = {"site"}, .wait_ms = Duration{20'000}}, Duration{5'000});
        return granted && granted->state == ClaimState::granted;
    }, Duration{30'000})) << granted.error().text << stage.agent.log();
}

}  // namespace
}  // namespace berth::testing
