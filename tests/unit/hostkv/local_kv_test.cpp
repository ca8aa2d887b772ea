// SPDX-License-Identifier: Apache-2.0
// The host's memory on a real folder: what is written stays, what is older is refused, what is
// damaged is said to be so.
#include "hostkv/local_kv.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace berth {
namespace {

const Instant now{Duration{1'800'000'000'000}};

class LocalKvTest : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/berth-kv-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        root_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(root_); }
    std::string dir() const { return root_ + "/kv"; }
    std::unique_ptr<LocalKv> open() const {
        auto opened = LocalKv::open(dir());
        EXPECT_TRUE(opened) << opened.error().text;
        return opened ? std::move(*opened) : nullptr;
    }
    /// Runs `work` in another process, which then ends without a word.
    template <class Work>
    int in_another_process(Work work) const {
        const auto child = ::fork();
        if (child == 0) ::_exit(work() ? 0 : 1);
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

    std::string root_;
};

SlotRecord slot_record(std::uint32_t slot, std::uint64_t epoch) {
    return {.slot = slot, .phase = SlotPhase::bound, .epoch = Epoch{epoch}, .workspace = {"w-1"}, .user = {"ada"},
            .project = {"site"}, .container = {"c-1"}, .port = 4001, .expires_at = now, .hold_until = now,
            .text = "a text"};
}

TEST_F(LocalKvTest, SlotsRoutesAndTermAreThereAfterOpeningAgain) {
    const RouteRecord route{.workspace = {"w-1"}, .user = {"ada"}, .slot = 3, .epoch = Epoch{9}, .container = {"c-1"},
                            .port = 4001, .confirmed_at = now, .socket = "/slots/3/editor.sock"};
    std::string secret;
    {
        const auto kv = open();
        ASSERT_TRUE(kv->apply({slot_record(300, 9)}));
        ASSERT_TRUE(kv->apply({slot_record(2, 1)}));
        ASSERT_TRUE(kv->apply({route}));
        ASSERT_TRUE(kv->apply({Term{44}}));
        secret = kv->secret();
    }

    const auto kv = open();

    EXPECT_EQ(kv->slots().value(), (std::vector{slot_record(2, 1), slot_record(300, 9)}));
    EXPECT_EQ(kv->route({"w-1"}).value(), route);
    EXPECT_EQ(kv->routes()->size(), 1U);
    EXPECT_EQ(kv->term().value(), Term{44});
    EXPECT_EQ(kv->secret(), secret);
    EXPECT_EQ(secret.size(), 64U);
}

TEST_F(LocalKvTest, I3_AnOlderEpochIsRefusedAndChangesNothing) {
    const auto kv = open();
    ASSERT_TRUE(kv->apply({slot_record(0, 5)}));

    const auto lowered = kv->apply({slot_record(0, 4)});

    ASSERT_FALSE(lowered);
    EXPECT_EQ(lowered.error().kind, ErrorKind::fenced);
    EXPECT_EQ(kv->slots()->front().epoch, Epoch{5});
    EXPECT_TRUE(kv->apply({slot_record(0, 5)})) << "the same epoch changes its phase";
}

TEST_F(LocalKvTest, I4_AnOlderTermIsRefused) {
    const auto kv = open();
    EXPECT_EQ(kv->term().value(), Term{});
    ASSERT_TRUE(kv->apply({Term{5}}));

    EXPECT_EQ(kv->apply({Term{4}}).error().kind, ErrorKind::fenced);
    EXPECT_TRUE(kv->apply({Term{5}}));
}

TEST_F(LocalKvTest, F16_AnOlderPositionIsRefusedAndChangesNothing) {
    const auto kv = open();
    ASSERT_TRUE(kv->apply({Position{9}}));
    EXPECT_EQ(kv->apply({Term{6}, Position{8}}).error().kind, ErrorKind::fenced);
    EXPECT_EQ(kv->term().value(), Term{});
    EXPECT_EQ(kv->position().value(), Position{9});
    EXPECT_TRUE(kv->apply({Position{9}}));
}

