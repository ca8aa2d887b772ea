// SPDX-License-Identifier: Apache-2.0
// A slot's life: standbys, starts that fail, environments that end, containers that do not go.
#include "tests/unit/hostagent/scene.hpp"

namespace berth::hostagent {
namespace {

using ::testing::HasSubstr;

tl::unexpected<Error> broken_engine() { return fail(ErrorKind::unavailable, "no space left on device"); }

/// The next removal fails.
void refuse_to_go(Scene& scene) {
    const auto call = scene.call<RemoveOrder>();
    scene.take(Removed{call.slot, call.container, broken_engine()});
}
void fail_to_start(Scene& scene) {
    const auto call = scene.call<PrepareOrder>();
    scene.take(Prepared{call.slot, call.container, broken_engine()});
}

TEST(Slots, AStandbyHasNoUserAndIsGivenOnce_I2_I27) {
    Scene scene;
    scene.orders({}, 1);
    scene.settle();
    ASSERT_TRUE(scene.on_disk(0, SlotPhase::prepared, 0));
    EXPECT_TRUE(scene.disk.at(0).workspace.empty());
    const auto standby = scene.slot(0).record.container;
    const auto caller = scene.bind(Scene::order(0, 1));
    const auto given = scene.call<EngineBind>();
    EXPECT_EQ(given.container, standby) << "a claim is a bind";
    scene.finish(given);
    EXPECT_TRUE(scene.good<BindReply>(caller));
    EXPECT_EQ(scene.phase(1), SlotPhase::preparing) << "and the next one follows";
}

TEST(Slots, ABindWaitsForTheStandbyThatIsBeingPreparedThere) {
    Scene scene;
    scene.orders({}, 1);
    const auto prepare = scene.call<PrepareOrder>();
    const auto caller = scene.bind(Scene::order(prepare.slot, 1));
    scene.finish(prepare);
    EXPECT_EQ(scene.call<EngineBind>().container, prepare.container);
    scene.take(Bound{prepare.slot, prepare.container, {}});
    EXPECT_TRUE(scene.good<BindReply>(caller));
}

TEST(Slots, StandbysStartTwoAtATimeAndThoseTooManyGo) {
    Scene scene(6);
    scene.orders({}, 4);
    EXPECT_EQ(scene.count<PrepareOrder>(), 2U);
    scene.settle();
    EXPECT_EQ(scene.engine.size(), 4U);
    scene.orders({}, 1);
    scene.settle();
    EXPECT_EQ(scene.engine.size(), 1U);
    scene.orders({}, 1, Admission::draining);
    scene.settle();
    EXPECT_TRUE(scene.engine.empty()) << "a host that is drained keeps none";
}

TEST(Slots, ACordonedHostStartsNoStandby) {
    Scene scene;
    scene.orders({}, 2, Admission::cordoned);
    EXPECT_TRUE(scene.calls.empty());
}

TEST(Slots, StandbysThatFailAreTriedLaterAndLater) {
    Scene scene(1);
    scene.orders({}, 1);
    fail_to_start(scene);
    EXPECT_THAT(scene.slot(0).record.text, HasSubstr("no space left"));
    scene.pass(scene.policy.standby_retry - Duration{1});
    EXPECT_EQ(scene.count<PrepareOrder>(), 0U);
    scene.pass(Duration{1});
    fail_to_start(scene);
    scene.pass(scene.policy.standby_retry * 2 - Duration{1});
    EXPECT_EQ(scene.count<PrepareOrder>(), 0U);
    scene.pass(Duration{1});
    EXPECT_EQ(scene.count<PrepareOrder>(), 1U);
}

TEST(Slots, AStartThatFailsIsToldWithTheEnginesWords) {
    Scene scene;
    const auto caller = scene.bind(Scene::order(0, 3));
    fail_to_start(scene);
    EXPECT_THAT(scene.refusal_text(caller), HasSubstr("no space left"));
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::stopped, 3)) << "the allocator learns it from the heartbeat as well (I22)";
    EXPECT_THAT(take_beat(scene.state).slots[0].text, HasSubstr("no space left"));
}

