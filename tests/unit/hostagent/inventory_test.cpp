// SPDX-License-Identifier: Apache-2.0
// The host's next life, and what the engine truly runs.
#include "tests/unit/hostagent/scene.hpp"

namespace berth::hostagent {
namespace {

Scene with_bound() {
    Scene scene;
    scene.bind(Scene::order(0, 3));
    scene.settle();
    return scene;
}

TEST(Inventory, ANextLifeLeavesWhatRunsAsItIs_I12) {
    auto scene = with_bound();
    const auto container = scene.slot(0).record.container;
    scene.restart();
    EXPECT_TRUE(scene.calls.empty());
    EXPECT_TRUE(scene.out.persists.empty());
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    EXPECT_EQ(scene.slot(0).record.container, container);
    EXPECT_TRUE(scene.good<BindReply>(scene.bind(Scene::order(0, 3)))) << "and answers an exact repeat (I3)";
}

TEST(Inventory, WhatEndedMeanwhileWaitsForAWordThatItsLeaseStands) {
    auto scene = with_bound();
    scene.engine.clear();
    scene.restart();
    scene.settle();
    scene.pass(Duration{1'000});
    EXPECT_EQ(scene.phase(0), SlotPhase::binding);
    EXPECT_TRUE(scene.routes.empty());
    EXPECT_EQ(scene.count<PrepareOrder>(), 0U);
    scene.orders({Scene::order(0, 3)});
    scene.settle();
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::bound, 3));
}

TEST(Inventory, WhatWasGivenHalfIsNeverGivenAgain_I2) {
    Scene scene;
    scene.bind(Scene::order(0, 3));
    scene.finish(scene.call<PrepareOrder>());
    const auto given = scene.call<EngineBind>();
    scene.restart();
    EXPECT_EQ(scene.call<RemoveOrder>().container, given.container);
    scene.engine.clear();
    scene.take(Removed{0, given.container, {}});
    scene.orders({Scene::order(0, 3)});
    scene.finish(scene.call<PrepareOrder>());
    EXPECT_NE(scene.call<EngineBind>().container, given.container);
}

TEST(Inventory, AStandbyHalfPreparedIsRemoved) {
    Scene scene;
    scene.orders({}, 1);
    const auto prepare = scene.call<PrepareOrder>();
    scene.engine[prepare.container] = {prepare.container, prepare.slot, prepare.port, Health::running};
    scene.restart();
    EXPECT_EQ(scene.call<RemoveOrder>().container, prepare.container);
}

TEST(Inventory, AStandbyThatIsHealthySurvives) {
    Scene scene;
    scene.orders({}, 1);
    scene.settle();
    const auto container = scene.slot(0).record.container;
    scene.restart();
    scene.bind(Scene::order(0, 1));
    EXPECT_EQ(scene.call<EngineBind>().container, container);
}

TEST(Inventory, AStopThatWasUnderWayGoesOn_I9) {
    auto scene = with_bound();
    scene.stop(0, 3);
    scene.restart();
    EXPECT_EQ(scene.count<RemoveOrder>(), 1U);
    scene.settle();
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::stopped, 3));
}

