// SPDX-License-Identifier: Apache-2.0
// Homes that have an archive: brought back before the start, saved before the slot is free, never half.
#include "tests/unit/hostagent/scene.hpp"

namespace berth::hostagent {
namespace {

using ::testing::HasSubstr;

constexpr Duration every{60'000};

HomeRule rule(Duration save_every = every) { return {.place = HomePlace::archive, .repository = "/repository", .save_every_ms = save_every}; }
HomeArchive archive(std::uint64_t epoch, const std::string& snapshot) {
    return {.epoch = {epoch}, .host = {"h-9"}, .snapshot = snapshot, .at = start_of_time, .bytes = 2'000, .last = true};
}
LeaseOrder archived(std::uint64_t epoch, std::optional<HomeArchive> from = std::nullopt, std::uint32_t slot = 0) {
    auto order = Scene::order(slot, epoch);
    order.home = HomeOrder{.rule = rule(), .archive = std::move(from)};
    return order;
}
tl::unexpected<Error> full() { return fail(ErrorKind::no_capacity, "the repository is full"); }

Scene running(std::optional<HomeArchive> from = std::nullopt) {
    Scene scene;
    scene.bind(archived(1, std::move(from)));
    scene.settle();
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    return scene;
}
void fail_save(Scene& scene) {
    const auto save = scene.call<SaveOrder>();
    scene.take(HomeSaved{save.slot, save.workspace, save.epoch, full()});
}

TEST(Homes, NothingIsGivenToAUserBeforeTheirFilesAreBack) {
    Scene scene;
    const auto caller = scene.bind(archived(1, archive(9, "s-9")));
    scene.finish(scene.call<PrepareOrder>());
    EXPECT_EQ(scene.count<EngineBind>(), 0U);
    const auto restore = scene.call<RestoreOrder>();
    EXPECT_EQ(restore.archive->snapshot, "s-9");
    EXPECT_EQ(restore.home, "/homes/w-1");
    scene.finish(restore);
    scene.finish(scene.call<EngineBind>());
    EXPECT_TRUE(scene.good<BindReply>(caller));
    EXPECT_EQ(scene.disk.at(0).home_stand, HomeStand::used);
}

TEST(Homes, AStoppedSlotIsFreeOnlyWithItsLastArchive) {
    auto scene = running();
    const auto caller = scene.stop(0, 1);
    EXPECT_EQ(scene.count<SaveOrder>(), 0U) << "its programs may still write";
    scene.finish(scene.call<RemoveOrder>());
    EXPECT_FALSE(scene.answered(caller));
    const auto save = scene.call<SaveOrder>();
    EXPECT_TRUE(save.last);
    scene.finish(save);
    EXPECT_FALSE(scene.answered(caller)) << "its copy is still here";
    scene.finish(scene.call<DropOrder>());
    ASSERT_TRUE(scene.good<StopReply>(caller));
    EXPECT_EQ(scene.good<StopReply>(caller)->archive->snapshot, "s-1");
    EXPECT_TRUE(scene.good<StopReply>(caller)->archive->last);
    const auto report = take_beat(scene.state).slots[0];
    EXPECT_EQ(report.phase, SlotPhase::stopped);
    EXPECT_EQ(report.archive->epoch, Epoch{1});
}

TEST(Homes, ASaveThatFailsIsTriedUntilItSucceedsAndIsSaid) {
    auto scene = running();
    const auto caller = scene.stop(0, 1);
    scene.finish(scene.call<RemoveOrder>());
    for (int tries = 0; tries < 12; ++tries) {
        fail_save(scene);
        EXPECT_EQ(scene.phase(0), SlotPhase::stopping);
        EXPECT_EQ(scene.count<SaveOrder>(), 0U) << "not at once";
        scene.pass(scene.policy.home_retry_max);
    }
    const auto beat = take_beat(scene.state);
    EXPECT_THAT(beat.slots[0].home->text, HasSubstr("is full"));
    EXPECT_THAT(beat.trouble.value_or(""), HasSubstr("is full")) << "nobody else starts where nothing can be kept";
    scene.settle();
    EXPECT_TRUE(scene.good<StopReply>(caller));
    EXPECT_FALSE(take_beat(scene.state).trouble);
}

TEST(Homes, ALaterLeaseWaitsUntilTheOneBeforeIsArchived) {
    auto scene = running();
    auto later = archived(2);
    later.workspace = {"w-2"};
    const auto refused = scene.bind(later);
    EXPECT_THAT(scene.refusal_text(refused), HasSubstr("not archived yet"));
    EXPECT_EQ(scene.phase(0), SlotPhase::stopping) << "it ends, and is saved";
    scene.settle();
    EXPECT_EQ(scene.disk.at(0).archive->snapshot, "s-1");
    EXPECT_EQ(scene.refusal(scene.bind(later)), "");
    scene.settle();
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
}

TEST(Homes, AnAgentThatDiesInASaveSavesAgain) {
    auto scene = running(archive(9, "s-9"));
    scene.stop(0, 1);
    scene.finish(scene.call<RemoveOrder>());
    scene.call<SaveOrder>();
    scene.restart();
    scene.finish(scene.call<RemoveOrder>());
    const auto save = scene.call<SaveOrder>();
    EXPECT_TRUE(save.last);
    EXPECT_EQ(save.parent, "s-9");
    scene.finish(save);
    scene.restart();
    scene.settle();
    EXPECT_EQ(scene.snapshots, 1) << "it was confirmed, and is on the disk";
    EXPECT_EQ(scene.phase(0), SlotPhase::stopped);
}

TEST(Homes, WhatComesBackTooLateOrForAnotherLeaseChangesNothing) {
    auto scene = running();
    scene.stop(0, 1);
    scene.finish(scene.call<RemoveOrder>());
    const auto save = scene.call<SaveOrder>();
    scene.take(HomeSaved{save.slot, save.workspace, Epoch{7}, KeptHome{"s-other", 1}});
    scene.take(HomeSaved{save.slot, {"w-7"}, save.epoch, KeptHome{"s-other", 1}});
    scene.take(HomeRestored{save.slot, save.workspace, save.epoch, {}});
    EXPECT_EQ(scene.phase(0), SlotPhase::stopping);
    EXPECT_FALSE(scene.disk.at(0).archive);
}

TEST(Homes, WhileInUseTheyAreSavedNowAndThen) {
    auto scene = running();
    EXPECT_EQ(scene.count<SaveOrder>(), 0U);
    scene.pass(every);
    const auto save = scene.call<SaveOrder>();
    EXPECT_FALSE(save.last);
    scene.finish(save);
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    const auto report = take_beat(scene.state).slots[0];
    EXPECT_FALSE(report.archive->last);
    scene.stop(0, 1);
    scene.finish(scene.call<RemoveOrder>());
    EXPECT_EQ(scene.call<SaveOrder>().parent, report.archive->snapshot) << "an earlier one does not do for the last";
}

TEST(Homes, WhoWantsAnArchiveNowGetsOne) {
    auto scene = running();
    auto order = archived(1);
    order.home->save_after = scene.now;
    scene.orders({order});
    scene.finish(scene.call<SaveOrder>());
    scene.orders({order});
    scene.take(Tick{});
    EXPECT_EQ(scene.count<SaveOrder>(), 0U) << "that one is new enough";
}

TEST(Homes, AStartWhoseFilesDoNotComeBackFailsAndSaysWhy) {
    Scene scene;
    const auto caller = scene.bind(archived(1, archive(9, "s-9")));
    for (std::uint32_t tries = 0; tries < scene.policy.home_restore_tries_max; ++tries) {
        const auto restore = scene.call<RestoreOrder>();
        scene.take(HomeRestored{restore.slot, restore.workspace, restore.epoch, fail(ErrorKind::not_found, "no snapshot s-9")});
        scene.pass(scene.policy.home_retry_max);
    }
    scene.settle();
    EXPECT_EQ(scene.count<SaveOrder>(), 0U);
    EXPECT_EQ(scene.snapshots, 0) << "an empty home is never archived over it";
    EXPECT_THAT(scene.refusal_text(caller), HasSubstr("no snapshot s-9"));
    EXPECT_EQ(scene.phase(0), SlotPhase::stopped);
}

TEST(Homes, AnEnvironmentThatEndsGetsTheSameHomeAgain) {
    auto scene = running(archive(9, "s-9"));
    scene.engine.begin()->second.health = Health::exited;
    scene.pass(scene.policy.inventory_every);
    scene.settle();
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    EXPECT_EQ(scene.count<RestoreOrder>(), 0U);
    EXPECT_EQ(scene.snapshots, 0);
}

TEST(Homes, OfADestroyedWorkspaceNothingIsSaved) {
    auto scene = running();
    const auto caller = ++scene.callers;
    scene.take(Asked<StopCommand>{caller, {scene.term, 0, {1}, {"w-1"}, true}});
    scene.settle();
    EXPECT_EQ(scene.snapshots, 0);
    EXPECT_TRUE(scene.good<StopReply>(caller));
}

TEST(Homes, ARepositoryIsLookedAtBeforeAnybodyNeedsIt) {
    Scene scene;
    take_beat(scene.state);
    scene.take(OrdersHeard{scene.state.beats, {.term = scene.term, .homes = rule()}});
    scene.call<CheckHomesOrder>();
    scene.take(HomesChecked{fail(ErrorKind::denied, "another password")});
    EXPECT_THAT(take_beat(scene.state).home_trouble.value_or(""), HasSubstr("another password"));
    scene.pass(scene.policy.home_retry_max);
    scene.finish(scene.call<CheckHomesOrder>());
    EXPECT_FALSE(take_beat(scene.state).home_trouble);
}

TEST(Homes, WhoWorksOnAHostThatLeavesIsTold) {
    auto scene = running();
    take_beat(scene.state);
    const Leaving leaving{scene.now + every, "new kernel"};
    scene.take(OrdersHeard{scene.state.beats, {.term = scene.term, .leases = {archived(1)}, .homes = rule(), .leaving = leaving}});
    ASSERT_EQ(scene.out.notices.size(), 1U);
    EXPECT_EQ(scene.out.notices[0].leaving, leaving);
    scene.take(EndNoticed{EndNotice{"the power fails", std::nullopt}});
    EXPECT_TRUE(scene.out.beat);
    EXPECT_EQ(take_beat(scene.state).notice->text, "the power fails");
}

}  // namespace
}  // namespace berth::hostagent
