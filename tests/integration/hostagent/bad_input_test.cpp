// SPDX-License-Identifier: Apache-2.0
// Wrong flags, wrong settings, engines that are not there, hang or never get healthy, and full disks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/exit.hpp"
#include "tests/integration/hostagent/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
namespace files = std::filesystem;

constexpr Duration patience{10'000};
constexpr int wrong = exit_number(ErrorKind::invalid);

/// Ends before it needs a broker.
struct Refused : ::testing::Test {
    int status_of(const std::string& config, const std::vector<std::string>& flags) {
        write_text(folder / "berth.toml", config);
        std::vector<std::string> words{std::string{BERTH_BIN_DIR} + "/berth-hostagent", "--config", folder / "berth.toml", "--state",
                                       folder / "h-1"};
        words.insert(words.end(), flags.begin(), flags.end());
        Child child(std::move(words), folder / "log");
        return child.wait(patience).value_or(-1);
    }
    std::string log() const { return read_text(folder / "log"); }
    Folder folder;
};

TEST_F(Refused, a_setting_that_does_not_exist_is_named) {
    EXPECT_EQ(status_of("[hostagent]\nregister_retyr = \"1s\"\n", {"--host-id", "h-1"}), wrong);
    EXPECT_THAT(log(), HasSubstr("register_retyr"));
    EXPECT_EQ(status_of("[docker]\nsokcet = \"/x\"\n", {"--host-id", "h-1"}), wrong);
    EXPECT_THAT(log(), HasSubstr("sokcet"));
}

TEST_F(Refused, a_setting_out_of_range_is_named) {
    EXPECT_EQ(status_of("[hostagent]\nport_first = 65000\nport_count = 8000\n", {"--host-id", "h-1"}), wrong);
    EXPECT_THAT(log(), HasSubstr("hostagent.port_first"));
    EXPECT_EQ(status_of("[hostagent]\nworkers = 0\n", {"--host-id", "h-1", "--bus", "b", "--keys", "k", "--homes", folder / "homes"}), wrong);
    EXPECT_THAT(log(), HasSubstr("hostagent.workers"));
}

TEST_F(Refused, flags_that_are_wrong_or_missing_are_named) {
    EXPECT_EQ(status_of("", {"--host-id", "../h-1"}), wrong);
    EXPECT_THAT(log(), HasSubstr("--host-id"));
    EXPECT_EQ(status_of("", {"--host-id", "h-1"}), wrong);
    EXPECT_THAT(log(), HasSubstr("--bus is missing"));
    const std::vector<std::string> whole{"--host-id", "h-1", "--bus", folder / "bus.toml", "--keys", folder / "keys", "--homes", folder / "homes"};
    auto flags = whole;
    flags.insert(flags.end(), {"--slots", "0"});
    EXPECT_EQ(status_of("", flags), wrong);
    EXPECT_THAT(log(), HasSubstr("--slots 0"));
    flags = whole;
    flags.insert(flags.end(), {"--engine", "podmann"});
    EXPECT_EQ(status_of("", flags), wrong);
    EXPECT_THAT(log(), HasSubstr("hostagent.engine is docker or process"));
    EXPECT_EQ(status_of("", whole), exit_number(ErrorKind::not_found));
    EXPECT_THAT(log(), HasSubstr("bus.toml"));
}

TEST_F(Refused, a_host_can_end_its_environments_though_it_never_had_any) {
    EXPECT_EQ(status_of("[hostagent]\nengine = \"process\"\n", {"--host-id", "h-1", "--end-environments"}), 0) << log();
}

TEST(hostagent_folder, has_one_agent_at_a_time) {
    Stage stage;
    Child second({std::string{BERTH_BIN_DIR} + "/berth-hostagent", "--config", stage.cluster.config(), "--state", stage.agent.folder(),
                  "--host-id", "h-1", "--end-environments"},
                 stage.cluster.state() + "/log/second.log");
    EXPECT_EQ(second.wait(patience), exit_number(ErrorKind::conflict));
    EXPECT_THAT(read_text(second.log()), HasSubstr("another berth-hostagent serves"));
    EXPECT_TRUE(stage.agent.process().alive());
}

TEST(hostagent_engine, that_is_not_there_is_said_and_waited_for) {
    Cluster cluster(fast_config("[docker]\nsocket = \"/nonexistent/docker.sock\"\n"));
    cluster.start("broker");
    Agent agent(cluster, "h-1", 2);
    agent.launch({"--engine", "docker"});
    ASSERT_TRUE(eventually([&] { return agent.log().find("engine.not_ready") != std::string::npos; })) << agent.log();
    EXPECT_THAT(agent.log(), HasSubstr("/nonexistent/docker.sock"));
    EXPECT_TRUE(agent.process().alive());
    EXPECT_EQ(agent.process().terminate(Duration{2'000}), 0) << agent.log();
}

TEST(hostagent_engine, that_hangs_is_given_up_at_its_deadline) {
    const Folder folder;
    const auto path = folder / "docker.sock";
    const int deaf = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);   // takes connections, never says a word
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(deaf, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(deaf, 8), 0);
    Cluster cluster(fast_config("[docker]\nsocket = \"" + path + "\"\ncall_deadline = \"300ms\"\n"));
    cluster.start("broker");
    Agent agent(cluster, "h-1", 2);
    agent.launch({"--engine", "docker"});
    ASSERT_TRUE(eventually([&] { return agent.log().find("did not answer GET /_ping within 300ms") != std::string::npos; })) << agent.log();
    EXPECT_EQ(agent.process().terminate(Duration{2'000}), 0) << agent.log();
    ::close(deaf);
}

TEST(hostagent_engine, whose_environments_never_get_healthy_says_so_and_leaves_nothing) {
    Stage stage("process_command = \"/bin/sleep 600\"\nprepare_deadline = \"300ms\"\n");
    const auto denied = stage.claim("k1", "ada", Duration{8'000});
    ASSERT_FALSE(denied && denied->state == ClaimState::granted);
    EXPECT_THAT(stage.agent.log(), HasSubstr("never became healthy"));
    ASSERT_TRUE(eventually([&] { return !stage.agent.environment(0) && !stage.agent.environment(1); })) << stage.agent.log();
}

TEST(hostagent_disk, that_is_full_ends_nobody_and_can_still_release) {
    // The folder of the host alone is a disk of its own.
    Cluster cluster(fast_config());
    const auto disk = cluster.state() + "/hosts/h-1";
    files::create_directories(disk);
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=4m") != 0) {
        GTEST_SKIP() << "SKIPPED: can not mount a small tmpfs here: " << std::strerror(errno);
    }
    {
        cluster.start("broker");
        ScriptedAllocator allocator(cluster);
        Agent agent(cluster, "h-1", 2);
        ASSERT_TRUE(agent.start()) << agent.log();
        allocator.orders.leases = {ScriptedAllocator::order(0, 1)};
        ASSERT_TRUE(allocator.tell_surely(BindCommand{{5}, ScriptedAllocator::order(0, 1)})) << agent.log();
        write_text(disk + "/filler", std::string(8 << 20, 'x'));
        ASSERT_EQ(files::space(disk).available, 0U);

        allocator.orders.leases = {ScriptedAllocator::order(0, 1), ScriptedAllocator::order(1, 1, "w-2")};
        const auto second = allocator.tell(BindCommand{{5}, ScriptedAllocator::order(1, 1, "w-2")});
        ASSERT_FALSE(second);
        EXPECT_THAT(second.error().text, HasSubstr("No space left"));
        EXPECT_TRUE(agent.process().alive()) << agent.log();
        EXPECT_TRUE(agent.environment(0)) << "who works goes on";
        EXPECT_TRUE(allocator.tell(StopCommand{{5}, 0, {1}, {"w-1"}})) << agent.log();
        EXPECT_FALSE(agent.environment(0));

        agent.process().kill();
        allocator.orders.leases = {ScriptedAllocator::order(1, 2, "w-2")};
        files::remove(disk + "/filler");
        ASSERT_TRUE(agent.start()) << agent.log();
        const auto third = allocator.tell_surely(BindCommand{{5}, ScriptedAllocator::order(1, 2, "w-2")});
        EXPECT_TRUE(third) << third.error().text << agent.log();
    }
    EXPECT_EQ(::umount2(disk.c_str(), MNT_DETACH), 0) << std::strerror(errno);
}

}  // namespace
}  // namespace berth::testing