TEST(Slots, ABindThatFailsLeavesNoContainerThatWasHalfGiven_I2) {
    Scene scene;
    const auto caller = scene.bind(Scene::order(0, 3));
    scene.finish(scene.call<PrepareOrder>());
    const auto given = scene.call<EngineBind>();
    scene.take(Bound{given.slot, given.container, broken_engine()});
    EXPECT_EQ(scene.call<RemoveOrder>().container, given.container);
    scene.take(Removed{given.slot, given.container, {}});
    EXPECT_EQ(scene.phase(0), SlotPhase::stopped);
    EXPECT_EQ(scene.refusal(caller), "conflict");
}

TEST(Slots, AnEnvironmentThatEndsIsReplacedUnderItsLease) {
    Scene scene;
    scene.bind(Scene::order(0, 3));
    scene.settle();
    const auto first = scene.slot(0).record.container;
    scene.engine.clear();
    scene.pass(scene.policy.inventory_every);
    const auto list = scene.call<ListOrder>();
    scene.finish(list);
    EXPECT_TRUE(scene.routes.empty()) << "its port may soon be another's";
    scene.settle();
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    EXPECT_EQ(scene.slot(0).record.epoch.value, 3U);
    EXPECT_NE(scene.slot(0).record.container, first);
    EXPECT_EQ(scene.routes.at({"w-1"}).container, scene.slot(0).record.container);
}

TEST(Slots, AnEnvironmentThatEndsAgainAndAgainIsGivenUp) {
    Scene scene;
    scene.bind(Scene::order(0, 3));
    scene.settle();
    for (std::uint32_t time = 0; time < scene.policy.restart_tries_max; ++time) {
        scene.engine.clear();
        scene.pass(scene.policy.inventory_every);
        scene.settle();
        ASSERT_EQ(scene.phase(0), SlotPhase::bound) << time;
    }
    scene.engine.clear();
    scene.pass(scene.policy.inventory_every);
    scene.settle();
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::stopped, 3));
    EXPECT_THAT(scene.slot(0).record.text, HasSubstr("ended 4 times"));
}

TEST(Slots, OldEndsAreForgiven) {
    Scene scene;
    scene.bind(Scene::order(0, 3));
    scene.settle();
    for (int time = 0; time < 10; ++time) {
        scene.engine.clear();
        scene.pass(scene.policy.restart_forgiven_after);
        scene.settle();
        ASSERT_EQ(scene.phase(0), SlotPhase::bound) << time;
    }
}

TEST(Slots, WhatCanNotBeRemovedIsBrokenAndNeverSaidToBeStopped_I10) {
    Scene scene;
    scene.bind(Scene::order(0, 3));
    scene.settle();
    const auto caller = scene.stop(0, 3);
    for (std::uint32_t time = 1; time <= scene.policy.remove_tries_max; ++time) {
        refuse_to_go(scene);
        scene.pass(scene.policy.remove_retry * time);
    }
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::broken, 3));
    EXPECT_EQ(scene.refusal(caller), "internal");
    EXPECT_EQ(scene.refusal(scene.bind(Scene::order(0, 4, "w-2"))), "conflict");
    scene.orders({});
    EXPECT_EQ(scene.phase(0), SlotPhase::broken);
    scene.pass(scene.policy.broken_retry);
    scene.settle();
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::stopped, 3)) << "removed after all";
}

