// SPDX-License-Identifier: Apache-2.0
#include "os/program.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/folder.hpp"

namespace berth::os {
namespace {

using ::testing::HasSubstr;
using testing::Folder;
using testing::read_text;

constexpr Duration patience{20'000};

ProgramOrder shell(const std::string& script) { return {.arguments = {"/bin/sh", "-c", script}}; }

TEST(Programs, get_what_the_order_says_and_nothing_else) {
    Folder folder;
    const int leak = ::open("/dev/null", O_RDONLY);   // without O_CLOEXEC
    ::signal(SIGUSR1, SIG_IGN);
    auto order = shell("echo \"$GREETING $HOME\"; cat; echo err >&2; ls /proc/self/fd | wc -l; kill -USR1 $$; echo not reached");
    order.environment = {"GREETING=hello", "PATH=/usr/bin:/bin"};
    order.output = folder / "out";
    order.pid_file = folder / "pid";

    const auto child = start_program(order);

    ASSERT_TRUE(child) << child.error().text;
    EXPECT_EQ(read_mark(folder / "pid"), *child);
    EXPECT_EQ(wait_for(child->pid, patience).value(), 128 + SIGUSR1) << "no signal is ignored in it";
    EXPECT_EQ(read_text(folder / "out"), "hello \nerr\n4\n") << "stdin, stdout, stderr, and the folder that ls reads";
    ::signal(SIGUSR1, SIG_DFL);
    ::close(leak);
}

TEST(Programs, append_to_their_output_and_inherit_the_environment_when_none_is_said) {
    Folder folder;
    testing::write_text(folder / "out", "before\n");
    ::setenv("BERTH_OS_TEST", "inherited", 1);
    auto order = shell("echo $BERTH_OS_TEST");
    order.output = folder / "out";

    EXPECT_EQ(wait_for(start_program(order).value().pid, patience).value(), 0);

    ::unsetenv("BERTH_OS_TEST");
    EXPECT_EQ(read_text(folder / "out"), "before\ninherited\n");
}

TEST(Programs, take_descriptors_as_input_as_answers_and_by_number) {
    const int input = ::memfd_create("input", MFD_CLOEXEC), answers = ::memfd_create("answers", MFD_CLOEXEC);
    const int first = ::memfd_create("first", MFD_CLOEXEC), second = ::memfd_create("second", MFD_CLOEXEC);
    ASSERT_EQ(::pwrite(input, "rules\n", 6, 0), 6);
    auto order = shell("cat; echo one >&3; echo two >&4");
    order.input = input;
    order.answers = answers;
    order.passed = {second, first};

    EXPECT_EQ(wait_for(start_program(order).value().pid, patience).value(), 0);

    const auto text_of = [](int file) {
        std::string text(64, '\0');
        text.resize(static_cast<std::size_t>(::pread(file, text.data(), text.size(), 0)));
        ::close(file);
        return text;
    };
    EXPECT_EQ(text_of(answers), "rules\n");
    EXPECT_EQ(text_of(second), "one\n");
    EXPECT_EQ(text_of(first), "two\n");
    ::close(input);
}

TEST(Programs, lead_a_session_or_a_group) {
    auto order = shell("sleep 600");
    const auto session = start_program(order).value();
    order.leads = Leads::group;
    const auto group = start_program(order).value();

    EXPECT_EQ(::getsid(session.pid), session.pid);
    EXPECT_EQ(::getsid(group.pid), ::getsid(0));
    EXPECT_EQ(::getpgid(group.pid), group.pid);

    EXPECT_TRUE(end_child(session.pid, patience, patience));
    EXPECT_TRUE(end_child(group.pid, patience, patience));
    EXPECT_TRUE(end_child(group.pid, patience, patience)) << "it is ended";
    EXPECT_TRUE(has_ended(group.pid));
}

TEST(Programs, that_cannot_run_leave_nothing) {
    Folder folder;
    const auto absent = start_program({.arguments = {folder / "absent"}, .pid_file = folder / "pid"});
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().kind, ErrorKind::not_found);
    EXPECT_THAT(absent.error().text, HasSubstr("cannot run " + folder / "absent"));
    EXPECT_FALSE(std::filesystem::exists(folder / "pid"));

    testing::write_text(folder / "text", "no program");
    EXPECT_EQ(start_program({.arguments = {folder / "text"}}).error().kind, ErrorKind::denied);
    EXPECT_EQ(start_program({.arguments = {"/bin/true"}, .output = folder / "no/such"}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(start_program({.arguments = {"/bin/true"}, .pid_file = folder / "no/such"}).error().kind, ErrorKind::not_found);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
}

TEST(Programs, that_are_waited_for_too_long_are_killed) {
    const auto child = start_program(shell("sleep 600")).value();

    const auto status = wait_for(child.pid, Duration{10});

    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::timeout);
    EXPECT_FALSE(runs(child));
    EXPECT_EQ(wait_for(child.pid, Duration{10}).error().kind, ErrorKind::internal) << "no child any more";
}

TEST(Programs, die_with_the_one_that_started_them_when_the_order_says_so) {
    Folder folder;
    const auto parent = ::fork();
    if (parent == 0) {
        auto order = shell("sleep 600");
        order.when_parent_dies = SIGTERM;
        order.pid_file = folder / "pid";
        ::_exit(start_program(order) ? 0 : 1);
    }
    int status = 1;
    ::waitpid(parent, &status, 0);
    ASSERT_EQ(status, 0);

    const auto child = read_mark(folder / "pid");
    const auto process = child ? RunningProcess::find(child->pid) : std::nullopt;

    EXPECT_TRUE(!process || process->ended_within(patience));
}

TEST(Programs, are_found_on_the_path) {
    EXPECT_EQ(std::filesystem::canonical(program_on_path("sh")), std::filesystem::canonical("/bin/sh"));
    EXPECT_EQ(program_on_path("berth-no-such-program"), "");
    EXPECT_EQ(program_folder(), std::filesystem::read_symlink("/proc/self/exe").parent_path().string());
}

}  // namespace
}  // namespace berth::os
