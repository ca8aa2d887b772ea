// SPDX-License-Identifier: Apache-2.0
// The SQLite ledger on real files: what it acknowledged is there again, and damage is named.
#include "allocator/ledger/sqlite.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "allocator/archive.hpp"
#include "tests/support/folder.hpp"

namespace berth::allocator {
namespace {

using ::testing::HasSubstr;
using berth::testing::Folder;

std::unique_ptr<SqliteLedger> open(const std::string& path, std::uint64_t ballast = 0) {
    auto ledger = SqliteLedger::open({path, ballast});
    if (!ledger) throw std::runtime_error(ledger.error().text);
    return std::move(*ledger);
}

FactRecord fact(std::uint64_t position, const std::string& pool = "p") {
    return {{position}, {1}, Instant{Duration{1'000 + static_cast<std::int64_t>(position)}},
            PoolDefined{.pool = {fmt::format("{}{}", pool, position)}}, Reason{"a test", "test", "1"}, "m1"};
}
std::vector<FactRecord> facts(std::uint64_t first, std::uint64_t last) {
    std::vector<FactRecord> made;
    for (auto at = first; at <= last; ++at) made.push_back(fact(at));
    return made;
}

void change(const std::string& path, const char* sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
}

TEST(ledger, gives_back_what_was_appended_after_it_is_opened_again) {
    const Folder folder;
    std::string id;
    {
        auto ledger = open(folder / "l");
        id = ledger->id();
        ASSERT_TRUE(ledger->append(facts(1, 3), {0}));
        ASSERT_TRUE(ledger->append(facts(4, 9), {3}));
    }
    auto ledger = open(folder / "l");
    EXPECT_EQ(ledger->id(), id);
    EXPECT_EQ(ledger->head().value, 9U);
    EXPECT_EQ(*ledger->read({1}, 100), facts(1, 9));
    EXPECT_EQ(*ledger->read({5}, 2), facts(5, 6)) << "from the middle of a row";
    EXPECT_EQ(ledger->verify()->value, 9U);
}

TEST(ledger, is_fenced_by_the_expected_position_I4) {
    const Folder folder;
    auto ledger = open(folder / "l");
    ASSERT_TRUE(ledger->append(facts(1, 3), {0}));
    const auto late = ledger->append(facts(3, 3), {2});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::fenced);
    EXPECT_EQ(ledger->head().value, 3U);
}

TEST(ledger, refuses_a_second_opener_I4) {
    const Folder folder;
    auto ledger = open(folder / "l");
    const auto second = SqliteLedger::open({folder / "l", 0});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::conflict);
    EXPECT_THAT(second.error().text, HasSubstr("in use by another allocator"));
}

TEST(ledger, finds_facts_by_what_they_are_about) {
    const Folder folder;
    auto ledger = open(folder / "l");
    ASSERT_TRUE(ledger->append(facts(1, 900), {0}));
    const auto found = ledger->read_about("p700", {1}, 10);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->front(), fact(700));
    EXPECT_TRUE(ledger->read_about("p700", {701}, 10)->empty());
}

TEST(ledger, replays_to_the_same_state_from_nothing_and_from_a_snapshot_I19) {
    const Folder folder;
    auto ledger = open(folder / "l");
    ASSERT_TRUE(ledger->append(facts(1, 50), {0}));
    const auto early = *replay(*ledger);
    ASSERT_TRUE(ledger->save_snapshot(early));
    ASSERT_TRUE(ledger->append(facts(51, 90), {50}));
    const auto by_snapshot = *replay(*ledger);
    View by_hand;
    for (const auto& one : facts(1, 90)) apply(by_hand, one);
    EXPECT_EQ(state_hash(by_snapshot), state_hash(by_hand));
    EXPECT_EQ(by_snapshot.pools.size(), 90U);
}

TEST(ledger, names_the_position_of_a_damaged_row_I20) {
    const Folder folder;
    {
        auto ledger = open(folder / "l");
        ASSERT_TRUE(ledger->append(facts(1, 4), {0}));
        ASSERT_TRUE(ledger->append(facts(5, 8), {4}));
    }
    change(folder / "l", "UPDATE batches SET records = x'90' WHERE first = 5");
    auto ledger = open(folder / "l");
    const auto read = replay(*ledger);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(read.error().text, HasSubstr("position 5"));
    EXPECT_EQ(ledger->read({1}, 4)->size(), 4U) << "what is whole can still be exported";
}

TEST(ledger, sees_that_history_was_rewritten_I20) {
    const Folder folder;
    {
        auto ledger = open(folder / "l");
        for (std::uint64_t at = 1; at <= 6; ++at) ASSERT_TRUE(ledger->append(facts(at, at), {at - 1}));
    }
    change(folder / "l", "UPDATE batches SET records = (SELECT records FROM batches WHERE first = 2), "
                         "crc = (SELECT crc FROM batches WHERE first = 2) WHERE first = 4");
    const auto verified = open(folder / "l")->verify();
    ASSERT_FALSE(verified);
    EXPECT_THAT(verified.error().text, HasSubstr("after position 3"));
}

TEST(ledger, says_what_a_file_is_that_is_no_ledger) {
    const Folder folder;
    berth::testing::write_text(folder / "l", std::string(8192, 'x'));
    const auto opened = SqliteLedger::open({folder / "l", 0});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::corrupt);
}

