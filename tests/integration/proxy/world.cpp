// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/proxy/world.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "base/rng.hpp"

extern char** environ;

namespace berth::proxy_tests {

namespace {

std::string text_of(const std::string& path) {
    std::ifstream file{path};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

ProxyTest::ProxyTest() {
    std::string form = (std::filesystem::temp_directory_path() / "berth-proxy-XXXXXX").string();
    dir = ::mkdtemp(form.data());
    auto opened = LocalKv::open(dir + "/kv");
    if (!opened) throw std::runtime_error(opened.error().text);
    kv_ = std::move(*opened);
}

ProxyTest::~ProxyTest() {
    if (pid_ > 0) {
        kill_proxy(SIGTERM);
        EXPECT_EQ(wait_for_end(), 0) << log();
    }
    const auto told = log();   // I30
    EXPECT_EQ(told.find(kv().secret()), std::string::npos);
    EXPECT_EQ(told.find("eyJ"), std::string::npos) << "a token stands in the log";
    EXPECT_EQ(told.find("\"level\":\"error\""), std::string::npos) << told;
    if (HasFailure()) std::fprintf(stderr, "%s", told.c_str());
    kv_.reset();
    std::filesystem::remove_all(dir);
}

std::string ProxyTest::log() const { return text_of(dir + "/proxy.log"); }

pid_t ProxyTest::spawn(const std::string& config) {
    std::ofstream{dir + "/berth.toml"} << "[proxy]\n" << config << "\n";
    std::filesystem::remove(dir + "/run/proxy.ready");
    const std::string program = BERTH_PROXY;
    std::vector<std::string> words{program, "--config", dir + "/berth.toml", "--state", dir, "--host-id", "h-1",
                                   "--log-level", "debug"};
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    // Freed memory that a sanitizer keeps aside is not the proxy's.
    const char* known = std::getenv("ASAN_OPTIONS");
    ::setenv("ASAN_OPTIONS", (std::string{known == nullptr ? "" : known} + ":quarantine_size_mb=1").c_str(), 1);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, (dir + "/proxy.log").c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
    pid_t pid = -1;
    const int code = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0) throw std::runtime_error("cannot start " + program);
    return pid;
}

void ProxyTest::start(const std::string& config) {
    pid_ = spawn(config);
    if (!eventually([this] { return std::filesystem::exists(dir + "/run/proxy.ready"); })) {
        throw std::runtime_error("the proxy does not serve: " + log());
    }
    port_ = static_cast<std::uint16_t>(std::stoi(text_of(dir + "/proxy.port")));
}

void ProxyTest::kill_proxy(int signal) const { ::kill(pid_, signal); }

int ProxyTest::wait_for_end() {
    int status = 0;
    const bool ended = eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
    if (!ended) {
        ADD_FAILURE() << "the proxy does not end: " << log();
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, &status, 0);
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::size_t ProxyTest::resident_bytes() const {
    std::ifstream file{"/proc/" + std::to_string(pid_) + "/statm"};
    std::size_t pages = 0;
    file >> pages >> pages;
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}
std::size_t ProxyTest::open_descriptors() const {
    const std::filesystem::directory_iterator all{"/proc/" + std::to_string(pid_) + "/fd"};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}
std::size_t ProxyTest::settled_descriptors() const {
    constexpr int looks = 40;
    std::size_t last = 0;
    int same = 0;
    EXPECT_TRUE(eventually([&] {
        const auto seen = open_descriptors();
        same = seen == last ? same + 1 : 0;
        last = seen;
        return same >= looks;
    }));
    return last;
}

bool ProxyTest::eventually(const std::function<bool()>& what, Duration wait) {
    const auto until = std::chrono::steady_clock::now() + wait;
    while (!what()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(Duration{5});
    }
    return true;
}

RouteRecord ProxyTest::route_of(const std::string& workspace) const {
    const bool first = workspace == "w-1";
    return {.workspace = {workspace},
            .user = {first ? "ada" : "bob"},
            .slot = first ? 0U : 1U,
            .epoch = Epoch{first ? 7U : 3U},
            .container = {first ? "c-1" : "c-2"},
            .port = first ? one.port() : two.port(),
            .confirmed_at = now()};
}
void ProxyTest::put(const RouteRecord& route) { ASSERT_TRUE(kv().apply({route})); }
void ProxyTest::give_routes() {
    put(route_of("w-1"));
    put(route_of("w-2"));
}

std::string ProxyTest::host(const std::string& workspace) const {
    return workspace + ".localhost:" + std::to_string(port_);
}
std::string ProxyTest::origin(const std::string& workspace) const { return "Origin: http://" + host(workspace); }

TokenClaims ProxyTest::claims(TokenPurpose purpose, const std::string& workspace) const {
    const auto route = route_of(workspace);
    return {.purpose = purpose,
            .host = {"h-1"},
            .workspace = route.workspace,
            .epoch = route.epoch,
            .user = route.user,
            .id = random_hex(8),
            .expires_at = now() + (purpose == TokenPurpose::link ? link_lifetime : session_lifetime)};
}

std::string ProxyTest::session_of_a_link() const {
    const auto link = token(claims(TokenPurpose::link, "w-1"));
    const auto set = visitor().ask(get(host("w-1"), "/_berth/open?token=" + link, "")).field("set-cookie");
    return set.substr(0, set.find(';'));
}

Visitor ProxyTest::websocket(const std::string& path) const {
    auto browser = visitor();
    browser.send(get(host("w-1"), path, cookie("w-1"),
                     {"Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", origin("w-1")}));
    const auto answer = browser.head();
    EXPECT_EQ(answer.status, 101) << answer.head;
    EXPECT_EQ(answer.field("upgrade"), "websocket");
    EXPECT_EQ(answer.field("sec-websocket-accept"), "x");
    return browser;
}

}  // namespace berth::proxy_tests
