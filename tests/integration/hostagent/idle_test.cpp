// SPDX-License-Identifier: Apache-2.0
// The intent to stop an idle workspace, on a real host: it looks once more itself, and then stops or
// objects, whoever else is alive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/integration/hostagent/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;

struct Idle : ::testing::Test {
    Idle() : reaper(stage.cluster, "reaper", Role::reaper) {
        reaper.endpoint().subscribe("host.activity", [this](const bus::Delivery& delivery) {
            if (auto seen = delivery.as<HostActivity>()) activity = std::move(*seen);
        });
        reaper.endpoint().subscribe("host.objected", [this](const bus::Delivery& delivery) {
            if (auto seen = delivery.as<HostObjected>()) objection = std::move(*seen);
        });
        const auto claimed = stage.claim("k1", "ada");
        if (!claimed) throw std::runtime_error(claimed.error().text + stage.agent.log());
        granted = *claimed;
        slot = stage.workspace(granted.workspace)->slot;
    }
    Instant now() const { return RealClock{}.now(); }
    /// The last sign of use of that name; nothing when it is not known or not there.
    std::optional<Instant> sign(const std::string& name) const {
        if (activity.workspaces.empty()) return std::nullopt;
        for (const auto& signal : activity.workspaces.front().signals) {
            if (signal.name == name) return signal.last_at;
        }
        return std::nullopt;
    }
    /// Until all that the host reads lies at least that far back.
    bool until_quiet(Duration how_long) {
        return reaper.until([&] {
            return sign("proxy") && sign("editor") && sign("cpu") && now() - last_sign() >= how_long;
        }, Duration{20'000});
    }
    Instant last_sign() const { return std::max({*sign("proxy"), *sign("editor"), *sign("cpu")}); }
    void intend(Duration stops_in) {
        reaper.endpoint().publish(WorkspaceIdle{.workspace = granted.workspace, .epoch = granted.epoch, .host = {"h-1"}, .slot = slot,
                                                .quiet_since = last_sign(), .last_use = last_sign(), .stop_at = now() + stops_in},
                                  {.key = "h-1", .subject = granted.workspace.value, .reason = Reason{"a test", "reaper", "1"}});
    }
    bool agent_says(const std::string& words) {
        return reaper.until([&] { return stage.agent.log().find(words) != std::string::npos; });
    }

    Stage stage;
    TestPeer reaper;
    ClaimReply granted;
    std::uint32_t slot = 0;
    HostActivity activity;
    std::optional<HostObjected> objection;
};

TEST_F(Idle, it_stops_by_itself_though_nobody_else_lives) {
    ASSERT_TRUE(until_quiet(Duration{1'000})) << stage.agent.log();
    intend(Duration{8'000});
    ASSERT_TRUE(agent_says("slot.idle_intended")) << stage.agent.log();
    stage.cluster.process("broker").kill();
    stage.cluster.process("allocator").kill();
    EXPECT_TRUE(stage.agent.environment(slot)) << "not before the deadline";
    ASSERT_TRUE(eventually([&] { return !stage.agent.environment(slot); }, Duration{20'000})) << stage.agent.log();
    EXPECT_TRUE(eventually([&] { return stage.agent.log().find("slot.stopped") != std::string::npos; }));
    EXPECT_TRUE(std::filesystem::exists(stage.agent.home_of(granted.workspace)));

    stage.cluster.start("broker");
    stage.cluster.start("allocator");
    TestPeer robot(stage.cluster, "robot", Role::client);
    EXPECT_TRUE(eventually([&] {
        const auto seen = robot.ask(ViewRequest{}, Duration{1'000});
        return seen && seen->view.workspaces.at(granted.workspace).state == WorkspaceState::stopped &&
               !seen->view.workspaces.at(granted.workspace).leased;
    }, Duration{20'000})) << "the allocator frees the slot on the host's word: " << stage.agent.log();
}

TEST_F(Idle, it_objects_when_there_was_use_after_all) {
    ASSERT_TRUE(until_quiet(Duration{1'000})) << stage.agent.log();
    intend(Duration{5'000});
    ASSERT_TRUE(agent_says("slot.idle_intended")) << stage.agent.log();
    const auto port = static_cast<std::uint16_t>(stage.agent.environment_port(slot));
    ASSERT_EQ(http_get(port, "localhost", "/").status, 200);
    ASSERT_TRUE(reaper.until([&] { return objection.has_value(); }, Duration{20'000})) << stage.agent.log();
    EXPECT_EQ(objection->epoch, granted.epoch);
    EXPECT_TRUE(stage.agent.environment(slot));
    EXPECT_EQ(stage.workspace(granted.workspace)->state, WorkspaceState::active);
}

TEST_F(Idle, it_objects_while_its_user_holds_it) {
    ASSERT_TRUE(stage.robot.ask(HoldRequest{.target = {granted.workspace}, .until = now() + Duration{600'000}, .why = "a build"}));
    ASSERT_TRUE(reaper.until([&] { return sign("hold").has_value(); })) << stage.agent.log();
    ASSERT_TRUE(until_quiet(Duration{500})) << stage.agent.log();
    intend(Duration{100});
    ASSERT_TRUE(reaper.until([&] { return objection.has_value(); })) << stage.agent.log();
    EXPECT_TRUE(stage.agent.environment(slot));
}

TEST_F(Idle, it_objects_when_the_environment_does_not_answer_I32) {
    ASSERT_TRUE(until_quiet(Duration{500})) << stage.agent.log();
    const auto environment = stage.agent.environment(slot);
    ASSERT_TRUE(environment);
    os::send_signal(*environment, SIGSTOP);   // it lives, and nobody can say whether it is used
    intend(Duration{100});
    ASSERT_TRUE(reaper.until([&] { return objection.has_value(); })) << stage.agent.log();
    os::send_signal(*environment, SIGCONT);
    EXPECT_EQ(stage.agent.environment(slot), environment);
    EXPECT_THAT(objection->signals, ::testing::Contains(Signal{"editor", std::nullopt}));
}

}  // namespace
}  // namespace berth::testing
