// SPDX-License-Identifier: Apache-2.0
// The embedded ledger on real files, and the suite that every ledger passes on it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "allocator/ledger/sqlite/store.hpp"
#include "tests/integration/allocator/ledger_suite.hpp"
#include "tests/support/folder.hpp"

namespace berth::allocator {
namespace {

using ::testing::HasSubstr;
using berth::testing::Folder;

std::unique_ptr<Ledger> open(const std::string& path, std::uint64_t ballast = 0) {
    auto store = SqliteStore::open({path, ballast});
    if (!store) throw std::runtime_error(store.error().text);
    auto ledger = StoredLedger::open(std::move(*store));
    if (!ledger) throw std::runtime_error(ledger.error().text);
    return std::move(*ledger);
}

class SqlitePlace final : public StorePlace {
public:
    Result<std::unique_ptr<Store>> open_store() override { return SqliteStore::open({folder_ / "l", 0}); }
    void damage_row(Position first) override { change(fmt::format("UPDATE batches SET records = x'90' WHERE first = {}", first.value)); }
    void take_row_away(Position first) override { change(fmt::format("DELETE FROM batches WHERE first = {}", first.value)); }
    bool rewrite_row(Position first, Position as) override {
        change(fmt::format("UPDATE batches SET records = (SELECT records FROM batches WHERE first = {1}), "
                           "crc = (SELECT crc FROM batches WHERE first = {1}) WHERE first = {0}", first.value, as.value));
        return true;
    }

private:
    void change(const std::string& sql) {
        sqlite3* database = nullptr;
        ASSERT_EQ(sqlite3_open((folder_ / "l").c_str(), &database), SQLITE_OK);
        ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
        sqlite3_close(database);
    }
    Folder folder_;
};
INSTANTIATE_TEST_SUITE_P(Sqlite, LedgerSuite, ::testing::Values(PlaceMaker{"file", [] { return std::make_unique<SqlitePlace>(); }}), name_of_place);

TEST(ledger, says_who_else_has_it_I4) {
    const Folder folder;
    auto ledger = open(folder / "l");
    const auto second = SqliteStore::open({folder / "l", 0});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::conflict);
    EXPECT_THAT(second.error().text, HasSubstr("in use by another allocator"));
}

TEST(ledger, says_what_a_file_is_that_is_no_ledger) {
    const Folder folder;
    berth::testing::write_text(folder / "l", std::string(8192, 'x'));
    const auto opened = SqliteStore::open({folder / "l", 0});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::corrupt);
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
            const auto more = facts_at(last + 1, last + 200);
            if (!append_now(*ledger, more, {last})) break;
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
