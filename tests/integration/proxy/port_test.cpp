// SPDX-License-Identifier: Apache-2.0
// A remembered port that another program has taken meanwhile (field report 24).
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/exit.hpp"
#include "tests/integration/proxy/world.hpp"

namespace berth::proxy_tests {
namespace {

/// Another program at a port.
class Squatter {
public:
    explicit Squatter(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const int on = 1;
        ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sits_ = ::bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 && ::listen(fd_, 1) == 0;
    }
    ~Squatter() { ::close(fd_); }
    Squatter(const Squatter&) = delete;
    bool sits() const { return sits_; }

private:
    int fd_;
    bool sits_ = false;
};

class Port : public ProxyTest {};

TEST_F(Port, OneThatIsTakenIsLeftForAnotherAndItsHolderIsNamed) {
    start();
    const auto first = port_;
    kill_proxy(SIGTERM);
    EXPECT_EQ(wait_for_end(), 0);
    std::uint16_t second = 0;
    {
        const Squatter squatter(first);
        ASSERT_TRUE(squatter.sits());
        start("port_patience = \"100ms\"");
        second = port_;
        EXPECT_NE(second, first);
        const auto told = "port " + std::to_string(first) + " is held by proxy_process_t (process " + std::to_string(::getpid()) + ")";
        EXPECT_NE(log().find(told), std::string::npos) << log();
        give_routes();
        EXPECT_EQ(visitor().ask(get(host("w-1"), "/head", cookie("w-1"))).status, 200);
        kill_proxy(SIGTERM);
        EXPECT_EQ(wait_for_end(), 0);
    }
    start();
    EXPECT_EQ(port_, second);   // what was published last
    EXPECT_EQ(visitor().ask(get(host("w-1"), "/head", cookie("w-1"))).status, 200);
}

TEST_F(Port, WhereItMayNotMoveItEndsAndSaysWhoHoldsIt) {
    const Container elsewhere;
    std::ofstream{dir + "/proxy.port"} << elsewhere.port() << "\n";
    const auto pid = spawn("port_patience = \"100ms\"\nport_moves = false");
    int status = 0;
    EXPECT_TRUE(eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }));
    EXPECT_EQ(WEXITSTATUS(status), exit_number(ErrorKind::unavailable));
    const auto told = log();
    EXPECT_NE(told.find("berth-proxy: port " + std::to_string(elsewhere.port()) + " is held by proxy_process_t (process "),
              std::string::npos) << told;
}

}  // namespace
}  // namespace berth::proxy_tests
