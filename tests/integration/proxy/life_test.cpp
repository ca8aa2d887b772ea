// SPDX-License-Identifier: Apache-2.0
// How long things live: connections whose right ends, slow and greedy visitors, restarts, deaths of
// others, and what counts as use.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "base/exit.hpp"
#include "tests/integration/proxy/world.hpp"

extern char** environ;

namespace berth::proxy_tests {
namespace {

constexpr Duration cut_max{5'000};   // I25
constexpr Duration two_clocks{2};    // the proxy's and ours (base/clock.hpp)

/// Another process at the same memory; in the middle of writing when the constructor returns.
class OtherWriter {
public:
    OtherWriter(const std::string& dir, const std::string& how) {
        int ready[2] = {-1, -1};
        if (::pipe2(ready, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        std::vector<std::string> words{BERTH_PROXY_WRITER, dir + "/kv", how};
        std::vector<char*> arguments;
        for (auto& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ready[1], 1);
        const int code = ::posix_spawn(&pid_, BERTH_PROXY_WRITER, &actions, nullptr, arguments.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        ::close(ready[1]);
        char byte = 0;
        const bool writes = code == 0 && ::read(ready[0], &byte, 1) == 1;
        ::close(ready[0]);
        if (!writes) throw std::runtime_error("the other writer does not write");
    }
    ~OtherWriter() { kill(); }
    OtherWriter(const OtherWriter&) = delete;
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(std::exchange(pid_, -1), nullptr, 0);
    }

private:
    pid_t pid_ = -1;
};

class Life : public ProxyTest {
protected:
    std::string page(const std::string& path, const std::vector<std::string>& more = {}) const {
        return get(host("w-1"), path, cookie("w-1"), more);
    }
    /// A WebSocket, an event stream, a download and an upload of Ada's, all under way; her connection
    /// that is kept; and a WebSocket of Bob's.
    struct Scene {
        std::vector<Visitor> adas;
        std::vector<Visitor> bobs;
    };
    Scene everything_under_way() {
        Scene scene;
        scene.adas.push_back(websocket());
        scene.adas.push_back(visitor());
        scene.adas.back().send(page("/sse"));
        EXPECT_EQ(scene.adas.back().head().status, 200);
        scene.adas.push_back(visitor());
        scene.adas.back().send(page("/download?100000000"));
        EXPECT_EQ(scene.adas.back().head().status, 200);
        scene.adas.push_back(visitor());
        scene.adas.back().send(
            request("POST", host("w-1"), "/upload", cookie("w-1"), {origin("w-1"), "Content-Length: 1000"}) +
            "half");
        EXPECT_TRUE(eventually([&] { return one.heads().size() == 4; }));
        scene.bobs.push_back(visitor());
        scene.bobs.back().send(get(host("w-2"), "/ws", cookie("w-2"),
                                   {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                    "Sec-WebSocket-Key: a", origin("w-2")}));
        EXPECT_EQ(scene.bobs.back().head().status, 101);
        return scene;
    }
    /// All of Ada's end within the bound; Bob goes on.
    void expect_cut(Scene scene) {
        const auto until = std::chrono::steady_clock::now() + cut_max;
        for (auto& each : scene.adas) {
            EXPECT_TRUE(each.ends_within(
                std::chrono::duration_cast<Duration>(until - std::chrono::steady_clock::now())));
        }
        one.open_gate();
        EXPECT_TRUE(eventually([&] { return one.open_connections() == 0; }));
        const auto frame = masked_frame(0x82, "still here");
        scene.bobs.front().send(frame);
        EXPECT_EQ(scene.bobs.front().receive_exactly(frame.size()), frame);
    }
    std::optional<Instant> used(const std::string& workspace) const {
        const auto read = kv().activity({workspace});
        return read ? *read : std::nullopt;
    }
};

TEST_F(Life, AReleaseCutsWhatIsUnderWay) {
    start();
    give_routes();
    auto scene = everything_under_way();
    ASSERT_TRUE(kv().apply({DropRoute{{"w-1"}}}));
    expect_cut(std::move(scene));
}

TEST_F(Life, ANewEpochCutsWhatIsUnderWay) {
    start();
    give_routes();
    auto scene = everything_under_way();
    auto next = route_of("w-1");
    next.epoch = Epoch{8};
    put(next);
    expect_cut(std::move(scene));
}

TEST_F(Life, AnotherUserCutsWhatIsUnderWay) {
    start();
    give_routes();
    auto scene = everything_under_way();
    auto next = route_of("w-1");
    next.user = {"bob"};
    put(next);
    expect_cut(std::move(scene));
}

TEST_F(Life, AGrantThatNobodyConfirmsCutsWhatIsUnderWay) {
    start("grant_age_max = \"2s\"");
    give_routes();
    auto socket = websocket();
    EXPECT_TRUE(socket.ends_within(cut_max + Duration{2'000}));
}

TEST_F(Life, AReleasedWebSocketIsToldWhy) {
    start();
    give_routes();
    auto socket = websocket();
    ASSERT_TRUE(kv().apply({DropRoute{{"w-1"}}}));
    EXPECT_EQ(socket.receive_exactly(4), std::string("\x88\x02\x03\xf0", 4));   // 1008: no longer allowed
    EXPECT_TRUE(socket.ends_within(cut_max));
}

TEST_F(Life, ARestartKeepsThePortAndSaysSoToWebSockets) {
    start("drain_grace = \"4s\"");
    give_routes();
    auto socket = websocket();
    auto kept = visitor();
    EXPECT_EQ(kept.ask(page("/head")).status, 200);
    const auto port = port_;

    kill_proxy(SIGTERM);
    EXPECT_EQ(socket.receive_exactly(4), std::string("\x88\x02\x03\xf4", 4));   // 1012: comes back
    EXPECT_TRUE(kept.ends_within(Duration{3'500}));   // before the grace is over
    socket.send(masked_frame(0x88, "\x03\xf4"));
    EXPECT_TRUE(socket.ends_within(patience));
    EXPECT_EQ(wait_for_end(), 0);
    EXPECT_FALSE(std::filesystem::exists(dir + "/run/proxy.ready"));

    start();
    EXPECT_EQ(port_, port);
    EXPECT_EQ(visitor().ask(page("/head")).status, 200);   // sessions outlive the process
}

TEST_F(Life, WhatIsUnderWayHasAMomentToEndAtARestart) {
    start("drain_grace = \"5s\"");
    give_routes();
    auto ends = visitor();
    ends.send(page("/gate?3"));
    EXPECT_EQ(ends.head().status, 200);
    auto stays = websocket();   // does not end by itself

    kill_proxy(SIGTERM);
    EXPECT_TRUE(eventually([&] { return log().find("draining") != std::string::npos; }));
    one.open_gate();
    EXPECT_EQ(ends.receive_exactly(7), pattern(3) + "rest");
    EXPECT_EQ(wait_for_end(), 0);
    EXPECT_TRUE(stays.ends_within(patience));
}

TEST_F(Life, AKilledProxyLeavesNothingThatHindersTheNext) {
    start();
    give_routes();
    auto socket = websocket();
    const auto port = port_;
    kill_proxy(SIGKILL);
    EXPECT_EQ(wait_for_end(), 128 + SIGKILL);

    start();
    EXPECT_EQ(port_, port);
    EXPECT_EQ(visitor().ask(page("/head")).status, 200);
}

TEST_F(Life, ASecondProxyOfTheSameFolderEndsAtOnceAndHarmsNothing) {
    start();
    give_routes();
    const auto second = spawn("");
    int status = 0;
    EXPECT_TRUE(eventually([&] { return ::waitpid(second, &status, WNOHANG) == second; }));
    EXPECT_EQ(WEXITSTATUS(status), exit_number(ErrorKind::conflict));
    EXPECT_NE(log().find("another berth-proxy serves from"), std::string::npos);
    EXPECT_EQ(visitor().ask(page("/head")).status, 200);
}

TEST_F(Life, ItServesOnWhenTheAgentDiesInTheMiddleOfAWrite) {
    start();
    give_routes();
    for (int round = 0; round < 3; ++round) {
        OtherWriter agent(dir, "write");
        agent.kill();

        const auto link = token(claims(TokenPurpose::link, "w-1"));
        EXPECT_EQ(visitor().ask(get(host("w-1"), "/_berth/open?token=" + link, "")).status, 302);
        EXPECT_EQ(visitor().ask(get(host("w-1"), "/head", session_of_a_link())).status, 200);
        EXPECT_EQ(visitor().ask(page("/head")).status, 200);
    }
}

TEST_F(Life, ItServesWhileAnotherHoldsTheMemorysWriteLock) {
    start();
    give_routes();
    auto socket = websocket();
    OtherWriter agent(dir, "hold");

    auto opening = visitor();
    opening.send(get(host("w-1"), "/head", session_of_a_link()));
    const auto frame = masked_frame(0x82, "typed");
    for (int i = 0; i < 20; ++i) {
        socket.send(frame);
        EXPECT_EQ(socket.receive_exactly(frame.size()), frame);
        EXPECT_EQ(visitor().ask(page("/head")).status, 200);
    }
    agent.kill();
    EXPECT_EQ(opening.reply().status, 200);
}

TEST_F(Life, ItEndsInTimeAlsoWhileTheMemoryIsLocked) {
    start();
    give_routes();
    OtherWriter agent(dir, "hold");
    auto opening = visitor();
    opening.send(get(host("w-1"), "/head", session_of_a_link()));
    EXPECT_EQ(visitor().ask(page("/head")).status, 200);   // by now the link is being noted

    kill_proxy(SIGTERM);
    EXPECT_EQ(wait_for_end(), 1);
    EXPECT_TRUE(opening.ends_within(patience));
    agent.kill();
    start();
    EXPECT_EQ(visitor().ask(page("/head")).status, 200);
}

TEST_F(Life, UseIsWhatPeopleSend) {
    start();
    give_routes();
    auto socket = websocket();   // opening it is use
    EXPECT_TRUE(eventually([&] { return used("w-1").has_value(); }));
    const auto opened = *used("w-1");
    EXPECT_GE(now() - opened, -two_clocks);
    EXPECT_EQ(used("w-2"), std::nullopt);
    EXPECT_TRUE(eventually([&] { return now() - opened > Duration{1'100}; }));

    const std::vector<std::string> no_use{masked_frame(0x89, "ping"), masked_frame(0x8a, "pong"),
                                          masked_frame(0x81, "")};
    for (const auto& frame : no_use) {
        socket.send(frame);
        EXPECT_EQ(socket.receive_exactly(frame.size()), frame);
    }
    EXPECT_EQ(visitor().ask(page("/healthz")).status, 200);
    EXPECT_EQ(visitor().ask(page("/_berth/health")).status, 200);
    EXPECT_EQ(visitor().ask(get(host("w-1"), "/head", "")).status, 401);
    EXPECT_EQ(visitor().ask(get(host("w-1"), "/head", cookie("w-2"))).status, 401);
    const auto asked = now();
    EXPECT_TRUE(eventually([&] { return now() - asked > Duration{1'100}; }));
    EXPECT_EQ(*used("w-1"), opened);

    const auto frame = masked_frame(0x82, "key");
    socket.send(frame);
    EXPECT_EQ(socket.receive_exactly(frame.size()), frame);
    EXPECT_TRUE(eventually([&] { return *used("w-1") >= asked; }));
    const auto typed = *used("w-1");
    EXPECT_TRUE(eventually([&] { return now() > typed + two_clocks; }));

    auto upload = visitor();
    upload.send(request("POST", host("w-1"), "/upload", cookie("w-1"), {origin("w-1"), "Content-Length: 4"}) +
                "12");
    EXPECT_TRUE(eventually([&] { return *used("w-1") > typed; }));
}

TEST_F(Life, TheEditorsFramesAndRequestsThatFailAreNoUse_34) {
    start();
    give_routes();
    const auto windows = [&] {
        const auto seen = kv().editors({"w-1"});
        return seen && *seen ? (*seen)->windows : 99;
    };
    std::optional<Visitor> editor{visitor()};
    editor->send(get(host("w-1"), "/ws?reconnectionToken=1-2&reconnection=false", cookie("w-1"),
                    {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: a", origin("w-1")}));
    EXPECT_EQ(editor->head().status, 101);
    EXPECT_TRUE(eventually([&] { return windows() == 1; }));
    const auto frame = masked_frame(0x82, "an untouched tab sends this");
    editor->send(frame);
    EXPECT_EQ(editor->receive_exactly(frame.size()), frame);
    EXPECT_EQ(visitor().ask(get(host("w-1"), "/stable-1/static/out/code.js", cookie("w-1"))).status, 200);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(visitor().ask(get(host("w-1"), "/proxy/3999/", cookie("w-1"))).status, 500);
    EXPECT_EQ(used("w-1"), std::nullopt);

    EXPECT_EQ(visitor().ask(get(host("w-1"), "/proxy/3000/", cookie("w-1"))).status, 200);
    EXPECT_TRUE(eventually([&] { return used("w-1").has_value(); }));
    editor.reset();
    EXPECT_TRUE(eventually([&] { return windows() == 0; }));
}

TEST_F(Life, SlowHeadsAndSilentVisitorsAreEnded) {
    start("head_timeout = \"1s\"\nidle_timeout = \"2s\"\nbody_stall_max = \"1s\"");
    give_routes();
    auto silent = visitor();
    auto slow = visitor();
    auto trickle = visitor();
    auto stalled = visitor();
    slow.send("GET / HTTP/1.1\r\nHo");
    stalled.send(request("POST", host("w-1"), "/upload", cookie("w-1"), {origin("w-1"), "Content-Length: 10"}) +
                 "12");
    const auto began = std::chrono::steady_clock::now();
    trickle.send("GET / HTTP/1.1\r\nX: ");
    EXPECT_TRUE(eventually([&] { return !trickle.try_send("a"); }));
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
    EXPECT_TRUE(slow.ends_within(Duration{5'000}));
    EXPECT_TRUE(silent.ends_within(Duration{5'000}));
    EXPECT_TRUE(stalled.ends_within(Duration{5'000}));
    EXPECT_TRUE(eventually([&] { return one.uploads() == std::vector<std::string>{"cut"}; }));
    EXPECT_EQ(visitor().ask(page("/head")).status, 200);
}

TEST_F(Life, AHeadHasABound) {
    start("head_bytes_max = 8192");
    give_routes();
    EXPECT_EQ(visitor().ask(page("/head", {"X-Long: " + std::string(7'000, 'a')})).status, 200);
    EXPECT_EQ(visitor().ask(page("/head", {"X-Long: " + std::string(9'000, 'a')})).status, 431);
    EXPECT_EQ(visitor().ask("GET /" + std::string(20'000, 'a')).status, 431);
    EXPECT_EQ(
        visitor()
            .ask("GET /" + std::string(8'190 - 300, 'a') + " HTTP/1.1\r\nHost: " + host("w-1") + "\r\n\r\n")
            .status,
        401);
    std::vector<std::string> many;
    for (int i = 0; i < 120; ++i) many.push_back("X-" + std::to_string(i) + ": a");
    EXPECT_EQ(visitor().ask(page("/head", many)).status, 400);
}

TEST_F(Life, WhoWaitsLongestGivesWayWhenThereAreTooMany) {
    start("connections_max = 20");
    give_routes();
    auto socket = websocket();
    std::vector<Visitor> crowd;
    for (int i = 0; i < 60; ++i) crowd.push_back(visitor());

    EXPECT_EQ(visitor().ask(page("/head")).status, 200);
    EXPECT_TRUE(crowd.front().ends_within(patience));
    const auto frame = masked_frame(0x82, "still here");
    socket.send(frame);
    EXPECT_EQ(socket.receive_exactly(frame.size()), frame);
    EXPECT_LE(open_descriptors(), 20u + 1u + 30u);
}

TEST_F(Life, OneWorkspaceCannotTakeAllConnections) {
    start("connections_per_workspace_max = 3");
    give_routes();
    std::vector<Visitor> sockets;
    for (int i = 0; i < 3; ++i) sockets.push_back(websocket());

    const auto refused = visitor().ask(page("/head"));
    EXPECT_EQ(refused.status, 503);
    EXPECT_NE(refused.body.find("too_many"), std::string::npos);
    EXPECT_EQ(visitor().ask(get(host("w-2"), "/head", cookie("w-2"))).status, 200);
    sockets.pop_back();
    EXPECT_TRUE(eventually([&] { return visitor().ask(page("/head")).status == 200; }));
}

TEST_F(Life, NothingLeaksOverManyConnections) {
    start();
    give_routes();
    EXPECT_EQ(visitor().ask(page("/head")).status, 200);
    const auto before = settled_descriptors();
    one.open_gate();
    for (int i = 0; i < 100; ++i) {
        auto browser = visitor();
        browser.send(page(i % 4 == 0 ? "/download?1000000" : i % 4 == 1 ? "/head" : i % 4 == 2 ? "/sse" : "/ws"));
        if (i % 2 == 0) browser.head();
    }
    EXPECT_TRUE(eventually([&] { return open_descriptors() <= before; }));
}

}  // namespace
}  // namespace berth::proxy_tests
