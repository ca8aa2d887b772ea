// SPDX-License-Identifier: Apache-2.0
#include "os/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "os/program.hpp"
#include "tests/support/folder.hpp"

namespace berth::os {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::Folder;

constexpr Duration patience{20'000};

TEST(Processes, are_known_by_pid_and_start_time) {
    const auto child = start_program({.arguments = {"/bin/sleep", "600"}});
    ASSERT_TRUE(child) << child.error().text;

    EXPECT_EQ(mark_of(child->pid), *child);
    EXPECT_TRUE(runs(*child));
    EXPECT_FALSE(runs({.pid = child->pid, .started = child->started + 1})) << "another process with that pid";
    EXPECT_EQ(facts_of(child->pid)->parent, ::getpid());
    EXPECT_EQ(program_of(child->pid), std::filesystem::canonical("/bin/sleep").filename());
    EXPECT_THAT(arguments_of(child->pid), ElementsAre("/bin/sleep", "600"));
    EXPECT_THAT(all_processes(), Contains(child->pid));

    send_signal({.pid = child->pid, .started = child->started + 1}, SIGKILL);
    EXPECT_TRUE(runs(*child)) << "it was meant for another";
    send_signal(*child, SIGTERM);
    EXPECT_EQ(wait_for(child->pid, patience).value(), 128 + SIGTERM);
    EXPECT_FALSE(runs(*child));
    EXPECT_FALSE(RunningProcess::find(child->pid));
}

TEST(Processes, are_found_by_their_pid_file) {
    Folder folder;
    const auto self = mark_of(::getpid()).value();
    testing::write_text(folder / "pid", fmt::format("{}\n", ::getpid()));
    testing::write_text(folder / "mark", fmt::format("{} {}\n", ::getpid(), self.started + 1));
    testing::write_text(folder / "init", "1\n");

    EXPECT_EQ(read_mark(folder / "pid"), self);
    EXPECT_FALSE(runs(read_mark(folder / "mark").value()));
    EXPECT_FALSE(read_mark(folder / "init"));
    EXPECT_FALSE(read_mark(folder / "absent"));
}

TEST(Processes, that_do_not_hear_SIGTERM_are_killed) {
    Folder folder;
    const auto child = start_program({.arguments = {"/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"},
                                      .output = folder / "out"});
    ASSERT_TRUE(child) << child.error().text;
    while (testing::read_text(folder / "out").empty()) ASSERT_TRUE(runs(*child));
    const auto process = RunningProcess::find(child->pid);
    ASSERT_TRUE(process);

    EXPECT_FALSE(process->ended_within(Duration{0}));
    EXPECT_TRUE(process->end(Duration{50}, patience));

    EXPECT_EQ(wait_for(child->pid, patience).value(), 128 + SIGKILL);
}

}  // namespace
}  // namespace berth::os
