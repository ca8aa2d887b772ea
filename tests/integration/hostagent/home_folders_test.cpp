// SPDX-License-Identifier: Apache-2.0
// Folders of homes as the agent handles them, what it makes of restic's words, and of a notice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "hostagent/end_notice.hpp"
#include "hostagent/home.hpp"
#include "hostagent/restic.hpp"
#include "tests/support/folder.hpp"

namespace berth::hostagent {
namespace {

using ::testing::HasSubstr;
namespace files = std::filesystem;
using berth::testing::Folder;
using berth::testing::read_text;
using berth::testing::write_text;

std::size_t beginning_with(const std::string& folder, const std::string& beginning) {
    std::size_t found = 0;
    for (const auto& entry : files::directory_iterator(folder)) found += entry.path().filename().string().starts_with(beginning) ? 1 : 0;
    return found;
}

TEST(home_folders, what_lies_in_the_way_of_a_restore_is_put_aside_and_never_under_it) {
    const Folder folder;
    const auto& homes = folder.path();
    files::create_directories(homes + "/w-1");
    write_text(homes + "/w-1/unsaved", "an afternoon");
    const auto draft = begin_home_draft(homes, {"w-1"});
    ASSERT_TRUE(draft);
    files::create_directories(*draft + "/w-1");
    write_text(*draft + "/w-1/notes", "archived");
    ASSERT_TRUE(finish_home_draft(homes, {"w-1"}, *draft));
    EXPECT_EQ(read_text(homes + "/w-1/notes"), "archived");
    EXPECT_FALSE(files::exists(homes + "/w-1/unsaved"));
    EXPECT_EQ(beginning_with(homes, ".aside-w-1."), 1U);
    EXPECT_EQ(beginning_with(homes, ".draft-"), 0U);

    files::create_directories(homes + "/.aside-w-1-2.77");        // of another workspace, whose name begins alike
    ASSERT_TRUE(drop_home(homes, {"w-1"}));
    EXPECT_FALSE(files::exists(homes + "/w-1"));
    EXPECT_EQ(beginning_with(homes, ".aside-w-1."), 1U) << "a copy that is archived goes, what was put aside stays";
    ASSERT_TRUE(erase_home(homes, {"w-1"}));
    EXPECT_EQ(beginning_with(homes, ".aside-w-1."), 0U);
    EXPECT_EQ(beginning_with(homes, ".aside-w-1-2."), 1U);
}

TEST(home_folders, a_draft_that_is_not_whole_is_no_home) {
    const Folder folder;
    const auto draft = begin_home_draft(folder.path(), {"w-1"});
    ASSERT_TRUE(draft);
    EXPECT_FALSE(finish_home_draft(folder.path(), {"w-1"}, *draft));
    EXPECT_FALSE(files::exists(folder.path() + "/w-1"));
    EXPECT_FALSE(begin_home_draft(folder.path(), {"../w"}));
    EXPECT_FALSE(drop_home(folder.path(), {"../w"}));
}

TEST(home_folders, hosts_that_share_a_folder_read_the_same_mark_and_others_do_not) {
    const Folder one;
    const Folder other;
    const auto mark = home_mark(one.path());
    ASSERT_TRUE(mark) << mark.error().text;
    EXPECT_EQ(home_mark(one.path()).value_or(""), *mark);
    EXPECT_NE(home_mark(other.path()).value_or(""), *mark);
    write_text(other.path() + "/.berth-homes", "");
    EXPECT_FALSE(home_mark(other.path()));
    EXPECT_FALSE(home_mark(other.path() + "/nothing"));
}

TEST(restic_words, each_becomes_one_line_that_says_what_to_do) {
    const HomeRule rule{.place = HomePlace::archive, .repository = "/srv/homes"};
    const struct {
        const char* name;
        std::string words;
        ErrorKind kind;
        std::string says;
    } rows[] = {
        {"password", "Fatal: wrong password or no key found\n", ErrorKind::denied, "another password than /etc/pw holds"},
        {"locked", "unable to create lock in backend: repository is already locked exclusively by PID 7 on nas by root\nlock was created at …", ErrorKind::conflict,
         "restic -r /srv/homes unlock"},
        {"full", "Fatal: unable to save snapshot: write /srv/homes/data/ab: no space left on device", ErrorKind::no_capacity, "is full"},
        {"full rest", "Fatal: server response unexpected: 507 Insufficient Storage", ErrorKind::no_capacity, "make room there"},
        {"absent", "Fatal: unable to open config file: stat /srv/homes/config: no such file or directory\nIs there a repository at the following location?\n/srv/homes\n",
         ErrorKind::not_found, "restic -r /srv/homes init"},
        {"not reached", "Fatal: unable to open config file: dial tcp 127.0.0.1:9: connect: connection refused\nIs there a repository at the following location?\n",
         ErrorKind::unavailable, "is not reached"},
        {"damaged", "Fatal: load <tree/ab>: ciphertext verification failed", ErrorKind::internal, "check says where"},
        {"forgotten", "Fatal: no matching ID found for prefix \"ab\"", ErrorKind::not_found, "does not have it"},
        {"silent", "", ErrorKind::internal, "it said nothing"}};
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        const auto error = restic_error(rule, "/etc/pw", row.words);
        EXPECT_EQ(error.kind, row.kind);
        EXPECT_THAT(error.text, HasSubstr(row.says));
        EXPECT_THAT(error.text, HasSubstr("/srv/homes"));
        EXPECT_EQ(error.text.find('\n'), std::string::npos);
    }
}

TEST(restic_words, without_a_password_it_is_said_where_it_belongs) {
    const Folder folder;
    Restic restic({.host = {"h-1"}, .state = folder.path(), .homes = folder.path(), .deadline = Duration{10'000}, .progress_every = Duration{100}});
    const auto checked = restic.check({.place = HomePlace::archive, .repository = folder.path() + "/none"});
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().kind, ErrorKind::denied);
    EXPECT_THAT(checked.error().text, HasSubstr(folder.path() + "/home-password"));
}

TEST(end_notice, its_first_line_may_be_a_time) {
    const auto timed = parse_end_notice("2026-11-27T22:00:00Z\nthe spot\tprice rose\n", "/f");
    EXPECT_EQ(to_rfc3339(timed.ends_at.value_or(Instant{})), "2026-11-27T22:00:00.000Z");
    EXPECT_EQ(timed.text, "the spot price rose");
    EXPECT_EQ(parse_end_notice("kernel\n", "/f").text, "kernel");
    EXPECT_FALSE(parse_end_notice("kernel\n", "/f").ends_at);
    EXPECT_THAT(parse_end_notice("", "/f").text, HasSubstr("/f"));
}

TEST(end_notice, req14_amazon_says_it_in_three_ways_and_the_most_certain_counts) {
    const std::string rebalance = R"({"noticeTime":"2026-11-27T21:00:00Z"})";
    EXPECT_FALSE(end_notice_of({}));
    EXPECT_FALSE(end_notice_of({.spot_action = "", .lifecycle = "InService", .rebalance = ""}));
    EXPECT_THAT(end_notice_of({.spot_action = "", .lifecycle = "InService", .rebalance = rebalance})->text, HasSubstr("rebalance"));
    EXPECT_THAT(end_notice_of({.spot_action = "", .lifecycle = "Terminated", .rebalance = rebalance})->text, HasSubstr("Auto Scaling group"));
    const auto spot = end_notice_of({.spot_action = R"({"action":"terminate","time":"2026-11-27T22:00:00Z"})", .lifecycle = "Terminated", .rebalance = rebalance});
    EXPECT_EQ(to_rfc3339(spot->ends_at.value_or(Instant{})), "2026-11-27T22:00:00.000Z");
    EXPECT_THAT(spot->text, HasSubstr("(terminate)"));
    EXPECT_FALSE(end_notice_of({.spot_action = "[5", .lifecycle = "", .rebalance = ""})->ends_at) << "there is one, whatever it says";
}

}  // namespace
}  // namespace berth::hostagent
