// SPDX-License-Identifier: Apache-2.0
// What an answer says of a workspace's use, out of its host's last word.
#include "gateway/use.hpp"

#include <gtest/gtest.h>

#include "tests/unit/gateway/scene.hpp"

namespace berth::gateway {
namespace {

struct Uses : ::testing::Test {
    Uses() {
        auto& workspace = picture.view.workspaces.at({"w-1"});
        workspace.state = WorkspaceState::active;
        workspace.epoch = Epoch{3};
        picture.view.pools[PoolName{"default"}].idle_after_ms = Duration{60'000};
    }
    std::optional<UseView> see(std::vector<Signal> signals) {
        picture.uses[{"w-1"}] = {Epoch{3}, theirs, now, std::move(signals)};
        return use_of(picture.view, picture.view.workspaces.at({"w-1"}), picture.uses);
    }
    Picture picture = testing::scene();
    Instant now = testing::turn.now;
    Instant theirs = now + Duration{3'600'000};   // the host's clock is wrong
};

TEST_F(Uses, TheLatestSignalHoldsItOnOurClock) {
    const auto use = see({{"proxy", theirs - Duration{50'000}}, {"presence", theirs - Duration{20'000}, std::nullopt, "typing in a file"}});
    ASSERT_TRUE(use);
    EXPECT_EQ(use->holds, "presence");
    EXPECT_EQ(use->text, "typing in a file");
    EXPECT_EQ(use->last_at, now - Duration{20'000});
    EXPECT_EQ(use->idle_at, now + Duration{40'000});
}

TEST_F(Uses, AJobIsToldSinceWhenAndOnlyWhereItCounts) {
    const std::vector<Signal> signals{{"cpu", theirs}, {"job", theirs, theirs - Duration{600'000}, "a terminal runs `make`"}};
    EXPECT_EQ(see(signals)->text, "a terminal runs `make`");
    EXPECT_EQ(see(signals)->since, now - Duration{600'000});
    picture.view.pools[PoolName{"default"}].idle_jobs = IdleJobs::busy;
    EXPECT_EQ(see(signals)->holds, "cpu");
}

TEST_F(Uses, AJobThatIsOverIsToldByItsEnd) {
    const auto use = see({{"cpu", theirs - Duration{60'000}}, {"job", theirs - Duration{20'000}, theirs - Duration{600'000}, "a terminal runs `make`"}});
    EXPECT_EQ(use->holds, "job");
    EXPECT_FALSE(use->since);
    EXPECT_EQ(use->last_at, now - Duration{20'000});
}

TEST_F(Uses, WhatIsNotKnownComesFirst_I32) {
    const auto use = see({{"proxy", theirs}, {"presence", std::nullopt, std::nullopt, "1 of 1 open editor windows do not say whether anybody is there"}});
    EXPECT_EQ(use->holds, "presence");
    EXPECT_FALSE(use->known || use->last_at || use->idle_at);
}

TEST_F(Uses, NothingIsSaidOfAnotherLifeOrOneThatIsOver) {
    picture.view.workspaces.at({"w-1"}).epoch = Epoch{4};
    EXPECT_FALSE(see({{"proxy", theirs}}));
    picture.view.workspaces.at({"w-1"}).epoch = Epoch{3};
    picture.view.workspaces.at({"w-1"}).state = WorkspaceState::stopped;
    EXPECT_FALSE(see({{"proxy", theirs}}));
}

}  // namespace
}  // namespace berth::gateway
