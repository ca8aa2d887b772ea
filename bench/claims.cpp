// SPDX-License-Identifier: Apache-2.0
// Promise: a claim on a warm slot takes milliseconds, and many at once share their disk writes. Real
// broker, real allocator, real SQLite with synchronous=FULL, CURVE on every hop; hosts answer at once.
// One cycle is: claim (with a key of its own) → granted, with its link → release, acknowledged; all
// durable before their replies.
//
//   bench_claims [claims] [outstanding]     by hand: 1, 8 and many outstanding on two hosts, beside how often
//                                           this disk commits one SQLite row
//   bench_claims --turns [options]          a load of script/bench a1, a1b and a2:
//     --agents N --slots N                  hosts with the endpoint that ships (more come from bench_fleet)
//     --config TEXT                         TOML for broker and allocator
//     --preload FILE                        LD_PRELOAD of the allocator (a slow disk)
//     {"do": "closed", "outstanding": N, "seconds": S}      so many at a time
//     {"do": "open", "per_second": R, "seconds": S}         Poisson; a time counts from when it should have begun
//     {"do": "fill", "count": N, "ttl_ms": T}               so many leases, none released
//     {"do": "extend", "share": X, "ttl_ms": T}             that share of them
//     {"do": "hear", "name": FACT, "count": N, "seconds": S, "per_second": R}    waits for so many of these facts, while
//                                                           claims go on at R a second
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>
#include <thread>

#include "bench/plumbing/poisson.hpp"
#include "bench/plumbing/turns.hpp"
#include "tests/integration/allocator/scripted_host.hpp"

namespace {

using namespace berth;
using namespace berth::testing;
using namespace berth::bench;

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
    enum class Slots { empty, standbys };
    Host(Cluster& cluster, const std::string& name, std::uint32_t slots, Slots are = Slots::empty) : host_(cluster, name, slots) {
        if (are == Slots::standbys) host_.prepare();
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

// ---- turns of script/bench

struct Options {
    std::uint32_t agents = 20, slots = 20;
    std::string config, preload;
};

Options read_options(int argc, char** argv) {
    Options options;
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--agents") options.agents = static_cast<std::uint32_t>(std::stoul(argv[i + 1]));
        else if (name == "--slots") options.slots = static_cast<std::uint32_t>(std::stoul(argv[i + 1]));
        else if (name == "--config") options.config = argv[i + 1];
        else if (name == "--preload") options.preload = argv[i + 1];
        else throw std::runtime_error("bench_claims does not know " + std::string{name});
    }
    return options;
}

/// Cycles on one connection; ends when all that were begun are over.
class Cycles {
public:
    explicit Cycles(TestPeer& robot) : robot_(robot) {}

    Json closed(std::size_t outstanding, double seconds) {
        const auto begun = reset();
        end_ = begun + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(seconds));
        for (std::size_t i = 0; i < outstanding; ++i) begin(Steady::now());
        robot_.loop().run();
        return figures(begun);
    }

    Json open(double per_second, double seconds) {
        const auto begun = reset();
        end_ = begun;                                  // none follows another
        Poisson arrivals(per_second, seconds);
        arriving_ = true;
        robot_.loop().watch(arrivals.fd(), [&] {
            arrivals.due([&](Steady::time_point at) {
                if (begun_ - ended_ >= waiting_max) ++dropped_; else begin(at);
            });
            arriving_ = !arrivals.over();
            stop_when_over();
        });
        robot_.loop().run();
        robot_.loop().unwatch(arrivals.fd());
        return figures(begun);
    }

