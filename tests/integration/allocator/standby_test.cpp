// SPDX-License-Identifier: Apache-2.0
// Real allocators on a real Redis: one serves, others wait; what befalls who serves costs its clients a pause, and
// nothing that they were told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "allocator/standby.hpp"
#include "base/exit.hpp"
#include "tests/integration/allocator/scripted_host.hpp"
#include "tests/sim/linear.hpp"
#include "tests/support/redis_server.hpp"

namespace berth::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Steady = std::chrono::steady_clock;

constexpr std::uint32_t slots = 64;
constexpr std::size_t lanes = 8;
constexpr Duration first_grant_max{5'000};

/// Users that claim and release without end, and what they saw.
class Traffic {
public:
    explicit Traffic(Cluster& cluster) : robot_(cluster, "robot", Role::client) {
        for (std::size_t lane = 0; lane < lanes; ++lane) claim(lane);
    }
    TestPeer& robot() { return robot_; }
    std::uint64_t granted() const { return granted_; }
    const sim::History& history() const { return history_; }
    void end() { over_ = true; }
    bool idle() const { return open_ == 0; }

private:
    sim::Call begin(std::size_t lane, sim::CallKind kind) {
        ++open_;
        sim::Call call;
        call.client = fmt::format("u{}", lane);
        call.kind = kind;
        call.project = "p";
        call.began_at = robot_.loop().now();
        return call;
    }
    void ended(sim::Call call, bool good, const Error* error) {
        --open_;
        call.end = good ? sim::CallEnd::ok : sim::CallEnd::unknown;
        if (error != nullptr) call.error = std::string{to_string(error->kind)};
        call.ended_at = robot_.loop().now();
        history_.push_back(std::move(call));
    }
    // An answer that did not come is asked for again, by the same key.
    void claim(std::size_t lane, std::uint64_t again = 0) {
        const auto number = again > 0 ? again : ++numbers_;
        auto call = begin(lane, sim::CallKind::claim);
        call.key = fmt::format("k{}-{}", lane, number);
        robot_.endpoint().request<ClaimRequest>({.key = {call.key}, .user = {call.client}, .project = {"p"}}, Duration{2'000},
                                                [this, lane, number, call](Result<ClaimReply> reply) mutable {
            const bool good = reply && reply->state == ClaimState::granted;
            if (good) {
                call.workspace = reply->workspace.value;
                call.host = reply->host.value;
                call.epoch = reply->epoch.value;
                ++granted_;
            }
            ended(call, good, reply ? nullptr : &reply.error());
            if (over_ && good) return;
            robot_.loop().after(Duration{good ? 1 : 50}, [this, lane, number, good, workspace = call.workspace] {
                if (over_) return;
                if (good) return release(lane, workspace);
                claim(lane, number);
            });
        });
    }
    void release(std::size_t lane, const std::string& workspace) {
        auto call = begin(lane, sim::CallKind::release);
        call.workspace = workspace;
        robot_.endpoint().request<ReleaseRequest>({.target = {WorkspaceId{workspace}}, .why = "traffic"}, Duration{2'000},
                                                  [this, lane, workspace, call](Result<Done> done) mutable {
            if (done) call.count = done->count;
            ended(call, done.has_value(), done ? nullptr : &done.error());
            robot_.loop().after(Duration{done ? 1 : 50}, [this, lane, workspace, good = done.has_value()] {
                if (over_) return;
                if (good) return claim(lane);
                release(lane, workspace);
            });
        });
    }

    TestPeer robot_;
    sim::History history_;
    std::uint64_t numbers_ = 0, granted_ = 0;
    std::size_t open_ = 0;
    bool over_ = false;
};

class OnRedis : public ::testing::Test {
protected:
    OnRedis() {
        cluster.start("broker");
        cluster.start("allocator");
        host.emplace(cluster, "h-1", slots);
    }
    ~OnRedis() override {
        if (!hosting.joinable()) return;
        host->peer().loop().stop();
        hosting.join();
    }
    /// The host's own thread: beats, and does what it is told.
    void run_host() {
        ASSERT_TRUE(host->enrol());
        host->peer().loop().every(Duration{100}, [this] {
            HostHeartbeat beat{.host = {"h-1"}, .incarnation = {"i-h-1"}};
            for (const auto& [slot, report] : host->reports()) beat.slots.push_back(report);
            host->peer().endpoint().request<HostHeartbeat>(beat, Duration{1'000}, [](Result<HostOrders>) {});
        });
        hosting = std::thread([this] { host->peer().loop().run(); });
    }
    /// Another machine of the same cluster: its own state folder, the same keys and broker.
    std::unique_ptr<Child> start_other(const std::string& name, const std::vector<std::string>& more) {
        const auto state = elsewhere / name;
        std::filesystem::create_directories(state);
        for (const auto* shared : {"keys", "bus.toml"}) {
            if (!std::filesystem::exists(state + "/" + shared)) std::filesystem::create_symlink(cluster.state() + "/" + shared, state + "/" + shared);
        }
        std::vector<std::string> words{fmt::format("{}/berth-allocator", BERTH_BIN_DIR), "--config", cluster.config(), "--state", state};
        words.insert(words.end(), more.begin(), more.end());
        return std::make_unique<Child>(words, log_of(name));
    }
    std::string log_of(const std::string& name) const { return elsewhere / (name + ".log"); }
    bool says(const std::string& name, const std::string& what) {
        return eventually([&] { return read_text(log_of(name)).find(what) != std::string::npos; }, Duration{20'000});
    }
    bool is_serving(const std::string& name) { return says(name, "\"ready\"") || says(name, "ready"); }

    RedisServer redis;
    Cluster cluster{fmt::format("[pool.default]\nslots_per_host = {}\n[ledger]\nstore = \"redis+unix://{}\"\n", slots, redis.socket())};
    Folder elsewhere;
    std::optional<ScriptedHost> host;
    std::thread hosting;
};

TEST(LeaderWatch, JudgesByWhetherTheBeatIsRenewedAndByNoClockOfTheLeaders) {
    using allocator::LeaderBeat;
    using allocator::LeaderState;
    using allocator::LeaderWatch;
    const auto at = [](int ms) { return Instant{Duration{ms}}; };
    const auto beat = [](std::uint64_t count) { return LeaderBeat{"w", count, "m", 1}; };
    LeaderWatch watch(Duration{2'000});
    EXPECT_EQ(watch.look(std::nullopt, true, at(0)), LeaderState::none);
    EXPECT_EQ(watch.look(beat(7), true, at(100)), LeaderState::unclear) << "it may be of one that died";
    EXPECT_EQ(watch.look(beat(8), true, at(600)), LeaderState::lives);
    EXPECT_EQ(watch.look(beat(8), true, at(2'599)), LeaderState::lives);
    EXPECT_EQ(watch.look(beat(8), true, at(2'600)), LeaderState::silent);
    EXPECT_EQ(watch.look(beat(9), true, at(2'700)), LeaderState::lives) << "it was only slow";
    EXPECT_EQ(watch.look(beat(9), false, at(2'800)), LeaderState::none) << "its process is known to be gone";

    LeaderWatch left(Duration{2'000});
    EXPECT_EQ(left.look(beat(7), true, at(0)), LeaderState::unclear);
    EXPECT_EQ(left.look(beat(7), true, at(2'000)), LeaderState::silent);
    EXPECT_EQ(allocator::read_beat(to_text(beat(7))), beat(7));
    EXPECT_FALSE(allocator::read_beat(""));
    EXPECT_TRUE(allocator::may_live(allocator::own_beat("w")));
}

TEST_F(OnRedis, ASecondAllocatorThatIsNoStandbyIsRefused) {
    auto second = start_other("second", {});
    EXPECT_EQ(second->wait(Duration{20'000}), static_cast<int>(exit_of(ErrorKind::conflict)));
    EXPECT_THAT(read_text(log_of("second")), AllOf(HasSubstr("in use by another allocator"), HasSubstr("--standby")));
    EXPECT_TRUE(cluster.process("allocator").alive());
}

TEST_F(OnRedis, AStandbyTakesOverWhenTheLeaderIsKilledUnderLoadAndNoAnswerIsLost) {
    run_host();
    auto standby = start_other("standby", {"--standby"});
    ASSERT_TRUE(says("standby", "lives"));
    Traffic traffic(cluster);
    auto& robot = traffic.robot();
    ASSERT_TRUE(robot.until([&] { return traffic.granted() > 200; }, Duration{30'000}));

    for (int life = 0; life < 2; ++life) {
        const auto before = traffic.granted();
        const auto killed = Steady::now();
        (life == 0 ? cluster.process("allocator") : *standby).kill();
        ASSERT_TRUE(robot.until([&] { return traffic.granted() > before; }, Duration{30'000})) << read_text(log_of("standby"));
        const auto pause = std::chrono::duration_cast<Duration>(Steady::now() - killed);
        RecordProperty(fmt::format("first_grant_ms_{}", life), static_cast<int>(pause.count()));
        std::printf("first grant %d ms after kill -9 of the leader\n", static_cast<int>(pause.count()));
        EXPECT_LT(pause, first_grant_max);
        ASSERT_TRUE(robot.until([&] { return traffic.granted() > before + 100; }, Duration{30'000}));
        if (life > 0) break;
        // Back to the first machine: it waits for its turn now.
        cluster.process("allocator") = Child({fmt::format("{}/berth-allocator", BERTH_BIN_DIR), "--config", cluster.config(), "--state", cluster.state(), "--standby"},
                                             log_of("first"));
        ASSERT_TRUE(says("first", "lives"));
    }
    traffic.end();
    ASSERT_TRUE(robot.until([&] { return traffic.idle(); }, Duration{20'000}));
    const auto judged = sim::check_linear(traffic.history());
    EXPECT_EQ(judged.verdict, sim::LinearVerdict::linear) << judged.text;
    EXPECT_GT(judged.calls, 600U);
}

TEST_F(OnRedis, ALeaderThatWasPausedAndReplacedSaysNothingAndEndsI4) {
    run_host();
    auto standby = start_other("standby", {"--standby"});
    ASSERT_TRUE(says("standby", "lives"));
    TestPeer robot(cluster, "robot", Role::client);
    ASSERT_TRUE(robot.ask(ClaimRequest{.key = {"k1"}, .user = {"ada"}, .project = {"p"}}));
    auto& leader = cluster.process("allocator");
    leader.signal(SIGSTOP);
    std::optional<ClaimReply> bobs;
    ASSERT_TRUE(eventually([&] {
        auto reply = robot.ask(ClaimRequest{.key = {"k2"}, .user = {"bob"}, .project = {"p"}}, Duration{1'000});
        if (reply && reply->state == ClaimState::granted) bobs = *reply;
        return bobs.has_value();
    }, Duration{20'000}));
    const auto length = redis.say({"HGET", "{berth}:meta", "head"});

    leader.signal(SIGCONT);
    const auto ended = leader.wait(Duration{10'000});
    ASSERT_TRUE(ended.has_value()) << "it learns that it was replaced, and ends";
    EXPECT_NE(*ended, 0);
    EXPECT_THAT(cluster.log_of("allocator"), HasSubstr("fenced"));
    // For a moment it had taken the place of who serves now at the broker.
    Result<ClaimReply> again = fail(ErrorKind::internal, "not asked");
    ASSERT_TRUE(eventually([&] { return (again = robot.ask(ClaimOutcomeRequest{.key = {"k2"}}, Duration{1'000})).has_value(); })) << again.error().text;
    EXPECT_EQ(again->workspace, bobs->workspace);
    EXPECT_TRUE(standby->alive());
    EXPECT_GE(std::stoull(redis.say({"HGET", "{berth}:meta", "head"})), std::stoull(length));
}

TEST_F(OnRedis, AFlushEndsItWithOneClearLineAndItDoesNotBeginAnew) {
    run_host();
    TestPeer robot(cluster, "robot", Role::client);
    ASSERT_TRUE(robot.ask(ClaimRequest{.key = {"k1"}, .user = {"ada"}, .project = {"p"}}));
    const auto run = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {fmt::format("{}/berth-allocator", BERTH_BIN_DIR), "--config", cluster.config(), "--state", cluster.state()});
        Child child(words, log_of("command"));
        return child.wait(Duration{20'000}).value_or(-1);
    };
    // What this machine has seen is written every few seconds.
    ASSERT_TRUE(eventually([&] { return !read_text(cluster.state() + "/ledger.seen").empty(); }));
    ASSERT_EQ(run({"export"}), 0) << "also while it serves";
    const auto text = read_text(log_of("command"));
    write_text(elsewhere / "export", text.substr(0, text.rfind("exported facts")));

    redis.say({"FLUSHALL"});
    ASSERT_TRUE(cluster.process("allocator").wait(Duration{20'000}).has_value());
    EXPECT_THAT(cluster.log_of("allocator"), HasSubstr("FLUSHALL"));
    EXPECT_NE(run({}), 0);
    EXPECT_THAT(read_text(log_of("command")), HasSubstr("is empty, but held"));
    ASSERT_EQ(run({"import", elsewhere / "export"}), 0) << read_text(log_of("command"));
    ASSERT_EQ(run({"verify"}), 0) << read_text(log_of("command"));
    cluster.start("allocator");
    Result<ClaimReply> again = fail(ErrorKind::internal, "not asked");
    ASSERT_TRUE(eventually([&] { return (again = robot.ask(ClaimOutcomeRequest{.key = {"k1"}}, Duration{1'000})).has_value(); })) << again.error().text;
    EXPECT_EQ(again->state, ClaimState::granted);
}

}  // namespace
}  // namespace berth::testing
