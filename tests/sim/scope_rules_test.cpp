// SPDX-License-Identifier: Apache-2.0
// A rule that notices nothing proves nothing: each of the small world's, broken by hand.
#include <gtest/gtest.h>

#include "tests/sim/scope_world.hpp"

namespace berth::sim {
namespace {

const Instant now{Duration{1'700'000'000'000}};
const HostId host_id{"h-1"};
const ContainerId container{"h-1-0-b1-1"};

/// One workspace that runs on slot 0 of h-1, as ledger, host and engine should have it.
struct Running {
    ScopeAllocator allocator = make_allocator(2, 2);
    ScopeHost host = make_host(1, 2);
    ScopeHost other = make_host(2, 2);

    Running() {
        auto& view = allocator.state.view;
        view.workspaces[{"w1"}] = {.workspace = {"w1"}, .user = {"u-1"}, .project = {"p"}, .state = WorkspaceState::active, .host = host_id,
                                   .epoch = {1}, .leased = true, .expires_at = now + Duration{1'000}};
        view.hosts.at(host_id).slots.at(0) = {.use = SlotUse::leased, .epoch = {1}, .workspace = {"w1"}};
        host.containers[container] = {.slot = 0, .workspace = {"w1"}, .epoch = {1}, .binds = 1};
        host.kv.routes[{"w1"}] = {.workspace = {"w1"}, .container = container};
        host.state.slots = {{.record = {.slot = 0, .phase = SlotPhase::bound, .container = container}}, {.record = {.slot = 1}}};
    }
    WorkspaceView& workspace() { return allocator.state.view.workspaces.at({"w1"}); }
    std::string rules() const {
        auto rule = broken_alone(allocator);
        if (rule.empty()) rule = broken_between(allocator, host);
        if (rule.empty()) rule = broken_between(host, other);
        return rule.substr(0, rule.find(':'));
    }
    std::string left() const {
        const auto text = undone(allocator, {&host, &other}, now);
        return text.substr(0, text.find(':'));
    }
};

TEST(ScopeRules, AreQuietWhereAllIsWell) {
    const Running world;
    EXPECT_EQ(world.rules(), "");
    EXPECT_EQ(world.left(), "");
}
TEST(ScopeRules, ASlotHasOneLease) {
    Running world;
    world.allocator.state.view.workspaces[{"w2"}] = world.workspace();
    EXPECT_EQ(world.rules(), "I1");
}
TEST(ScopeRules, AContainerIsBoundOnceAndAHomeMountedOnce) {
    Running world;
    world.host.containers.at(container).binds = 2;
    EXPECT_EQ(world.rules(), "I2");
    Running twice;
    twice.other.containers[{"h-2-0-b1-1"}] = twice.host.containers.at(container);
    EXPECT_EQ(twice.rules(), "I2");
}
TEST(ScopeRules, WhatRunsWasGranted) {
    Running world;
    world.workspace().epoch = {};
    EXPECT_EQ(world.rules(), "I5");
}
TEST(ScopeRules, NothingRunsOnAFreedSlot) {
    Running world;
    world.workspace().leased = false;
    EXPECT_EQ(world.rules(), "I10");
}
TEST(ScopeRules, WhatIsDrainedIsEmptyAndSealed) {
    Running world;
    auto& hosts = world.allocator.state.view.hosts;
    hosts.at(host_id).admission = Admission::draining;
    EXPECT_EQ(world.rules(), "I13");
    hosts.at(host_id).slots.at(0) = {};
    world.host.containers.clear();
    EXPECT_EQ(world.rules(), "I13");      // it is not sealed
    world.host.kv.sealed = true;
    EXPECT_EQ(world.rules(), "");
}
TEST(ScopeRules, ARouteLeadsToItsOwnWorkspace) {
    Running world;
    world.host.kv.routes[{"w2"}] = {.workspace = {"w2"}, .container = container};
    EXPECT_EQ(world.rules(), "I25");
}

TEST(ScopeRules, LeftInPeaceAllIsDone) {
    Running claim;
    claim.allocator.state.view.claims[{"c-1"}] = {.asked = {.claim = {"c-1"}, .user = {"u-2"}, .project = {"p"}}};
    EXPECT_EQ(claim.left(), "I7");        // it waits, and there is room
    Running over;
    over.workspace().expires_at = now;
    EXPECT_EQ(over.left(), "I8");
    Running stopping;
    stopping.workspace().state = WorkspaceState::stopping;
    EXPECT_EQ(stopping.left(), "I29");
    Running nothing;
    nothing.host.containers.clear();
    EXPECT_EQ(nothing.left(), "I29");
    Running unreachable;
    unreachable.host.kv.routes.clear();
    EXPECT_EQ(unreachable.left(), "I29");
    Running quarantined;
    quarantined.allocator.state.view.hosts.at(host_id).slots.at(1).use = SlotUse::quarantined;
    EXPECT_EQ(quarantined.left(), "I29");
    Running busy;
    busy.host.state.slots.at(1).record.phase = SlotPhase::stopping;
    EXPECT_EQ(busy.left(), "I29");
    Running leaked;
    leaked.host.containers[{"h-1-1-b1-2"}] = {.slot = 1};
    EXPECT_EQ(leaked.left(), "I29");
}

}  // namespace
}  // namespace berth::sim