TEST_F(LocalKvTest, I26_ALinkIsUsedOnceAlsoByAnotherProcess) {
    const auto used_in_child = in_another_process([&] {
        const auto kv = LocalKv::open(dir());
        return kv && (*kv)->use_link("id-1", "s-1", now + Duration{60'000}, now).value_or(false);
    });
    ASSERT_EQ(used_in_child, 0);

    const auto kv = open();

    EXPECT_FALSE(kv->use_link("id-1", "s-9", now + Duration{60'000}, now).value());
    EXPECT_TRUE(kv->use_link("id-1", "s-1", now + Duration{60'000}, now).value()) << "who has it keeps it";
    EXPECT_TRUE(kv->use_link("id-1", "s-1", now + Duration{60'000}, now + Duration{60'000}).value());
    EXPECT_EQ(kv->link_holder("id-1").value(), "s-1");
    EXPECT_EQ(kv->link_holder("id-2").value(), std::nullopt);
    EXPECT_TRUE(kv->use_link("id-2", "s-2", now + Duration{60'000}, now).value());
    EXPECT_FALSE(kv->use_link("id-3", "s-3", now, now).value()) << "what has expired is not used at all";
}

TEST_F(LocalKvTest, I26_AUsedLinkStaysUsedWhenTheClockStepsBack) {
    const auto kv = open();
    ASSERT_TRUE(kv->use_link("id-1", "s-1", now + Duration{60'000}, now).value());
    ASSERT_TRUE(kv->use_link("id-2", "s-2", now + Duration{900'000}, now + Duration{600'000}).value());

    EXPECT_FALSE(kv->use_link("id-1", "s-9", now + Duration{60'000}, now).value());
}

TEST_F(LocalKvTest, OldLinksDoNotPileUp) {
    const auto kv = open();
    for (int i = 0; i < 300; ++i) {
        const auto at = now + Duration{i * 600'000};
        ASSERT_TRUE(kv->use_link("id-" + std::to_string(i), "s-1", at + Duration{60'000}, at).value());
    }
    EXPECT_TRUE(kv->use_link("id-0", "s-0", now + Duration{60'000}, now).value()) << "the oldest was dropped long after its end";
}

TEST_F(LocalKvTest, ActivityIsSeenByAnotherProcessAndDropped) {
    const auto kv = open();
    EXPECT_EQ(kv->activity({"w-1"}).value(), std::nullopt);

    ASSERT_TRUE(kv->put_activity({"w-1"}, now));
    ASSERT_TRUE(kv->put_activity({"w-1"}, now + Duration{5}));

    EXPECT_EQ(kv->activity({"w-1"}).value(), now + Duration{5});
    ASSERT_TRUE(kv->drop_activity({"w-1"}));
    EXPECT_TRUE(kv->drop_activity({"w-1"})) << "dropping nothing is fine";
    EXPECT_EQ(kv->activity({"w-1"}).value(), std::nullopt);
    EXPECT_EQ(kv->put_activity({"../w"}, now).error().kind, ErrorKind::invalid);
    EXPECT_EQ(kv->apply({RouteRecord{.workspace = {"a/b"}}}).error().kind, ErrorKind::invalid);
}

TEST_F(LocalKvTest, OpenWindowsOfTheEditorAreSeenAndDroppedWithTheActivity) {
    const auto kv = open();
    EXPECT_EQ(kv->editors({"w-1"}).value(), std::nullopt);
    ASSERT_TRUE(kv->put_editors({"w-1"}, {now, 12}));
    ASSERT_TRUE(kv->put_editors({"w-1"}, {now + Duration{5}, 2}));
    EXPECT_EQ(kv->editors({"w-1"}).value(), (EditorsSeen{now + Duration{5}, 2}));
    ASSERT_TRUE(kv->put_editors({"w-1"}, {now, 5'000}));
    EXPECT_EQ(kv->editors({"w-1"}).value()->windows, editors_seen_max);
    ASSERT_TRUE(kv->drop_activity({"w-1"}));
    EXPECT_EQ(kv->editors({"w-1"}).value(), std::nullopt);
}

TEST_F(LocalKvTest, ActivityThatWasNotWrittenWholeIsUnknownI32) {
    const auto kv = open();
    { std::ofstream half(dir() + "/activity/w-1"); }   // as a full disk leaves it
    const auto read = kv->activity({"w-1"});
    ASSERT_FALSE(read) << "nothing known is not the same as never used";
    EXPECT_EQ(read.error().kind, ErrorKind::unavailable);
}

TEST_F(LocalKvTest, ItsRoomIsReservedAndEnoughForAFullHost) {
    const auto kv = open();
    struct stat status {};
    ASSERT_EQ(::stat((dir() + "/data.mdb").c_str(), &status), 0);
    if (status.st_blocks * 512 < 1024 * 1024) GTEST_SKIP() << "SKIPPED: this file system reserves nothing";
    for (std::uint64_t epoch = 1; epoch <= 30; ++epoch) {
        std::vector<KvChange> changes;
        for (std::uint32_t slot = 0; slot < 100; ++slot) {
            auto record = slot_record(slot, epoch);
            record.text = std::string(400, 't');
            changes.emplace_back(record);
            changes.emplace_back(RouteRecord{.workspace = {"w-" + std::to_string(slot)}, .slot = slot, .epoch = Epoch{epoch}});
        }
        ASSERT_TRUE(kv->apply(changes));
    }
    ASSERT_EQ(::stat((dir() + "/data.mdb").c_str(), &status), 0);
    EXPECT_LE(status.st_size, 1024 * 1024) << "a disk that is full stops none of these writes";
}

TEST_F(LocalKvTest, OnlyItsOwnerReadsIt) {
    { open(); }
    struct stat status {};
    ASSERT_EQ(::stat(dir().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U);
    for (const auto* file : {"/data.mdb", "/lock.mdb"}) {
        ASSERT_EQ(::stat((dir() + file).c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777, 0600U) << file;
    }
}

TEST_F(LocalKvTest, AProcessKilledWithinAWriteLeavesTheRestReadable) {
    { ASSERT_TRUE(open()->apply({slot_record(0, 1)})); }
    for (int round = 0; round < 5; ++round) {
        int ready[2];
        ASSERT_EQ(::pipe(ready), 0);
        const auto child = ::fork();
        if (child == 0) {
            auto kv = LocalKv::open(dir());
            for (std::uint64_t epoch = 1; kv; ++epoch) {
                if (!(*kv)->apply({slot_record(1, epoch + 1'000'000 * static_cast<std::uint64_t>(round))})) break;
                if (::write(ready[1], "x", 1) != 1) break;
            }
            ::_exit(1);
        }
        char byte = 0;
        for (int i = 0; i < 20 + round; ++i) ASSERT_EQ(::read(ready[0], &byte, 1), 1);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        ::close(ready[0]);
        ::close(ready[1]);

        const auto kv = open();
        ASSERT_TRUE(kv);
        EXPECT_EQ(kv->slots()->size(), 2U);
        EXPECT_GE(kv->slots()->at(1).epoch.value, 20 + 1'000'000 * static_cast<std::uint64_t>(round));
        EXPECT_TRUE(kv->apply({slot_record(0, 1)}));
    }
}

TEST_F(LocalKvTest, AFileMadeButNeverWrittenIsNew) {
    std::filesystem::create_directories(dir());
    std::ofstream(dir() + "/data.mdb").close();

    EXPECT_TRUE(open());
}

TEST_F(LocalKvTest, DamageIsCorruptNotADeath) {
    {
        const auto kv = open();
        for (std::uint32_t slot = 0; slot < 200; ++slot) ASSERT_TRUE(kv->apply({slot_record(slot, 1)}));
    }
    const auto file = dir() + "/data.mdb";
    const auto whole = std::filesystem::file_size(file);
    std::ifstream from(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(from), {}};
    const auto write = [&](const std::string& damaged) {
        std::ofstream to(file, std::ios::binary | std::ios::trunc);
        to << damaged;
    };
    auto flipped = bytes;
    const auto text = flipped.rfind("a text");
    ASSERT_NE(text, std::string::npos);
    auto noisy = bytes;
    for (std::size_t i = 8192; i < noisy.size(); ++i) noisy[i] = static_cast<char>(i * 131 >> 3);
    // The newest record's bytes may stand on several pages, older copies of it too: damage them all.
    for (auto at = flipped.find("a text"); at != std::string::npos; at = flipped.find("a text", at)) flipped[at] = 'b';

    struct Row {
        std::string name;
        std::string bytes;
    };
    const std::vector<Row> rows{{"cut to a half", bytes.substr(0, whole / 2)},
                                {"cut within the first page", bytes.substr(0, 100)},
                                {"both meta pages overwritten", std::string(8192, 'x') + bytes.substr(8192)},
                                {"all but the meta pages overwritten", noisy},
                                {"zeros after the meta pages", bytes.substr(0, 8192) + std::string(whole - 8192, '\0')},
                                {"one letter of a record", flipped},
                                {"another kind of file", std::string(20'000, 'q')}};
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        write(row.bytes);
        const auto opened = LocalKv::open(dir());
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().kind, ErrorKind::corrupt) << opened.error().text;
    }
    write(bytes);
    EXPECT_EQ(open()->slots()->size(), 200U);
}

}  // namespace
}  // namespace berth