    Json fill(std::size_t count, Duration ttl) {
        const auto begun = reset();
        end_ = begun;
        std::size_t asked = 0;
        const std::function<void()> next = [&] {
            if (asked >= count) return;
            ++begun_;
            const auto number = ++asked;
            robot_.endpoint().request<ClaimRequest>(
                {.key = {fmt::format("f{}", number)}, .user = {fmt::format("f{}", number)}, .project = {"p"}, .ttl_ms = ttl}, Duration{60'000},
                [&, at = Steady::now()](const Result<ClaimReply>& reply) {
                    claims_->add(Steady::now() - at);
                    ++ended_;
                    failed_ += reply ? 0 : 1;
                    if (reply) expires_[reply->workspace] = reply->lease_expires_at; else error_ = reply.error().text;
                    next();
                    stop_when_over();
                });
        };
        for (int i = 0; i < 256; ++i) next();
        robot_.loop().run();
        return figures(begun);
    }
    Json extend(double share, Duration ttl) {
        const auto begun = reset();
        end_ = begun;
        auto at = expires_.begin();
        const auto until = static_cast<std::size_t>(share * static_cast<double>(expires_.size()));
        std::size_t asked = 0;
        const std::function<void()> next = [&] {
            if (asked++ >= until) return;
            ++begun_;
            auto& [workspace, expires] = *at++;
            expires = robot_.loop().now() + ttl;
            robot_.endpoint().request<ExtendRequest>({.target = {workspace}, .expires_at = expires}, Duration{60'000}, [&](const Result<Done>& done) {
                ++ended_;
                failed_ += done ? 0 : 1;
                if (!done) error_ = done.error().text;
                next();
                stop_when_over();
            });
        };
        for (int i = 0; i < 256; ++i) next();
        if (begun_ > 0) robot_.loop().run();
        return figures(begun);
    }
    Json hear(const std::string& name, std::size_t count, double seconds, double per_second) {
        if (hears_.insert(name).second) {
            robot_.endpoint().subscribe(name, [this, name](const bus::Delivery& delivery) {
                if (name != event_name<WorkspaceStopping>) {
                    ++heard_[name];
                } else if (const auto stopped = delivery.as<WorkspaceStopping>(); stopped && expires_.contains(stopped->workspace)) {
                    ++heard_[name];                      // not of a cycle's release
                    late_->add(std::max(Duration{0}, delivery.envelope.time - expires_.at(stopped->workspace)));
                }
            });
        }
        heard_[name] = 0;
        late_ = std::make_unique<Histogram>();
        const auto begun = Steady::now();
        Json beside;
        while (heard_[name] < count && seconds_since(begun) < seconds) {
            if (per_second > 0) beside = open(per_second, std::min(1.0, seconds));
            else robot_.until([&] { return heard_[name] >= count; }, Duration{500});
        }
        return {{"count", heard_[name]}, {"seconds", seconds_since(begun)}, {"late", late_->json()}, {"beside", beside}};
    }

private:
    static constexpr std::size_t waiting_max = 9'000;   // below allocator.claims_open_max

    Steady::time_point reset() {
        claims_ = std::make_unique<Histogram>();
        cycles_ = std::make_unique<Histogram>();
        begun_ = ended_ = failed_ = dropped_ = 0;
        arriving_ = false;
        return Steady::now();
    }
    void stop_when_over() {
        if (!arriving_ && ended_ == begun_) robot_.loop().stop();
    }
    void end(Steady::time_point at, bool good) {
        ++ended_;
        failed_ += good ? 0 : 1;
        const auto now = Steady::now();
        cycles_->add(now - at);
        if (now < end_) begin(now);
        stop_when_over();
    }
    void begin(Steady::time_point at) {
        ++begun_;
        const auto number = ++numbers_;
        robot_.endpoint().request<ClaimRequest>(
            {.key = {fmt::format("k{}", number)}, .user = {fmt::format("u{}", number)}, .project = {"p"}}, Duration{60'000},
            [this, at](const Result<ClaimReply>& reply) {
                claims_->add(Steady::now() - at);
                if (!reply || reply->state != ClaimState::granted) {
                    if (!reply) error_ = reply.error().text;
                    return end(at, false);
                }
                robot_.endpoint().request<ReleaseRequest>({.target = {reply->workspace}, .why = "bench"}, Duration{60'000},
                                                          [this, at](const Result<Done>& done) { end(at, done.has_value()); });
            });
    }
    Json figures(Steady::time_point begun) const {
        return {{"count", ended_ - failed_}, {"failed", failed_}, {"dropped", dropped_}, {"error", failed_ ? error_ : ""},
                {"seconds", seconds_since(begun)}, {"latency", claims_->json()}, {"cycle", cycles_->json()}};
    }

    TestPeer& robot_;
    std::unique_ptr<Histogram> claims_, cycles_;
    Steady::time_point end_;
    bool arriving_ = false;
    std::map<WorkspaceId, Instant> expires_;          // of those that fill() leased
    std::set<std::string> hears_;
    std::map<std::string, std::size_t> heard_;
    std::unique_ptr<Histogram> late_;
    std::uint64_t numbers_ = 0;
    std::size_t begun_ = 0, ended_ = 0, failed_ = 0, dropped_ = 0;
    std::string error_;
};

int serve(const Options& options) {
    Cluster cluster(fmt::format("[pool.default]\nslots_per_host = {0}\nstandbys = {0}\n{1}\n", options.slots, options.config));
    const auto broker = cluster.start("broker", {"--log-level", "warn"}).pid();
    if (!options.preload.empty()) ::setenv("LD_PRELOAD", options.preload.c_str(), 1);
    const auto allocator = cluster.start("allocator", {"--log-level", "warn"}).pid();
    ::unsetenv("LD_PRELOAD");
    std::vector<std::unique_ptr<Host>> hosts;
    for (std::uint32_t i = 1; i <= options.agents; ++i) {
        hosts.push_back(std::make_unique<Host>(cluster, fmt::format("h-{:06}", i), options.slots, Host::Slots::standbys));
    }
    TestPeer robot(cluster, "robot", Role::client);
    Cycles cycles(robot);
    return serve_turns({{"ready", true}, {"state", cluster.state()}, {"pids", {{"broker", broker}, {"allocator", allocator}}}},
                       {{"closed", [&](const Json& asked) { return cycles.closed(asked.at("outstanding"), asked.at("seconds")); }},
                        {"open", [&](const Json& asked) { return cycles.open(asked.at("per_second"), asked.at("seconds")); }},
                        {"fill", [&](const Json& asked) { return cycles.fill(asked.at("count"), Duration{asked.at("ttl_ms").get<int>()}); }},
                        {"extend", [&](const Json& asked) { return cycles.extend(asked.at("share"), Duration{asked.at("ttl_ms").get<int>()}); }},
                        {"hear", [&](const Json& asked) {
                             return cycles.hear(asked.at("name"), asked.at("count"), asked.at("seconds"), asked.value("per_second", 0.0));
                         }}});
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], "--turns") == 0) return serve(read_options(argc, argv));
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