TEST(Inventory, ContainersThatNoRecordNamesGo) {
    Scene scene;
    scene.engine[{"stray"}] = {{"stray"}, 1, 20'001, Health::running};
    scene.engine[{"beyond"}] = {{"beyond"}, 7, 20'002, Health::exited};
    scene.restart();
    EXPECT_EQ(scene.count<RemoveOrder>(), 2U);
    scene.settle();
    EXPECT_TRUE(scene.engine.empty());
    EXPECT_EQ(scene.state.counters.orphans, 2U);
    EXPECT_EQ(scene.phase(1), SlotPhase::empty);
}

TEST(Inventory, AStrayBesideAUsersEnvironmentIsLeftAlone_I12) {
    auto scene = with_bound();
    scene.engine[{"stray"}] = {{"stray"}, 0, 20'001, Health::running};
    scene.restart();
    EXPECT_TRUE(scene.calls.empty()) << "a slot's folder is shared: removing one could take the other's";
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
}

TEST(Inventory, AListOlderThanAChangeSaysNothingOfIt) {
    Scene scene;
    scene.pass(scene.policy.inventory_every);
    const auto list = scene.call<ListOrder>();
    scene.bind(Scene::order(0, 3));
    scene.settle();
    scene.take(Listed{list.mark, std::vector<FoundContainer>{}});
    EXPECT_EQ(scene.phase(0), SlotPhase::bound) << "it began before that environment did";
}

TEST(Inventory, AnEngineThatIsSilentSaysNothing_I12) {
    auto scene = with_bound();
    for (int i = 0; i < 5; ++i) {
        scene.pass(scene.policy.inventory_every);
        const auto list = scene.call<ListOrder>();
        scene.take(Listed{list.mark, fail(ErrorKind::timeout, "no answer from the container engine")});
    }
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    EXPECT_EQ(scene.routes.size(), 1U);
}

TEST(Inventory, RoutesAreThoseOfTheSlots_I25) {
    auto scene = with_bound();
    scene.routes[{"w-9"}] = {.workspace = {"w-9"}, .slot = 1, .epoch = {1}, .port = 20'009};
    scene.routes.erase({"w-1"});
    scene.restart();
    ASSERT_EQ(scene.routes.size(), 1U);
    EXPECT_EQ(scene.routes.at({"w-1"}).port, scene.slot(0).record.port);
}

TEST(Inventory, AHostThatWasMadeSmallerKeepsWhatIsOnItsLastSlots) {
    auto scene = with_bound();
    auto record = scene.disk.at(0);
    record.slot = 5;
    record.workspace = {"w-5"};
    record.container = {"c-5"};
    scene.disk[5] = record;
    scene.engine[{"c-5"}] = {{"c-5"}, 5, 20'005, Health::running};
    scene.restart();
    EXPECT_EQ(scene.phase(5), SlotPhase::bound);
    EXPECT_EQ(take_beat(scene.state).slots.size(), 6U);
}

TEST(Inventory, WhatIsPausedHasNotEndedAndIsTold_FieldReport10) {
    auto scene = with_bound();
    auto& container = scene.engine.at(scene.slot(0).record.container);
    container.health = Health::suspended;
    container.told = "paused by somebody";
    scene.pass(scene.policy.inventory_every);
    scene.settle();
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    EXPECT_EQ(take_beat(scene.state).slots[0].incident, "paused by somebody");
    scene.restart();
    EXPECT_EQ(scene.phase(0), SlotPhase::bound) << "the agent's next life leaves it alone too";
    container = scene.engine.at(scene.slot(0).record.container);
    scene.engine.at(container.container) = {container.container, 0, container.port, Health::running, ""};
    scene.pass(scene.policy.inventory_every);
    scene.settle();
    EXPECT_FALSE(take_beat(scene.state).slots[0].incident);
}

TEST(Inventory, AnEndForLackOfMemoryIsToldWithItsReplacement_FieldReport19) {
    auto scene = with_bound();
    const auto first = scene.slot(0).record.container;
    scene.engine.at(first).health = Health::exited;
    scene.engine.at(first).told = "status 137, out of memory (its limit is 96 MiB)";
    scene.pass(scene.policy.inventory_every);
    scene.settle();
    ASSERT_EQ(scene.phase(0), SlotPhase::bound);
    ASSERT_EQ(scene.out.notices.size(), 1U) << "its editor shows it";
    EXPECT_THAT(scene.out.notices[0].incident, ::testing::HasSubstr("out of memory"));
    const auto report = take_beat(scene.state).slots[0];
    EXPECT_NE(report.container, first);
    EXPECT_THAT(report.text, ::testing::HasSubstr("out of memory (its limit is 96 MiB)"));
}

}  // namespace
}  // namespace berth::hostagent
