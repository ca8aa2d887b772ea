// SPDX-License-Identifier: Apache-2.0
// Promise: a claim on a warm slot takes milliseconds, and many at once share their disk writes. Real
// broker, real allocator, real SQLite with synchronous=FULL, CURVE on every hop; hosts answer at once.
// The raw limit in the same run: how often this disk commits one SQLite row (one claim needs four
// facts in order, so without group commit claims/s could not pass a quarter of that).
//
//   bench_claims [claims] [outstanding]
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "tests/integration/allocator/scripted_host.hpp"

namespace {

using namespace berth;
using namespace berth::testing;
using Steady = std::chrono::steady_clock;

double seconds_since(Steady::time_point begun) { return std::chrono::duration<double>(Steady::now() - begun).count(); }

double raw_commits_per_second(const std::string& path) {
    sqlite3* database = nullptr;
    sqlite3_open(path.c_str(), &database);
    sqlite3_exec(database, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                           "CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)", nullptr, nullptr, nullptr);
    const auto begun = Steady::now();
    int count = 0;
    for (; count < 2'000 && seconds_since(begun) < 5; ++count) {
        sqlite3_exec(database, "INSERT INTO t (b) VALUES (randomblob(800))", nullptr, nullptr, nullptr);
    }
    const double rate = count / seconds_since(begun);
    sqlite3_close(database);
    return rate;
}

class Host {
public:
    Host(Cluster& cluster, const std::string& name, std::uint32_t slots) : host_(cluster, name, slots) {
        if (const auto orders = host_.enrol(); !orders) std::fprintf(stderr, "%s\n", orders.error().text.c_str());
        thread_ = std::thread([this] { host_.peer().loop().run(); });
    }
    ~Host() {
        host_.peer().loop().stop();
        thread_.join();
    }

private:
    ScriptedHost host_;
    std::thread thread_;
};

struct Run {
    std::size_t claims;
    std::size_t outstanding;
    std::size_t begun = 0, ended = 0, failed = 0;
    std::vector<double> ms;
};

void next_claim(TestPeer& robot, Run& run) {
    if (run.begun >= run.claims) return;
    const auto number = run.begun++;
    const auto at = Steady::now();
    robot.endpoint().request<ClaimRequest>(
        {.key = {fmt::format("k{}", number)}, .user = {fmt::format("u{}", number)}, .project = {"p"}}, Duration{60'000},
        [&, at](Result<ClaimReply> reply) {
            run.ms.push_back(seconds_since(at) * 1e3);
            if (!reply || reply->state != ClaimState::granted) {
                ++run.failed;
                ++run.ended;
                return next_claim(robot, run);
            }
            robot.endpoint().request<ReleaseRequest>({.target = {reply->workspace}, .why = "bench"}, Duration{60'000},
                                                     [&](Result<Done>) {
                                                         ++run.ended;
                                                         next_claim(robot, run);
                                                     });
        });
}

void measure(Cluster& cluster, const char* name, std::size_t claims, std::size_t outstanding, double raw) {
    TestPeer robot(cluster, name, Role::client);
    Run run{claims, outstanding};
    const auto begun = Steady::now();
    for (std::size_t i = 0; i < outstanding; ++i) next_claim(robot, run);
    robot.until([&] { return run.ended == claims; }, Duration{300'000});
    const double seconds = seconds_since(begun);
    std::sort(run.ms.begin(), run.ms.end());
    const auto at = [&](double share) { return run.ms.empty() ? 0 : run.ms[static_cast<std::size_t>(share * static_cast<double>(run.ms.size() - 1))]; };
    std::printf("%4zu outstanding: %6.0f claim+release/s, claim p50 %.2f ms, p99 %.2f ms, max %.2f ms, %zu failed; "
                "%.2f durable claims per raw commit\n",
                outstanding, static_cast<double>(claims) / seconds, at(0.5), at(0.99), at(1), run.failed,
                static_cast<double>(claims) / seconds / raw);
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t claims = argc > 1 ? std::stoul(argv[1]) : 4'000;
    const std::size_t outstanding = argc > 2 ? std::stoul(argv[2]) : 256;
    Cluster cluster("[pool.default]\nslots_per_host = 200\n");
    const double raw = raw_commits_per_second(cluster.state() + "/raw.sqlite");
    std::printf("raw: %.0f SQLite commits/s (WAL, synchronous=FULL), one row each\n", raw);
    cluster.start("broker");
    cluster.start("allocator", {"--log-level", "warn"});
    for (const auto* name : {"one", "eight", "many"}) cluster.mint(name, Role::client);
    Host a(cluster, "h-1", 200), b(cluster, "h-2", 200);
    measure(cluster, "one", claims / 8, 1, raw);
    measure(cluster, "eight", claims / 2, 8, raw);
    measure(cluster, "many", claims, outstanding, raw);
}
