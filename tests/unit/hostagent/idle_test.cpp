// SPDX-License-Identifier: Apache-2.0
// The intent to stop what is idle, and the signals that it is judged by.
#include "hostagent/activity.hpp"
#include "tests/unit/hostagent/scene.hpp"

namespace berth::hostagent {
namespace {

struct Idle : ::testing::Test {
    Idle() {
        scene.bind(Scene::order(0, 3));
        scene.settle();
        scene.now += Duration{900'000};
        last_use = scene.now - Duration{600'000};
    }
    WorkspaceIdle intent() const {
        return {.workspace = {"w-1"}, .epoch = {3}, .host = {"h-1"}, .slot = 0, .quiet_since = last_use + clocks_differ,
                .last_use = last_use, .stop_at = scene.now + Duration{30'000}};
    }
    /// The intent is heard, and the host looks at its deadline.
    void look(std::vector<Signal> signals) {
        scene.take(IdleIntended{intent()});
        scene.pass(Duration{30'000});
        const auto read = scene.call<ReadActivity>();
        scene.take(ActivityRead{read.record.slot, read.record.epoch, std::move(signals)});
    }
    std::vector<Signal> quiet() const { return {{"proxy", last_use}, {"cpu", last_use - Duration{1}}}; }

    Scene scene;
    Instant last_use;
    Duration clocks_differ{0};            // the reaper's and ours
};

TEST_F(Idle, TheHostLooksItselfAtTheDeadlineAndNotBefore) {
    scene.take(IdleIntended{intent()});
    scene.pass(Duration{29'999});
    EXPECT_EQ(scene.count<ReadActivity>(), 0U);
    scene.pass(Duration{1});
    EXPECT_EQ(scene.count<ReadActivity>(), 1U);
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
}

TEST_F(Idle, WhenEverySignalIsQuietItStopsWithoutAnyFurtherWord) {
    look(quiet());
    EXPECT_EQ(scene.phase(0), SlotPhase::stopping);
    scene.settle();
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::stopped, 3));
    EXPECT_TRUE(scene.out.beat) << "and says so at once";
}

TEST_F(Idle, AnIntentThatIsWithdrawnIsForgottenAndNoLongerShown_N4) {
    scene.take(IdleIntended{intent()});
    ASSERT_EQ(scene.out.notices.size(), 1U);
    EXPECT_EQ(scene.out.notices[0].intent, intent());
    auto word = intent();
    word.withdrawn = true;
    scene.take(IdleIntended{word});
    ASSERT_EQ(scene.out.notices.size(), 1U);
    EXPECT_FALSE(scene.out.notices[0].intent);
    scene.pass(Duration{60'000});
    EXPECT_EQ(scene.count<ReadActivity>(), 0U);
}

TEST_F(Idle, AJobIsAnObjectionByThePoolsRule_25) {
    const auto object = [&](IdleJobs jobs, Duration max) {
        auto said = intent();
        said.jobs = jobs;
        said.job_max_ms = max;
        scene.take(IdleIntended{said});
        scene.pass(Duration{30'000});
        const auto read = scene.call<ReadActivity>();
        auto signals = quiet();
        signals.push_back({"job", scene.now, last_use - Duration{60'000}, "a terminal runs `sleep 3600`"});
        scene.take(ActivityRead{read.record.slot, read.record.epoch, signals});
        return !scene.out.objections.empty();
    };
    EXPECT_TRUE(object(IdleJobs::any, Duration{3'600'000}));
    EXPECT_FALSE(object(IdleJobs::any, Duration{30'000})) << "it has run longer than a job counts";
}

TEST_F(Idle, OneSignOfUseIsAnObjection) {
    auto signals = quiet();
    signals.push_back({"editor", last_use + Duration{1}});
    look(signals);
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    ASSERT_EQ(scene.out.objections.size(), 1U);
    EXPECT_EQ(scene.out.objections[0].signals, signals);
}

TEST_F(Idle, UseIsSeenThoughTheReapersClockIsAhead_I32) {
    clocks_differ = Duration{3'600'000};
    auto signals = quiet();
    signals.push_back({"editor", last_use + Duration{1}});
    look(signals);
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
}

TEST_F(Idle, QuietIsBelievedThoughTheReapersClockIsBehind) {
    clocks_differ = Duration{-3'600'000};
    look(quiet());
    EXPECT_EQ(scene.phase(0), SlotPhase::stopping);
}

TEST_F(Idle, OneUnknownSignalIsAnObjection_I32) {
    auto signals = quiet();
    signals.push_back({"editor", std::nullopt});
    look(signals);
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    EXPECT_EQ(scene.out.objections.size(), 1U);
}

TEST_F(Idle, NoSignalAtAllIsAnObjection_I32) {
    look({});
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    EXPECT_EQ(scene.out.objections.size(), 1U);
}

TEST_F(Idle, AHoldIsAnObjection) {
    auto held = Scene::order(0, 3);
    held.hold_until = scene.now + Duration{3'600'000};
    scene.orders({held});
    look(quiet());
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    EXPECT_EQ(scene.out.objections.size(), 1U);
}

TEST_F(Idle, AHoldThatEndedBeforeTheQuietIsNone) {
    auto held = Scene::order(0, 3);
    held.hold_until = last_use - Duration{1};
    scene.orders({held});
    look(quiet());
    EXPECT_EQ(scene.phase(0), SlotPhase::stopping);
}

TEST_F(Idle, AnIntentForAnotherLeaseIsNotOurs_I3) {
    auto other = intent();
    other.epoch = {2};
    scene.take(IdleIntended{other});
    other = intent();
    other.host = {"h-2"};
    scene.take(IdleIntended{other});
    other = intent();
    other.workspace = {"w-2"};
    scene.take(IdleIntended{other});
    other = intent();
    other.slot = 99;
    scene.take(IdleIntended{other});
    scene.pass(Duration{60'000});
    EXPECT_EQ(scene.count<ReadActivity>(), 0U);
}

TEST_F(Idle, ThatTheFutureWasQuietIsNotBelieved) {
    auto future = intent();
    future.last_use = scene.now + Duration{1};
    scene.take(IdleIntended{future});
    scene.pass(Duration{60'000});
    EXPECT_EQ(scene.count<ReadActivity>(), 0U);
}

TEST_F(Idle, ALookThatEndsAfterTheReleaseSaysNothing) {
    scene.take(IdleIntended{intent()});
    scene.pass(Duration{30'000});
    const auto read = scene.call<ReadActivity>();
    scene.stop(0, 3);
    scene.settle();
    scene.bind(Scene::order(0, 4, "w-2"));
    scene.settle();
    scene.take(ActivityRead{0, read.record.epoch, quiet()});
    EXPECT_EQ(scene.phase(0), SlotPhase::bound) << "the next user's environment is not touched";
}

TEST_F(Idle, AnIntentSaidTwiceIsLookedAtOnce) {
    scene.take(IdleIntended{intent()});
    scene.take(IdleIntended{intent()});
    scene.pass(Duration{30'000});
    EXPECT_EQ(scene.count<ReadActivity>(), 1U);
    scene.take(IdleIntended{intent()});
    scene.pass(Duration{30'000});
    EXPECT_EQ(scene.count<ReadActivity>(), 1U) << "one look is under way";
}

// ---- signals

TEST(Activity, ReadsWhatCodeServerSays) {
    EXPECT_EQ(read_editor(404, "").word, EditorWord::absent);
    EXPECT_EQ(read_editor(500, "{}").word, EditorWord::silent);
    EXPECT_EQ(read_editor(200, "<html>").word, EditorWord::silent);
    EXPECT_EQ(read_editor(200, R"({"status":"alive"})").word, EditorWord::silent);
    EXPECT_EQ(read_editor(200, R"({"status":"expired","lastHeartbeat":99999999999999999999})").word, EditorWord::silent);
    const auto alive = read_editor(200, R"({"status": "alive", "lastHeartbeat": 1700000000000})");
    EXPECT_TRUE(alive.alive);
    EXPECT_EQ(alive.last_at, Instant{Duration{1'700'000'000'000}});
    const auto never = read_editor(200, R"({"status":"expired","lastHeartbeat":0})");
    EXPECT_EQ(never.word, EditorWord::said);
    EXPECT_FALSE(never.alive || never.last_at);
}

struct Judging : ::testing::Test {
    std::map<std::string, std::optional<Instant>> judge_at(Instant at, Usage usage) {
        reading.read_at = at;
        reading.usage = usage;
        std::map<std::string, std::optional<Instant>> signals;
        for (const auto& one : judge(memories, record, reading, floor)) signals[one.name] = one.last_at;
        return signals;
    }
    UseMemories memories;
    UseFloor floor{.cpu = 0.02, .io = 4096, .window = Duration{10'000}};
    SlotRecord record{.container = {"c"}, .bound_at = start_of_time};
    Reading reading{.proxy = std::optional<Instant>{}, .editor = {.word = EditorWord::said}, .usage = Usage{}};
};

TEST_F(Judging, NothingWasUsedBeforeItWasGiven) {
    const auto signals = judge_at(start_of_time + Duration{5'000}, {});
    EXPECT_EQ(signals.at("proxy"), start_of_time);
    EXPECT_EQ(signals.at("editor"), start_of_time);
    EXPECT_EQ(signals.at("cpu"), start_of_time + Duration{5'000}) << "the first reading has nothing to compare with";
}

TEST_F(Judging, WorkOverTheFloorIsUseAndWorkBelowItIsNot) {
    judge_at(start_of_time, {});
    const auto calm = judge_at(start_of_time + Duration{10'000}, {.cpu_ns = 100'000'000, .io_bytes = 4'096});
    EXPECT_EQ(calm.at("cpu"), start_of_time);
    const auto busy = judge_at(start_of_time + Duration{20'000}, {.cpu_ns = 400'000'000, .io_bytes = 4'096});
    EXPECT_EQ(busy.at("cpu"), start_of_time + Duration{20'000});
    const auto writing = judge_at(start_of_time + Duration{30'000}, {.cpu_ns = 400'000'000, .io_bytes = 100'000});
    EXPECT_EQ(writing.at("cpu"), start_of_time + Duration{30'000});
}

TEST_F(Judging, ASmallStirIsNoUseHoweverSoonTheNextLookComes_I32) {
    // The look at an intent's deadline comes right after the periodic one: 3 ms of work in 10 ms are not 30 %.
    judge_at(start_of_time, {});
    const auto stirred = judge_at(start_of_time + Duration{10}, {.cpu_ns = 3'000'000, .io_bytes = 512});
    EXPECT_EQ(stirred.at("cpu"), start_of_time);
    // Many small stirs within a window add up.
    judge_at(start_of_time + Duration{1'000}, {.cpu_ns = 150'000'000, .io_bytes = 512});
    const auto busy = judge_at(start_of_time + Duration{2'000}, {.cpu_ns = 250'000'000, .io_bytes = 512});
    EXPECT_EQ(busy.at("cpu"), start_of_time + Duration{2'000});
    // Use was counted; it is not counted again.
    EXPECT_EQ(judge_at(start_of_time + Duration{3'000}, {.cpu_ns = 250'000'000, .io_bytes = 512}).at("cpu"), start_of_time + Duration{2'000});
}

TEST_F(Judging, CountersThatWentBackAreUse) {
    judge_at(start_of_time, {.cpu_ns = 5'000, .io_bytes = 5'000});
    EXPECT_EQ(judge_at(start_of_time + Duration{10'000}, {}).at("cpu"), start_of_time + Duration{10'000});
}

TEST_F(Judging, WhatCanNotBeReadIsUnknown_I32) {
    reading.proxy = fail(ErrorKind::internal, "cannot open");
    reading.editor.word = EditorWord::silent;
    reading.read_at = start_of_time;
    reading.usage = fail(ErrorKind::timeout, "no answer");
    for (const auto& one : judge(memories, record, reading, {})) EXPECT_EQ(one.last_at, std::nullopt) << one.name;
}

TEST_F(Judging, AnEnvironmentWithoutAReportIsJudgedByTheRest) {
    reading.editor.word = EditorWord::absent;
    EXPECT_FALSE(judge_at(start_of_time, {}).contains("editor"));
}

}  // namespace
}  // namespace berth::hostagent
