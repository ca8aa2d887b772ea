// SPDX-License-Identifier: Apache-2.0
// The edges of `berth up` to this machine: folders, lock, ports, logs, processes.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "cli/up/processes.hpp"
#include "cli/up/say.hpp"
#include "cli/up/state.hpp"
#include "cli/up/supervisor.hpp"
#include "os/process.hpp"

namespace berth::cli {
namespace {

class Machine : public ::testing::Test {
protected:
    Machine() {
        std::string form = ::testing::TempDir() + "berth_machine_XXXXXX";
        folder_ = ::mkdtemp(form.data());
    }
    ~Machine() override { std::filesystem::remove_all(folder_); }
    std::string folder_;
};

mode_t mode_of(const std::string& path) {
    struct stat facts = {};
    return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777 : 0;
}

TEST_F(Machine, FoldersAreOursAlone) {
    const auto state = folder_ + "/new/state";
    ASSERT_TRUE(make_folders(state));
    for (const std::string below : {"", "/keys", "/run", "/log", "/hosts", "/homes"}) EXPECT_EQ(mode_of(state + below), 0700u);
    ::chmod((state + "/keys").c_str(), 0755);
    ASSERT_TRUE(make_folders(state));
    EXPECT_EQ(mode_of(state + "/keys"), 0700u);
}

TEST_F(Machine, AFileInTheWayIsNamed) {
    std::ofstream(folder_ + "/keys") << "x";
    const auto made = make_folders(folder_);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().text.find(folder_ + "/keys"), std::string::npos);
}

TEST_F(Machine, ALinkIsNotFollowed) {
    std::filesystem::create_directory(folder_ + "/elsewhere");
    std::filesystem::create_symlink(folder_ + "/elsewhere", folder_ + "/keys");
    EXPECT_FALSE(make_folders(folder_));
}

TEST_F(Machine, OneUpPerStateAtATime) {
    std::optional<os::Lock> first{std::move(*lock_state(folder_))};
    const auto second = lock_state(folder_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::conflict);
    EXPECT_NE(second.error().text.find(fmt::format("kill {}", ::getpid())), std::string::npos);
    first.reset();
    EXPECT_TRUE(lock_state(folder_));
}

TEST_F(Machine, APortInUseSaysWhatToDo) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(fd, 1), 0);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    const auto taken = check_port_is_free(ntohs(address.sin_port));
    ::close(fd);
    ASSERT_FALSE(taken);
    EXPECT_NE(taken.error().text.find("--port"), std::string::npos);
    EXPECT_TRUE(check_port_is_free(ntohs(address.sin_port)));
    EXPECT_TRUE(check_port_is_free(0));
}

TEST_F(Machine, LogsAreCutWhenTheyAreLong) {
    const auto path = folder_ + "/x.log";
    std::ofstream(path) << std::string(100, 'x');
    rotate_log(path, 200);
    EXPECT_EQ(std::filesystem::file_size(path), 100u);
    rotate_log(path, 50);
    EXPECT_EQ(std::filesystem::file_size(path), 0u);
    EXPECT_EQ(std::filesystem::file_size(path + ".1"), 100u);
    rotate_log(folder_ + "/none.log", 1);
}

TEST_F(Machine, LastLinesAreCleanAndFew) {
    const auto path = folder_ + "/x.log";
    std::ofstream(path) << "one\n\ntwo\n\033[31mthree\n";
    EXPECT_EQ(last_lines(path, 2), (std::vector<std::string>{"two", "\xEF\xBF\xBD[31mthree"}));
    EXPECT_TRUE(last_lines(folder_ + "/none", 2).empty());
}

TEST_F(Machine, APidThatAnotherProgramGotIsNotOurs) {
    std::ofstream(folder_ + "/x.pid") << ::getpid() << "\n";
    EXPECT_EQ(running_pid(folder_ + "/x.pid", "berth-broker"), std::nullopt);
    EXPECT_EQ(running_pid(folder_ + "/x.pid", os::program_of(::getpid())), ::getpid());
    std::ofstream(folder_ + "/x.pid") << "garbage";
    EXPECT_EQ(running_pid(folder_ + "/x.pid", "x"), std::nullopt);
    std::ofstream(folder_ + "/x.pid") << "1\n";
    EXPECT_EQ(running_pid(folder_ + "/x.pid", os::program_of(1)), std::nullopt);
    EXPECT_EQ(running_pid(folder_ + "/none.pid", "x"), std::nullopt);
}

TEST_F(Machine, StepsAreOneLine) {
    EXPECT_EQ(step_line(Duration{1'230}, "broker", "ready"), "   1.23s  broker      ready");
    EXPECT_EQ(step_line(Duration{0}, "x", "a\nb").find('\n'), std::string::npos);
}

}  // namespace
}  // namespace berth::cli
