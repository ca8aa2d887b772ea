// SPDX-License-Identifier: Apache-2.0
#include "os/files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tests/support/folder.hpp"

namespace berth::os {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Folder;
using testing::read_text;

std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename().string());
    return names;
}

unsigned mode_of(const std::string& path) {
    struct stat facts = {};
    return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777 : 0;
}

TEST(Files, are_written_whole_with_their_mode_and_leave_nothing_beside) {
    Folder folder;
    const auto old_mask = ::umask(0022);

    ASSERT_TRUE(write_file(folder / "a file", "one"));
    EXPECT_EQ(mode_of(folder / "a file"), 0600U);
    ASSERT_TRUE(write_file(folder / "a file", "two", mode_of_notices));
    EXPECT_EQ(mode_of(folder / "a file"), 0644U);
    ::umask(0077);
    ASSERT_TRUE(write_file(folder / "a file", "three", mode_of_notices));
    EXPECT_EQ(mode_of(folder / "a file"), 0600U) << "less the umask";

    ::umask(old_mask);
    EXPECT_EQ(read_file(folder / "a file").value(), "three");
    EXPECT_THAT(names_in(folder.path()), ElementsAre("a file"));
}

TEST(Files, replace_a_link_and_not_what_it_leads_to) {
    Folder folder;
    testing::write_text(folder / "other", "mine");
    std::filesystem::create_symlink(folder / "other", folder / "link");

    ASSERT_TRUE(write_file(folder / "link", "ours"));

    EXPECT_EQ(read_text(folder / "other"), "mine");
    EXPECT_EQ(read_text(folder / "link"), "ours");
}

TEST(Files, are_one_writers_or_the_others_when_many_write) {
    Folder folder;
    std::vector<std::thread> writers;
    for (char c = 'a'; c < 'e'; ++c) {
        writers.emplace_back([&, c] {
            for (int i = 0; i < 20; ++i) EXPECT_TRUE(write_file(folder / "shared", std::string(50'000, c)));
        });
    }
    for (auto& writer : writers) writer.join();

    const auto text = read_file(folder / "shared").value();
    EXPECT_EQ(text, std::string(50'000, text[0]));
    EXPECT_THAT(names_in(folder.path()), ElementsAre("shared"));
}

TEST(Files, are_read_within_their_bound) {
    Folder folder;
    testing::write_text(folder / "long", std::string(100, 'x'));

    EXPECT_EQ(read_file(folder / "long", 100).value().size(), 100U);
    const auto over = read_file(folder / "long", 99);
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error().kind, ErrorKind::limit);
    EXPECT_GT(read_file("/proc/self/mountinfo").value().size(), 0U) << "its size is 0 until it is read";
}

TEST(Files, say_what_is_wrong_by_their_kind) {
    Folder folder;
    const auto absent = read_file(folder / "absent");
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().kind, ErrorKind::not_found);
    EXPECT_THAT(absent.error().text, HasSubstr(folder / "absent: No such file"));
    EXPECT_EQ(write_file(folder / "no/such", "x").error().kind, ErrorKind::not_found);
    EXPECT_EQ(write_file("/proc/berth", "x").error().kind, ErrorKind::not_found);
    EXPECT_TRUE(remove_file(folder / "absent"));
    EXPECT_EQ(kind_of_errno(ENOSPC), ErrorKind::no_capacity);
    EXPECT_EQ(kind_of_errno(EACCES), ErrorKind::denied);
    EXPECT_EQ(write_file("/dev/full/x", "x").error().kind, ErrorKind::not_found) << "no folder";
    EXPECT_EQ(free_bytes(folder / "absent"), 0U);
    EXPECT_GT(free_bytes(folder.path()), 0U);
}

}  // namespace
}  // namespace berth::os
