// SPDX-License-Identifier: Apache-2.0
// What the editor's windows say of persons, and what follows when they say nothing.
#include "hostagent/presence.hpp"

#include "hostagent/activity.hpp"
#include "tests/unit/hostagent/scene.hpp"

namespace berth::hostagent {
namespace {

constexpr Instant seconds_in(std::int64_t seconds) { return start_of_time + Duration{seconds * 1'000}; }

struct Presence : ::testing::Test {
    Signal judge() const { return judge_presence(notes, editors, start_of_time, now); }
    PresenceNote note(std::int64_t written, std::int64_t touched, bool active = false) const {
        return {.written_at = seconds_in(written), .touched_at = seconds_in(touched), .how = "typed", .active = active};
    }
    Instant now = seconds_in(600);
    std::vector<PresenceNote> notes;
    std::optional<EditorsSeen> editors;
};

TEST_F(Presence, NobodyWasThereWhenNoWindowIsOpenAndNoneEverSpoke) {
    EXPECT_EQ(judge().last_at, start_of_time);
}

TEST_F(Presence, AnUntouchedTabIsKnownAndQuiet) {
    editors = {seconds_in(598), 1};
    notes = {note(597, 120)};
    EXPECT_EQ(judge().last_at, seconds_in(120));
    EXPECT_EQ(judge().text, "typed");
}

TEST_F(Presence, AnActiveWindowIsUseUntilItsPageIsGone) {
    editors = {seconds_in(598), 1};
    notes = {note(597, 120, true)};
    EXPECT_EQ(judge().last_at, seconds_in(597));
    editors = {seconds_in(599), 0};
    EXPECT_EQ(judge().last_at, seconds_in(120)) << "closed: its extensions live on for a while and hear nothing";
    editors = {seconds_in(500), 1};
    EXPECT_EQ(judge().last_at, seconds_in(120)) << "asleep: nothing comes from it";
}

TEST_F(Presence, AnOpenWindowThatSaysNothingIsUnknown_I32) {
    editors = {seconds_in(598), 1};
    EXPECT_EQ(judge().last_at, std::nullopt) << "missing";
    notes = {note(570, 500)};
    EXPECT_EQ(judge().last_at, std::nullopt) << "silent";
    notes = {note(598, 500)};
    EXPECT_EQ(judge().last_at, seconds_in(500));
    editors->windows = 2;
    EXPECT_EQ(judge().last_at, std::nullopt) << "one of two is silent";
}

TEST_F(Presence, WithoutAnOpenWindowSilenceIsNoDoubt) {
    editors = {seconds_in(300), 1};
    notes = {note(310, 200), note(250, 220)};
    EXPECT_EQ(judge().last_at, seconds_in(220));
}

TEST_F(Presence, ANoteOfTheFutureIsOfNow) {
    notes = {note(90'000, 80'000)};
    EXPECT_EQ(judge().last_at, now);
}

TEST(PresenceNote, IsReadWithoutBelief) {
    const auto read = parse_note("touched 1700000000000 typed\nactive 1\ntask 1700000000001 make -j8\ndebug 5 a\x1b[2J\n", start_of_time);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->touched_at, Instant{Duration{1'700'000'000'000}});
    EXPECT_TRUE(read->active);
    ASSERT_EQ(read->running.size(), 2U);
    EXPECT_EQ(read->running[0].text, "the task `make -j8` runs");
    EXPECT_EQ(read->running[1].text, "`a?[2J` is being debugged");
    for (const auto* text : {"", "{}", "touched", "touched x", "touched -1", "active 1\nfoo", "touched 99999999999999999999"}) {
        EXPECT_FALSE(parse_note(text, start_of_time)) << text;
    }
    EXPECT_FALSE(parse_note(std::string(note_bytes_max + 1, 'a'), start_of_time));
    std::string many = "touched 1 a\n";
    for (int i = 0; i < 100; ++i) many += "task 1 " + std::string(20, 'x') + "\n";
    EXPECT_EQ(parse_note(many, start_of_time)->running.size(), note_running_max);
    EXPECT_EQ(parse_note("task 1 " + std::string(500, 'x'), start_of_time)->running[0].text->size(), std::string("the task `` runs").size() + words_bytes_max + 3);
}

// ---- together

struct WithNotes : ::testing::Test {
    std::map<std::string, Signal> judge_at(Instant at) {
        reading.read_at = at;
        std::map<std::string, Signal> signals;
        for (const auto& one : judge(memories, record, reading, floor)) signals[one.name] = one;
        return signals;
    }
    UseMemories memories;
    UseFloor floor{.cpu = 0.02, .io = 4096, .window = Duration{10'000}, .net = 4'096};
    SlotRecord record{.container = {"c"}, .bound_at = start_of_time};
    Reading reading{.proxy = std::optional<Instant>{}, .editor = {.word = EditorWord::said, .alive = true}, .usage = Usage{},
                    .notes = std::vector<PresenceNote>{}};
};

TEST_F(WithNotes, TheEditorsHeartbeatOfAnOpenPageIsNoUse) {
    const auto signals = judge_at(seconds_in(600));
    EXPECT_FALSE(signals.contains("editor"));
    EXPECT_EQ(signals.at("presence").last_at, start_of_time);
    reading.editor = {};
    EXPECT_EQ(judge_at(seconds_in(610)).at("editor").last_at, std::nullopt) << "one that does not answer is in doubt (I32)";
}

TEST_F(WithNotes, NotesOrWindowsThatCanNotBeReadAreUnknown_I32) {
    reading.notes = fail(ErrorKind::internal, "cannot read");
    EXPECT_EQ(judge_at(seconds_in(1)).at("presence").last_at, std::nullopt);
    reading.notes = std::vector<PresenceNote>{};
    reading.editors = fail(ErrorKind::corrupt, "no instant");
    EXPECT_EQ(judge_at(seconds_in(2)).at("presence").last_at, std::nullopt);
}

TEST_F(WithNotes, NetworkOverTheFloorIsUse_25) {
    judge_at(seconds_in(0));
    reading.usage->net_bytes = 20'000;
    EXPECT_EQ(judge_at(seconds_in(10)).at("cpu").last_at, seconds_in(0));
    reading.usage->net_bytes += 200'000;
    const auto loading = judge_at(seconds_in(20)).at("cpu");
    EXPECT_EQ(loading.last_at, seconds_in(20));
    EXPECT_EQ(loading.text, "20 kB/s of network");
}

TEST_F(WithNotes, TheJobThatBeganLastIsTold) {
    EXPECT_FALSE(judge_at(seconds_in(0)).contains("job"));
    reading.usage->jobs = {{"sleep 3600", seconds_in(50)}, {"make", seconds_in(20)}};
    const auto job = judge_at(seconds_in(100)).at("job");
    EXPECT_EQ(job, (Signal{"job", seconds_in(100), seconds_in(50), "a terminal runs `sleep 3600`"}));
    reading.notes = std::vector<PresenceNote>{*parse_note("debug 1000090000 app\n", seconds_in(99))};
    EXPECT_EQ(judge_at(seconds_in(100)).at("job").text, "`app` is being debugged");
    EXPECT_EQ(judge_at(seconds_in(200)).at("job").text, "a terminal runs `sleep 3600`") << "that window is gone";
}

TEST_F(WithNotes, TheEndOfAJobIsASignOfUse_I32) {
    judge_at(seconds_in(0));
    reading.usage->jobs = {{"make", seconds_in(20)}};
    judge_at(seconds_in(600));
    reading.usage->jobs.clear();
    const auto job = judge_at(seconds_in(610)).at("job");
    EXPECT_EQ(job.last_at, seconds_in(600)) << "whoever waited for it has the whole window to come back";
    EXPECT_EQ(judge_at(seconds_in(700)).at("job").last_at, seconds_in(600));
    const auto counting = counted({job}, {IdleJobs::any, Duration{60'000}});
    EXPECT_EQ(counting.at(0).last_at, seconds_in(80)) << "up to the cap, as while it ran";
}

// ---- the pool's rule

TEST(Counted, AJobCountsByTheRuleAndNotForEver) {
    const std::vector<Signal> signals{{"proxy", seconds_in(1)}, {"cpu", seconds_in(90)}, {"job", seconds_in(100), seconds_in(10), "make"}};
    const auto last = [&](IdleJobs jobs, Duration max) {
        Instant latest;
        for (const auto& one : counted(signals, {jobs, max})) latest = std::max(latest, *one.last_at);
        return latest;
    };
    EXPECT_EQ(last(IdleJobs::any, Duration{3'600'000}), seconds_in(100));
    EXPECT_EQ(last(IdleJobs::any, Duration{85'000}), seconds_in(95));
    EXPECT_EQ(last(IdleJobs::busy, Duration{3'600'000}), seconds_in(90));
    EXPECT_EQ(last(IdleJobs::none, Duration{3'600'000}), seconds_in(1));
}

}  // namespace
}  // namespace berth::hostagent