TEST(Slots, AUsersProgramsAreAskedToEndAndGetTheirTime) {       // field report 6
    Policy policy;
    policy.stop_grace = Duration{7'000};
    Scene scene(2, policy);
    scene.orders({}, 1);
    EXPECT_EQ(scene.call<PrepareOrder>().grace, policy.stop_grace) << "what runs inside is told how long it has";
    scene.restart();
    EXPECT_EQ(scene.call<RemoveOrder>().grace, Duration{0}) << "a standby has no user's programs";
    scene.bind(Scene::order(1, 3));
    scene.settle();
    scene.orders({Scene::order(1, 3)});
    scene.orders({});                                            // as after an expiry, a drain or a stop
    const auto first = scene.call<RemoveOrder>();
    EXPECT_EQ(first.grace, policy.stop_grace);
    scene.take(Removed{first.slot, first.container, broken_engine()});
    scene.pass(policy.remove_retry);
    EXPECT_EQ(scene.call<RemoveOrder>().grace, Duration{0}) << "once";
}

TEST(Slots, ANewerEpochWipesBeforeItStarts_I9_I27) {
    Scene scene;
    scene.bind(Scene::order(0, 3));
    scene.settle();
    const auto old = scene.slot(0).record.container;
    scene.bind(Scene::order(0, 4, "w-2"));
    EXPECT_TRUE(scene.routes.empty());
    EXPECT_EQ(scene.count<PrepareOrder>(), 0U);
    EXPECT_EQ(scene.call<RemoveOrder>().container, old);
    scene.take(Removed{0, old, {}});
    EXPECT_EQ(scene.count<PrepareOrder>(), 1U);
}

TEST(Slots, APortThatIsTakenIsLeftForTheNext) {
    Scene scene;
    const auto caller = scene.bind(Scene::order(0, 3));
    const auto first = scene.call<PrepareOrder>();
    scene.take(PortTaken{first.slot, first.container});
    const auto second = scene.call<PrepareOrder>();
    EXPECT_NE(second.port, first.port);
    scene.finish(second);
    scene.settle();
    EXPECT_TRUE(scene.good<BindReply>(caller));
}

TEST(Slots, AnEnvironmentOnASocketHasNoPortThatOthersReach) {   // field report 13
    Scene scene(2, {}, "/state/slots");
    scene.bind(Scene::order(0, 3));
    EXPECT_EQ(scene.calls.size(), 1U);
    scene.settle();
    const auto& route = scene.routes.at({"w-1"});
    EXPECT_EQ(route.port, 0U);
    EXPECT_EQ(route.socket, "/state/slots/" + route.container.value + "/run/editor.sock");
    scene.restart();
    EXPECT_TRUE(scene.out.persists.empty()) << "the next life keeps the route as it is";
    auto with_port = scene.slot(0).record;
    with_port.port = 20'007;
    EXPECT_FALSE(socket_of(scene.state.setup, with_port)) << "of a life that gave it a port";
}

TEST(Slots, PortsThatAreAllTakenAreSaid_I24) {
    Scene scene;
    const auto caller = scene.bind(Scene::order(0, 3));
    for (std::uint32_t time = 0; time <= scene.policy.port_tries_max; ++time) {
        const auto call = scene.call<PrepareOrder>();
        scene.take(PortTaken{call.slot, call.container});
    }
    EXPECT_EQ(scene.count<PrepareOrder>(), 0U);
    EXPECT_THAT(scene.refusal_text(caller), HasSubstr("hostagent.port_first"));
}

TEST(Slots, TheWordOfAFormerContainerIsNoWord) {
    Scene scene;
    scene.bind(Scene::order(0, 3));
    const auto call = scene.call<PrepareOrder>();
    scene.take(Prepared{0, {"h-1-0-b0-9"}, {}});
    scene.take(Bound{0, call.container, {}});
    EXPECT_EQ(scene.phase(0), SlotPhase::binding);
    EXPECT_TRUE(scene.calls.empty());
}

TEST(Ports, GoRoundAndLeaveOutWhatIsInUse) {
    auto pool = make_port_pool(100, 3, "h-1");
    std::set<std::uint32_t> taken;
    for (int i = 0; i < 3; ++i) taken.insert(*take_port(pool, {}));
    EXPECT_EQ(taken, (std::set<std::uint32_t>{100, 101, 102}));
    EXPECT_EQ(take_port(pool, {100, 102}), 101U);
    EXPECT_EQ(take_port(pool, taken), std::nullopt);
}

TEST(Slots, AHostThatCanStartNothingSaysSoAndFindsOutWhenItCan_FieldReportN2) {
    Scene scene(1);
    scene.orders({}, 0);                                   // a pool without standbys
    for (std::uint64_t epoch = 1; epoch <= scene.policy.trouble_after; ++epoch) {
        EXPECT_FALSE(take_beat(scene.state).trouble);
        scene.bind(Scene::order(0, epoch));
        fail_to_start(scene);
    }
    EXPECT_TRUE(scene.out.beat) << "the allocator hears it at once";
    EXPECT_THAT(take_beat(scene.state).trouble.value_or(""), HasSubstr("no space left"));
    scene.orders({}, 0);
    fail_to_start(scene);                                  // one that nobody asked for, to find out
    for (int tries = 0; tries < 10; ++tries) {
        scene.pass(scene.policy.trouble_retry_max);
        fail_to_start(scene);
    }
    scene.pass(scene.policy.trouble_retry_max);
    scene.finish(scene.call<PrepareOrder>());
    EXPECT_FALSE(take_beat(scene.state).trouble);
    scene.orders({}, 0);
    scene.settle();
    EXPECT_TRUE(scene.engine.empty()) << "and is not kept";
}

}  // namespace
}  // namespace berth::hostagent
