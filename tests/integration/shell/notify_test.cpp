// SPDX-License-Identifier: Apache-2.0
// What a service manager hears, on a socket of the test's own: that a process serves, that its loop turns, that it ends.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "base/clock.hpp"
#include "base/ready_file.hpp"
#include "bus/zmq_loop.hpp"
#include "shell/watchdog.hpp"

namespace berth {
namespace {

class Manager {
public:
    enum class Kind { path, abstract };
    explicit Manager(Kind kind) {
        char folder[] = "/tmp/berth-notify-XXXXXX";
        folder_ = ::mkdtemp(folder);
        name_ = kind == Kind::path ? folder_ + "/socket" : "@" + folder_.substr(1);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name_.data(), name_.size());
        if (kind == Kind::abstract) address.sun_path[0] = '\0';
        socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const auto length = offsetof(sockaddr_un, sun_path) + name_.size() + (kind == Kind::path ? 1 : 0);
        bound_ = ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length)) == 0;
        ::setenv("NOTIFY_SOCKET", name_.c_str(), 1);
    }
    ~Manager() {
        for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "SYSTEMD_EXEC_PID"}) ::unsetenv(name);
        ::close(socket_);
        std::filesystem::remove_all(folder_);
    }
    bool bound() const { return bound_; }
    const std::string& folder() const { return folder_; }

    /// The next word; empty when none came in that time.
    std::string hear(int within_ms = 10'000) {
        pollfd one{socket_, POLLIN, 0};
        if (::poll(&one, 1, within_ms) != 1) return {};
        std::array<char, 256> text{};
        const auto got = ::recv(socket_, text.data(), text.size(), 0);
        return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
    }
    void hear_no_more_of_it() {
        while (!hear(0).empty()) {}
    }

private:
    std::string folder_, name_;
    int socket_ = -1;
    bool bound_ = false;
};

}  // namespace

TEST(ServiceManager, HearsThatAProcessServesByPathAndByAbstractName) {
    for (const auto kind : {Manager::Kind::path, Manager::Kind::abstract}) {
        Manager manager(kind);
        ASSERT_TRUE(manager.bound());
        const ReadyFile ready(manager.folder(), "part");
        EXPECT_EQ(manager.hear(0), "");
        ready.serves();
        EXPECT_EQ(manager.hear(), "READY=1");
        EXPECT_TRUE(std::filesystem::exists(manager.folder() + "/run/part.ready"));
    }
}

TEST(ServiceManager, HearsNothingThatWasMeantForAnother) {
    Manager manager(Manager::Kind::path);
    ::setenv("SYSTEMD_EXEC_PID", "1", 1);
    tell_service_manager("READY=1");
    EXPECT_EQ(manager.hear(0), "") << "a child of the service is no service";
    ::setenv("SYSTEMD_EXEC_PID", std::to_string(::getpid()).c_str(), 1);
    tell_service_manager("READY=1");
    EXPECT_EQ(manager.hear(0), "READY=1");
    for (const std::string name : {"", "relative", "/no/such/socket"}) {
        ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
        tell_service_manager("READY=1");
    }
    ::setenv("NOTIFY_SOCKET", ("/" + std::string(200, 'x')).c_str(), 1);
    tell_service_manager("READY=1");
    EXPECT_EQ(manager.hear(0), "");
}

TEST(ServiceManager, IsToldAsOftenAsItWants) {
    Manager manager(Manager::Kind::path);
    EXPECT_FALSE(watchdog_period());
    ::setenv("WATCHDOG_USEC", "60000000", 1);
    EXPECT_EQ(watchdog_period(), Duration{30'000});
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_FALSE(watchdog_period());
    ::unsetenv("WATCHDOG_PID");
    for (const char* nothing : {"0", "-1", "", "soon", "60s"}) {
        ::setenv("WATCHDOG_USEC", nothing, 1);
        EXPECT_FALSE(watchdog_period()) << nothing;
    }
}

TEST(ServiceManager, HearsOfNoLoopThatHangs) {
    Manager manager(Manager::Kind::path);
    ::setenv("WATCHDOG_USEC", "200000", 1);
    const RealClock clock;
    bus::ZmqLoop loop(clock);
    shell::keep_watchdog(loop);
    std::thread turning([&loop] { loop.run(); });
    EXPECT_EQ(manager.hear(), "WATCHDOG=1");
    EXPECT_EQ(manager.hear(), "WATCHDOG=1") << "and again";

    std::promise<void> hangs, go_on;
    loop.post([&] {
        hangs.set_value();
        go_on.get_future().wait();
    });
    hangs.get_future().wait();
    manager.hear_no_more_of_it();
    EXPECT_EQ(manager.hear(400), "") << "two whole times of what is waited for";
    go_on.set_value();
    EXPECT_EQ(manager.hear(), "WATCHDOG=1");
    loop.stop();
    turning.join();
}

}  // namespace berth
