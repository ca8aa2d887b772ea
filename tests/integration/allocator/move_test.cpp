// SPDX-License-Identifier: Apache-2.0
// A ledger goes from one store to another and back, is taken over by another cluster, and nothing of it is lost,
// half done, or begun anew by mistake: the commands as a person gives them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "allocator/ledger/sqlite/store.hpp"
#include "allocator/ledger/stored.hpp"
#include "allocator/move.hpp"
#include "base/exit.hpp"
#include "tests/integration/allocator/ledger_suite.hpp"
#include "tests/integration/allocator/traffic.hpp"
#include "tests/support/redis_server.hpp"

namespace berth::testing {
namespace {

using allocator::fact_at;
using allocator::facts_at;
using allocator::SqliteStore;
using allocator::StoredLedger;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::uint64_t many_facts = 30'000, facts_of_a_row = 300;

struct WithRedis {
    RedisServer redis;
    std::string on_redis = "redis+unix://" + redis.socket();
};
class Moving : protected WithRedis, public OnSharedStore {
protected:
    Moving() : OnSharedStore("sqlite:ledger.sqlite") {}

    /// Exit status; what it said is the end of its log.
    int say(const std::vector<std::string>& words) {
        write_text(log_of("command"), "");
        return run(words);
    }
    std::string said() const { return read_text(log_of("command")); }
    int move(const std::string& from, const std::string& to) { return say({"move", "--from", from, "--to", to}); }
    void use(const std::string& store) { write_text(cluster.config(), fmt::format("[pool.default]\nslots_per_host = 64\n[ledger]\nstore = \"{}\"\n[ledger.redis]\ngive_up = \"1s\"\n", store)); }
    /// "state 0123…" of `verify` in that store.
    std::string state_in(const std::string& store) {
        use(store);
        EXPECT_EQ(say({"verify"}), 0) << said();
        std::smatch found;
        const auto text = said();
        return std::regex_search(text, found, std::regex("state ([0-9a-f]{16})")) ? found.str(1) : "none";
    }
    static std::unique_ptr<StoredLedger> sqlite(const std::string& file) {
        return StoredLedger::open(SqliteStore::open({file, 0}).value()).value();
    }
    static constexpr const char* on_file = "sqlite:ledger.sqlite";
};

TEST_F(Moving, ALedgerGoesToRedisAndBackAndEachAllocatorGoesOnWhereTheOtherEnded) {
    begin();
    run_host();
    TestPeer robot(cluster, "robot", Role::client);
    const auto claim = [&](const std::string& key, const std::string& user) {
        Result<ClaimReply> reply = fail(ErrorKind::internal, "not asked");
        EXPECT_TRUE(robot.until([&] {
            reply = robot.ask(ClaimRequest{.key = {key}, .user = {user}, .project = {"p"}}, Duration{2'000});
            return reply && reply->state == ClaimState::granted;
        }, Duration{20'000})) << (reply ? "" : reply.error().text);
        return reply ? reply->workspace.value : std::string{};
    };
    const auto adas = claim("k1", "ada");
    EXPECT_EQ(move(on_file, on_redis), static_cast<int>(exit_of(ErrorKind::conflict))) << "it serves: " << said();
    EXPECT_EQ(cluster.process("allocator").terminate(), 0);

    ASSERT_EQ(move(on_file, on_redis), 0) << said();
    EXPECT_THAT(said(), AllOf(HasSubstr("is whole in " + on_redis), HasSubstr("state "), HasSubstr("set `store = \"" + on_redis + "\"`")));
    EXPECT_EQ(say({}), static_cast<int>(exit_of(ErrorKind::conflict))) << "nobody begins on the old place by mistake";
    EXPECT_THAT(said(), HasSubstr("was moved to " + on_redis));
    const auto before = state_in(on_file);
    EXPECT_EQ(state_in(on_redis), before);

    cluster.start("allocator");
    EXPECT_EQ(claim("k1", "ada"), adas) << "the same key has the same outcome";
    const auto bobs = claim("k2", "bob");
    EXPECT_EQ(cluster.process("allocator").terminate(), 0);

    ASSERT_EQ(move(on_redis, on_file), 0) << said();
    EXPECT_EQ(state_in(on_file), state_in(on_redis));
    use(on_redis);
    EXPECT_EQ(say({}), static_cast<int>(exit_of(ErrorKind::conflict))) << said();
    use(on_file);
    cluster.start("allocator");
    EXPECT_EQ(claim("k1", "ada"), adas);
    EXPECT_EQ(claim("k2", "bob"), bobs);
}

TEST_F(Moving, OneThatWasKilledOnItsWayIsGoneOnWith) {
    {
        const auto ledger = sqlite(cluster.state() + "/ledger.sqlite");
        for (std::uint64_t at = 1; at < many_facts; at += facts_of_a_row) ASSERT_TRUE(append_now(*ledger, facts_at(at, at + facts_of_a_row - 1), {at - 1}));
    }
    {
        auto moving = start_first({"move", "--from", on_file, "--to", on_redis}, "broken");
        ASSERT_TRUE(says("broken", "copied up to position"));
        moving.kill();
    }
    const auto head = std::stoull(redis.say({"HGET", "{berth}:meta", "head"}));
    EXPECT_GT(head, 0U);
    ASSERT_LT(head, many_facts) << "it was killed too late to tell";
    use(on_redis);
    EXPECT_NE(state_in(on_redis), state_in(on_file)) << "a part is no ledger to begin on";
    ASSERT_EQ(move(on_file, on_redis), 0) << said();
    EXPECT_THAT(said(), HasSubstr(fmt::format("up to position {}, {} facts copied now", many_facts, many_facts - head)));
    EXPECT_EQ(state_in(on_redis), state_in(on_file));
}

TEST_F(Moving, AWrongPlaceIsRefusedAndNothingIsDone) {
    const auto other = cluster.state() + "/other.sqlite";
    EXPECT_EQ(move(on_file, on_redis), static_cast<int>(exit_of(ErrorKind::invalid))) << "nothing to move: " << said();
    ASSERT_TRUE(append_now(*sqlite(cluster.state() + "/ledger.sqlite"), facts_at(1, 5), {0}));
    ASSERT_TRUE(append_now(*sqlite(other), {fact_at(1, "q"), fact_at(2, "q")}, {0}));
    const auto refused = [&](const std::string& from, const std::string& to, ErrorKind kind, const std::string& why) {
        SCOPED_TRACE(from + " to " + to);
        EXPECT_EQ(move(from, to), static_cast<int>(exit_of(kind))) << said();
        EXPECT_THAT(said(), HasSubstr(why));
    };
    use(on_file);
    refused(on_file, on_file, ErrorKind::conflict, "in use");
    refused(on_file, "sqlite:other.sqlite", ErrorKind::conflict, "the target holds another ledger");
    refused("sqlite:other.sqlite", on_file, ErrorKind::conflict, "the source ends at 2");
    refused(on_file, "mysql://x", ErrorKind::invalid, "no kind of store 'mysql'");
    refused(on_file, "redis+unix:///nowhere", ErrorKind::unavailable, "/nowhere");
    EXPECT_EQ(sqlite(other)->head().value, 2U);
    EXPECT_EQ(sqlite(cluster.state() + "/ledger.sqlite")->head().value, 5U);
    EXPECT_EQ(redis.say({"KEYS", "*log"}), "") << "an empty ledger at most was begun there";
}

TEST_F(Moving, TheLedgerOfAClusterThatIsNoMoreIsAdopted) {
    begin();
    run_host();
    TestPeer robot(cluster, "robot", Role::client);
    const auto granted = robot.ask(ClaimRequest{.key = {"k1"}, .user = {"ada"}, .project = {"p"}});
    ASSERT_TRUE(granted) << granted.error().text;
    EXPECT_EQ(cluster.process("allocator").terminate(), 0);
    ASSERT_EQ(move(on_file, on_redis), 0) << said();

    // Another cluster, with a broker of its own: another key.
    const auto heir = elsewhere / "heir";
    Cluster second(fmt::format("[pool.default]\nslots_per_host = 64\n[ledger]\nstore = \"{}\"\n", on_redis));
    second.start("broker");
    const auto run_second = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {fmt::format("{}/berth-allocator", BERTH_BIN_DIR), "--config", second.config(), "--state", second.state()});
        write_text(heir, "");
        return Child(words, heir).wait(Duration{20'000}).value_or(-1);
    };
    EXPECT_EQ(run_second({}), static_cast<int>(exit_of(ErrorKind::conflict)));
    EXPECT_THAT(read_text(heir), AllOf(HasSubstr("holds the ledger of cluster"), HasSubstr("berth-allocator adopt")));
    ASSERT_EQ(run_second({"adopt"}), 0) << read_text(heir);
    EXPECT_THAT(read_text(heir), HasSubstr("is now that of cluster"));
    second.start("allocator");
    TestPeer other(second, "robot", Role::client);
    const auto reply = other.ask(ViewRequest{});
    ASSERT_TRUE(reply) << reply.error().text;
    auto view = reply->view;
    view.reindex();
    const auto* adas = view.workspace_of({"ada"}, {"p"});
    ASSERT_NE(adas, nullptr);
    EXPECT_EQ(adas->workspace, granted->workspace) << "what was promised is kept";

    use(on_redis);
    EXPECT_EQ(say({}), static_cast<int>(exit_of(ErrorKind::conflict))) << "the first one is refused now: " << said();
}

TEST_F(Moving, WithoutAKeyNothingIsAdopted) {
    const auto empty = elsewhere / "empty";
    Child child({fmt::format("{}/berth-allocator", BERTH_BIN_DIR), "--config", cluster.config(), "--state", empty, "adopt"}, log_of("command"));
    EXPECT_EQ(child.wait(Duration{20'000}), static_cast<int>(exit_of(ErrorKind::not_found)));
    EXPECT_THAT(said(), HasSubstr("no key of a broker"));
}

}  // namespace
}  // namespace berth::testing
