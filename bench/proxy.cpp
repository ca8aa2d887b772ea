// SPDX-License-Identifier: Apache-2.0
// The stage of benches c1 and c2: a trivial upstream, and the real berth-proxy before it with a memory that holds
// one route and a session for it. bench_http and bench_ws load it; nginx stands before the same upstream.
//
//   bench_proxy     says the ports, the fields of a request with its session, and pids; ends with its input
#include <array>
#include <filesystem>
#include <map>
#include <thread>

#include "base/clock.hpp"
#include "bench/plumbing/tcp.hpp"
#include "bench/plumbing/turns.hpp"
#include "hostkv/local_kv.hpp"
#include "hostkv/token.hpp"
#include "tests/support/child.hpp"
#include "tests/support/folder.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

/// Answers /<n>k with so many kilobytes, /auth with 204, an upgrade by sending back what comes. One thread.
class Upstream {
public:
    Upstream() {
        for (const std::size_t kilobytes : {1, 16}) {
            const auto size = kilobytes * 1'024;
            answers_["GET /" + std::to_string(kilobytes) + "k "] =
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'p');
        }
        answers_["GET /auth "] = "HTTP/1.1 204 No Content\r\n\r\n";
        watch(ready_, listener_.fd, static_cast<std::uint64_t>(listener_.fd));
        std::thread([this] { serve(); }).detach();   // until the process ends
    }
    std::uint16_t port() const { return listener_.port; }

private:
    void serve() {
        std::array<epoll_event, 64> events{};
        for (;;) {
            const int count = ::epoll_wait(ready_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < count; ++i) {
                const int fd = static_cast<int>(events[static_cast<std::size_t>(i)].data.u64);
                if (fd != listener_.fd) {
                    if (!answer(fd)) close(fd);
                    continue;
                }
                const int fresh = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
                if (fresh < 0) continue;
                no_delay(fresh);
                watch(ready_, fresh, static_cast<std::uint64_t>(fresh));
            }
        }
    }
    void close(int fd) {
        echoing_.erase(fd);
        ::close(fd);
    }
    bool answer(int fd) {
        const auto got = ::recv(fd, bytes_.data(), bytes_.size(), 0);
        if (got <= 0) return false;
        const std::string_view text{bytes_.data(), static_cast<std::size_t>(got)};
        try {
            if (echoing_.contains(fd)) {
                send_all(fd, text);
            } else if (text.starts_with("GET /ws")) {
                echoing_[fd] = true;
                send_all(fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n");
            } else {
                for (const auto& [begin, bytes] : answers_) {
                    if (text.starts_with(begin)) send_all(fd, bytes);
                }
            }
        } catch (const std::runtime_error&) {
            return false;
        }
        return true;
    }

    Listener listener_;
    int ready_ = ::epoll_create1(EPOLL_CLOEXEC);
    std::map<std::string, std::string> answers_;
    std::map<int, bool> echoing_;
    std::array<char, 262'144> bytes_{};
};

}  // namespace

int main() {
    const testing::Folder folder;
    Upstream upstream;
    const RealClock clock;
    const auto kv = LocalKv::open(folder / "kv");
    const RouteRecord route{.workspace = {"w-1"}, .user = {"ada"}, .epoch = Epoch{1}, .container = {"c-1"}, .port = upstream.port(),
                            .confirmed_at = clock.now()};
    if (!kv || !(*kv)->apply({route})) return 1;
    testing::write_text(folder / "berth.toml", "[proxy]\nconnections_max = 12000\nconnections_per_workspace_max = 12000\n");
    testing::Child proxy({std::string{BERTH_BIN_DIR} + "/berth-proxy", "--state", folder.path(), "--host-id", "h-1", "--config",
                          folder / "berth.toml", "--log-level", "warn"}, folder / "proxy.log");
    const auto serves = [&] { return !testing::read_text(folder / "proxy.port").empty() && std::filesystem::exists(folder / "run/proxy.ready"); };
    if (!testing::eventually([&] { return serves() || !proxy.alive(); }) || !proxy.alive()) {
        std::fprintf(stderr, "%s", testing::read_text(folder / "proxy.log").c_str());
        return 1;
    }
    const auto port = std::stoi(testing::read_text(folder / "proxy.port"));
    const auto host = "w-1.localhost:" + std::to_string(port);
    const TokenClaims session{.purpose = TokenPurpose::session, .host = {"h-1"}, .workspace = {"w-1"}, .epoch = Epoch{1}, .user = {"ada"},
                              .id = "bench", .expires_at = clock.now() + session_lifetime};
    const auto fields = "Host: " + host + "\r\nOrigin: http://" + host + "\r\nCookie: berth-w-1=" + mint_token(session, (*kv)->secret()) + "\r\n";
    serve_turns({{"ready", true}, {"port", port}, {"upstream", upstream.port()}, {"fields", fields}, {"pids", {{"proxy", proxy.pid()}}}}, {});
    return proxy.terminate() == 0 ? 0 : 1;
}
