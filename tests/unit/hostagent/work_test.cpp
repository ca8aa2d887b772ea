// SPDX-License-Identifier: Apache-2.0
// What counts as work of a container's user, by what /proc shows of its processes.
#include "hostagent/engines/memory_kills.hpp"
#include "hostagent/engines/work.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace berth {
namespace {

using Words = std::vector<std::string>;
constexpr std::uint64_t second_ns = 1'000'000'000;

RunningProcess process(pid_t pid, Words words, std::uint64_t cpu_ns = 0) {
    const auto name = words.front().substr(words.front().rfind('/') + 1);
    return {.pid = pid, .group = pid, .session = pid, .started_ticks = 1, .cpu_ns = cpu_ns, .name = name, .words = std::move(words)};
}
/// One that has a terminal; `foreground` is the group that is in its front.
RunningProcess at_terminal(pid_t pid, pid_t session, pid_t foreground, Words words, std::uint64_t started_ticks = 1) {
    auto one = process(pid, std::move(words));
    one.session = session;
    one.terminal = 34816 + session;
    one.foreground = foreground;
    one.started_ticks = started_ticks;
    return one;
}

const Words server{"/usr/local/bin/node", "/opt/code-server/node_modules/code-server/out/node/entry.js", "--auth", "none"};
const Words extensions{"/usr/local/bin/node", "--dns-result-order=ipv4first", "/opt/code-server/node_modules/code-server/lib/vscode/out/bootstrap-fork", "--type=extensionHost"};
const Words shell{"/bin/bash", "--init-file", "/opt/code-server/lib/vscode/out/vs/workbench/contrib/terminal/common/scripts/shellIntegration-bash.sh"};

struct Work : ::testing::Test {
    Usage look(std::vector<RunningProcess> processes) {
        return counter.add({.processes = std::move(processes), .looked_at = Instant{Duration{1'000'000}}, .booted_at = Instant{}});
    }
    WorkCounter counter;
};

TEST_F(Work, TheEditorsServerIsNobodysWork) {
    const auto before = look({process(1, server, 5 * second_ns), process(20, extensions, second_ns), process(30, {"/usr/bin/tsc"})});
    const auto after = look({process(1, server, 90 * second_ns), process(20, extensions, 70 * second_ns), process(30, {"/usr/bin/tsc"}, 3 * second_ns)});
    EXPECT_EQ(after.cpu_ns - before.cpu_ns, 3 * second_ns) << "a compiler that an extension started is";
}

TEST_F(Work, ANewProcessCountsWholeAndOneThatEndedTakesNothingAway) {
    const auto before = look({process(30, {"make"}, 7 * second_ns)});
    const auto grown = look({process(30, {"make"}, 7 * second_ns), process(31, {"cc1plus"}, 2 * second_ns)});
    EXPECT_EQ(grown.cpu_ns - before.cpu_ns, 2 * second_ns);
    EXPECT_EQ(look({}).cpu_ns, grown.cpu_ns);
    auto again = process(30, {"make"}, second_ns);
    again.started_ticks = 99;
    EXPECT_EQ(look({again}).cpu_ns - grown.cpu_ns, second_ns) << "the number was given again";
}

TEST_F(Work, WhatATerminalRunsInTheForegroundIsAJob_25) {
    EXPECT_TRUE(look({at_terminal(40, 40, 40, shell)}).jobs.empty()) << "a prompt is none";
    const auto jobs = look({at_terminal(40, 40, 50, shell), at_terminal(50, 40, 50, {"sleep", "3600"}, 500)}).jobs;
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_EQ(jobs[0], (Job{"sleep 3600", Instant{Duration{5'000}}}));
    EXPECT_TRUE(look({at_terminal(40, 40, 40, shell), at_terminal(50, 40, 40, {"sleep", "3600"})}).jobs.empty()) << "one in the background is none";
    EXPECT_EQ(look({at_terminal(60, 60, 60, {"/bin/bash", "-c", "make -j8"})}).jobs.at(0).command, "/bin/bash -c make -j8") << "a task has no prompt";
    EXPECT_EQ(look({at_terminal(40, 40, 61, shell), at_terminal(61, 40, 61, {"bash", "build.sh"})}).jobs.size(), 1U);
    EXPECT_TRUE(look({at_terminal(40, 40, 61, shell), at_terminal(61, 40, 61, {"bash", "-l"})}).jobs.empty()) << "a shell in a shell";
}

TEST_F(Work, ALoopOfShortCommandsIsOneJobSinceItsFirst) {
    const auto loop = [&](pid_t pid, std::uint64_t ticks) {
        return look({at_terminal(40, 40, pid, shell), at_terminal(pid, 40, pid, {"sleep", "20"}, ticks)}).jobs.at(0).since;
    };
    EXPECT_EQ(loop(50, 1'000), Instant{Duration{10'000}});
    EXPECT_EQ(loop(51, 3'000), Instant{Duration{10'000}});
    look({at_terminal(40, 40, 40, shell)});
    EXPECT_EQ(loop(52, 9'000), Instant{Duration{90'000}});
}

TEST(WorkLook, OwnNamespaceIsNoContainer) {
    EXPECT_EQ(look_at_work(::getpid()).error().kind, ErrorKind::unavailable);
}

TEST(MemoryKills, AreReadFromTheKernelsLogByContainer_FieldReport19) {
    const std::string id(64, 'a');
    const auto record = [&](int at, const std::string& cgroup, const std::string& task) {
        return fmt::format("6,123,{},-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={},task_memcg={},task={},pid=15174,uid=0\n",
                           at, cgroup, cgroup, task);
    };
    EXPECT_FALSE(read_kill("6,1,2,-;eth0: link up\n"));
    EXPECT_FALSE(read_kill("6,1"));
    EXPECT_FALSE(read_kill("6,1,x,-;oom-kill:task_memcg=/a,task=b"));
    const auto first = read_kill(record(1'000'000, "/docker/" + id, "python3"));
    ASSERT_TRUE(first);
    EXPECT_EQ(*first, (MemoryKill{"/docker/" + id, "python3", 1'000'000}));
    MemoryKills kills;
    EXPECT_EQ(kills.of(id), nullptr);
    kills.add(*first, Instant{});
    kills.add(*read_kill(record(3'000'000, "/docker/" + id, "node")), Instant{});
    kills.add(*read_kill(record(4'000'000, "/docker/other", "gcc")), Instant{});
    ASSERT_NE(kills.of(id), nullptr);
    EXPECT_EQ(kills.of(id)->count, 2U);
    EXPECT_EQ(kills.of(id)->program, "node");
    EXPECT_EQ(kills.of(id)->at, Instant{Duration{3'000}});
    EXPECT_EQ(kills.of(""), nullptr);
}

}  // namespace
}  // namespace berth