TEST(ledger, goes_through_text_and_back_unchanged) {
    const Folder folder;
    auto from = open(folder / "from");
    ASSERT_TRUE(from->append(facts(1, 25), {0}));
    std::stringstream text;
    ASSERT_TRUE(export_ledger(*from, {1}, text));
    auto to = open(folder / "to");
    const auto last = import_ledger(*to, text);
    ASSERT_TRUE(last) << last.error().text;
    EXPECT_EQ(to->id(), from->id());
    EXPECT_EQ(*to->read({1}, 100), facts(1, 25));
    EXPECT_EQ(state_hash(*replay(*to)), state_hash(*replay(*from)));
}

TEST(ledger, an_old_copy_goes_on_as_another_ledger_F16) {
    const Folder folder;
    const Instant now{Duration{1'800'000'000'000}};
    std::string id, text;
    {
        auto ledger = open(folder / "l");
        ASSERT_TRUE(ledger->append({{{1}, {1}, {}, TookOver{ledger->id(), "1"}, Reason{"a test", "test", "1"}, ""}}, {0}));
        ASSERT_TRUE(ledger->append(facts(2, 5), {1}));
        ASSERT_TRUE(ledger->save_snapshot(*replay(*ledger)));
        const auto before = ledger->id();
        const auto fact = recover_ledger(*ledger, now);
        ASSERT_TRUE(fact) << fact.error().text;
        id = ledger->id();
        EXPECT_NE(id, before);
        EXPECT_EQ(fact->position.value, 1'800'000'000'000U);
        ASSERT_TRUE(ledger->append({{{fact->position.value + 1}, {fact->position.value + 1}, {}, TookOver{id, "1"}, Reason{"a test", "test", "1"}, ""}},
                                   ledger->head()));
        std::ostringstream exported;
        ASSERT_TRUE(export_ledger(*ledger, {1}, exported));
        text = exported.str();
    }
    auto ledger = open(folder / "l");
    EXPECT_EQ(ledger->id(), id) << "also when it is opened again";
    EXPECT_TRUE(ledger->verify()) << "the chain goes through";
    const auto view = replay(*ledger);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->ledger, id);
    EXPECT_EQ(begin_of(view->term).value, 1'800'000'000'001U);
    EXPECT_EQ(recover_ledger(*ledger, Instant{})->position.value, 1'800'000'000'002U) << "a clock that went back does no harm";

    auto other = open(folder / "m");
    std::istringstream from(text);
    ASSERT_TRUE(import_ledger(*other, from));
    EXPECT_EQ(other->id(), id);
    EXPECT_TRUE(other->verify());
    EXPECT_EQ(other->read({1}, 100)->size(), 7U);

    EXPECT_FALSE(recover_ledger(*other, Instant{Duration{1LL << 44}})) << "terms would overflow";
    EXPECT_EQ(other->id(), id);

    auto empty = open(folder / "n");
    EXPECT_FALSE(recover_ledger(*empty, now));
}

TEST(ledger, an_import_that_has_a_bad_line_keeps_nothing) {
    const Folder folder;
    auto from = open(folder / "from");
    ASSERT_TRUE(from->append(facts(1, 3), {0}));
    std::stringstream text;
    ASSERT_TRUE(export_ledger(*from, {1}, text));
    std::stringstream bad(text.str() + "{\"position\":\"4\"}\n");
    auto to = open(folder / "to");
    const auto last = import_ledger(*to, bad);
    ASSERT_FALSE(last);
    EXPECT_THAT(last.error().text, HasSubstr("line 5"));
    EXPECT_EQ(to->head().value, 0U);
}

// F14: with the ballast gone there is room to go on, and the ledger says that it is low.
TEST(ledger, lives_through_a_full_disk_on_its_ballast) {
    const Folder folder;
    const auto disk = folder / "disk";
    std::filesystem::create_directories(disk);
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=8m") != 0) {
        GTEST_SKIP() << "SKIPPED: can not mount a small tmpfs here: " << std::strerror(errno);
    }
    std::uint64_t last = 0;
    {
        auto ledger = open(disk + "/l", 2 << 20);
        ASSERT_TRUE(std::filesystem::exists(disk + "/l.ballast"));
        bool dropped = false;
        while (last < 200'000) {
            const auto more = facts(last + 1, last + 200);
            if (!ledger->append(more, {last})) break;
            last += 200;
            if (!dropped && !std::filesystem::exists(disk + "/l.ballast")) {
                dropped = true;
                EXPECT_EQ(*ledger->tidy(), Storage::low);
            }
        }
        EXPECT_TRUE(dropped) << "the disk was full while the ballast stood";
        EXPECT_LT(last, 200'000U) << "a disk of 8 MiB never got full";
    }
    {
        auto ledger = open(disk + "/l", 0);
        EXPECT_EQ(ledger->head().value, last);
        EXPECT_EQ(ledger->verify()->value, last) << "every acknowledged fact is there";
    }
    ::umount2(disk.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace berth::allocator
