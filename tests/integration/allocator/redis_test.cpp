// SPDX-License-Identifier: Apache-2.0
// The ledger on a real redis-server: the suite that every ledger passes, and what Redis alone can do to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <thread>

#include "allocator/archive.hpp"
#include "allocator/ledger/open.hpp"
#include "allocator/ledger/redis/store.hpp"
#include "allocator/ledger/seen.hpp"
#include "base/rng.hpp"
#include "redis/address.hpp"
#include "tests/integration/allocator/ledger_suite.hpp"
#include "tests/support/lossy_pipe.hpp"
#include "tests/support/redis_server.hpp"

namespace berth::allocator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using berth::testing::Folder;
using berth::testing::LossyPipe;
using berth::testing::RedisServer;

RedisPlan plan_of(const std::string& socket, const std::string& prefix = "berth") {
    return {.place = {.socket = socket, .name = "redis+unix://" + socket}, .prefix = prefix, .policy = {.answer = Duration{2'000}}};
}
Result<std::unique_ptr<StoredLedger>> open(const RedisPlan& plan, StoredLedger::Plan how = {}) {
    return StoredLedger::open(TRY(RedisStore::open(plan)), std::move(how));
}
std::unique_ptr<StoredLedger> opened(const RedisPlan& plan, StoredLedger::Plan how = {}) {
    auto ledger = open(plan, std::move(how));
    if (!ledger) throw std::runtime_error(ledger.error().text);
    return std::move(*ledger);
}
std::string refusal_of(const RedisPlan& plan, StoredLedger::Plan how = {}) {
    const auto ledger = open(plan, std::move(how));
    return ledger ? "it opened" : ledger.error().text;
}

// ---- the suite

class RedisPlaceOfTest final : public StorePlace {
public:
    Result<std::unique_ptr<Store>> open_store() override { return RedisStore::open(plan_of(server().socket(), prefix_)); }
    void damage_row(Position first) override {
        change([&](std::size_t, std::vector<Row>& rows) {
            for (auto& row : rows) {
                if (row.first == first) row.records = "\x90";
            }
        });
    }
    void take_row_away(Position first) override {
        change([&](std::size_t, std::vector<Row>& rows) { std::erase_if(rows, [&](const Row& row) { return row.first == first; }); });
    }
    bool rewrite_row(Position first, Position as) override {
        change([&](std::size_t, std::vector<Row>& rows) {
            const auto at = [&](Position one) { return std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.first == one; }); };
            at(first)->records = at(as)->records;
            at(first)->crc = at(as)->crc;
        });
        return true;
    }

private:
    static RedisServer& server() {
        static RedisServer one;
        return one;
    }
    // An entry of a stream can not be changed, so the stream is written anew.
    void change(const std::function<void(std::size_t, std::vector<Row>&)>& how) {
        auto rows = (*open_store())->rows({1}, 1'000).value();
        how(0, rows);
        server().say({"DEL", "{" + prefix_ + "}:log"});
        for (const auto& row : rows) {
            server().say({"XADD", "{" + prefix_ + "}:log", std::to_string(row.last.value) + "-0", "first", std::to_string(row.first.value), "records",
                          row.records, "crc", std::to_string(row.crc), "chain", row.chain, "writer", row.writer});
        }
    }
    std::string prefix_ = "t-" + random_hex(6);
};
INSTANTIATE_TEST_SUITE_P(Redis, LedgerSuite, ::testing::Values(PlaceMaker{"server", [] { return std::make_unique<RedisPlaceOfTest>(); }}), name_of_place);

// ---- a server that would lose what it acknowledged

TEST(RedisAudit, NamesTheLineOfRedisConfThatMendsIt) {
    const RedisFacts good{{"redis_version", "7.0.15"}, {"role", "master"}};
    const RedisFacts keeps{{"appendonly", "yes"}, {"appendfsync", "always"}, {"maxmemory", "0"}, {"maxmemory-policy", "allkeys-lru"}};
    EXPECT_TRUE(audit_redis(good, keeps, "r")) << "without a bound nothing is thrown away";
    struct {
        std::string key, value, said;
    } const table[] = {{"appendonly", "no", "`appendonly yes`"}, {"appendfsync", "everysec", "`appendfsync always`"},
                       {"appendfsync", "no", "`appendfsync always`"}, {"maxmemory", "1000", "`maxmemory-policy noeviction`"},
                       {"no-appendfsync-on-rewrite", "yes", "`no-appendfsync-on-rewrite no`"}};
    for (const auto& row : table) {
        SCOPED_TRACE(row.key);
        auto config = keeps;
        config[row.key] = row.value;
        const auto outcome = audit_redis(good, config, "r");
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().kind, ErrorKind::conflict);
        EXPECT_THAT(outcome.error().text, AllOf(HasSubstr("redis.conf"), HasSubstr(row.said)));
    }
    EXPECT_FALSE(audit_redis({{"redis_version", "7.0.15"}, {"role", "slave"}}, keeps, "r"));
    EXPECT_FALSE(audit_redis({{"redis_version", "5.0.3"}, {"role", "master"}}, keeps, "r"));
    EXPECT_FALSE(audit_redis(good, {}, "r")) << "who tells nothing is not trusted";
}

TEST(Redis, AServerThatForgetsIsRefusedAtTheStartAndWhileItServes) {
    RedisServer server({"--appendfsync", "everysec"});
    EXPECT_THAT(refusal_of(plan_of(server.socket())), HasSubstr("`appendfsync always`"));
    server.say({"CONFIG", "SET", "appendfsync", "always"});
    const auto ledger = opened(plan_of(server.socket()));
    ASSERT_TRUE(ledger->tidy());
    server.say({"CONFIG", "SET", "appendfsync", "no"});
    const auto tidied = ledger->tidy();
    ASSERT_FALSE(tidied);
    EXPECT_THAT(tidied.error().text, HasSubstr("`appendfsync always`"));
}

TEST(Redis, AReplicaIsRefused) {
    RedisServer master, replica({"--replicaof", "127.0.0.1 " + std::to_string(master.port())});
    EXPECT_THAT(refusal_of(plan_of(replica.socket())), AllOf(HasSubstr("replica"), HasSubstr("[ledger] store")));
}

// ---- crashes

TEST(Redis, WhatItAcknowledgedIsThereAfterKillNineInTheMiddleOfBatches) {
    RedisServer server;
    auto plan = plan_of(server.socket());
    plan.policy.give_up = Duration{30'000};
    const auto ledger = opened(plan);
    const auto id = ledger->id();
    std::atomic<std::uint64_t> acknowledged{0};
    std::atomic<bool> over{false};
    std::thread writer([&] {
        while (!over) {
            const auto at = acknowledged.load();
            const auto outcome = append_now(*ledger, facts_at(at + 1, at + 7), {at});
            ASSERT_TRUE(outcome) << outcome.error().text;
            acknowledged = at + 7;
        }
    });
    for (int life = 0; life < 8; ++life) {
        const auto before = acknowledged.load();
        EXPECT_TRUE(berth::testing::eventually([&] { return acknowledged > before + 70; }, Duration{20'000})) << "the ledger went on by itself";
        server.kill();
        server.start();
    }
    over = true;
    writer.join();
    const auto again = opened(plan);
    EXPECT_EQ(again->id(), id);
    EXPECT_EQ(again->head().value, acknowledged.load());
    EXPECT_EQ(again->verify()->value, acknowledged.load());
    EXPECT_EQ(*again->read({1}, 1'000'000), facts_at(1, acknowledged));
}

TEST(Redis, AnAppendWhoseAnswerWasLostIsSettledByWhatStandsThere) {
    RedisServer server;
    LossyPipe pipe(server.folder() + "/pipe.sock", server.socket());
    const auto ledger = opened(plan_of(server.folder() + "/pipe.sock"));
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 2), {0}));
    pipe.lose_answer_to("EVALSHA");
    const auto outcome = append_now(*ledger, facts_at(3, 5), {2});
    EXPECT_TRUE(outcome) << outcome.error().text;
    EXPECT_EQ(pipe.lost(), 1);
    ASSERT_TRUE(append_now(*ledger, facts_at(6, 6), {5}));
    EXPECT_EQ(server.say({"XLEN", "{berth}:log"}), "3") << "nothing was written twice";
    EXPECT_EQ(ledger->verify()->value, 6U);
}

TEST(Redis, AnAppendWhosePlaceAnotherTookMeanwhileIsFencedAlsoWithTheSameFacts) {
    RedisServer server;
    LossyPipe pipe(server.folder() + "/pipe.sock", server.socket());
    const auto loser = opened(plan_of(server.folder() + "/pipe.sock"));
    const auto winner = opened(plan_of(server.socket()));
    ASSERT_TRUE(append_now(*winner, facts_at(1, 2), {0}));
    pipe.lose_answer_to("EVALSHA");
    const auto outcome = append_now(*loser, facts_at(1, 2), {0});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind, ErrorKind::fenced) << outcome.error().text;
    EXPECT_EQ(pipe.lost(), 1);
}

TEST(Redis, AServerThatHangsIsWaitedForAndThenGivenUpByName) {
    RedisServer server;
    auto plan = plan_of(server.socket());
    plan.policy.answer = Duration{200};
    plan.policy.give_up = Duration{1'500};
    const auto ledger = opened(plan);
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 2), {0}));
    server.process().signal(SIGSTOP);
    const auto outcome = append_now(*ledger, facts_at(3, 4), {2});
    server.process().signal(SIGCONT);
    ASSERT_FALSE(outcome);
    EXPECT_THAT(outcome.error().text, HasSubstr(server.socket()));
    // Whether it was written is not known, and the next life reads it.
    const auto again = opened(plan_of(server.socket()));
    EXPECT_TRUE(again->head().value == 2 || again->head().value == 4);
    EXPECT_TRUE(again->verify());
}

// ---- full, flushed, another's

TEST(Redis, AFullServerSaysSoAndWhatItTookIsWhole) {
    RedisServer server;
    server.say({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
    server.say({"CONFIG", "SET", "maxmemory", "8mb"});
    std::uint64_t last = 0;
    bool was_low = false;
    {
        const auto ledger = opened(plan_of(server.socket()));
        for (Result<void> outcome; outcome;) {
            outcome = append_now(*ledger, facts_at(last + 1, last + 500), {last});
            if (!outcome) {
                EXPECT_EQ(outcome.error().kind, ErrorKind::no_capacity);
                EXPECT_THAT(outcome.error().text, AllOf(HasSubstr("maxmemory"), HasSubstr("redis.conf")));
                break;
            }
            last += 500;
            was_low = was_low || *ledger->tidy() == Storage::low;
            ASSERT_LT(last, 1'000'000U) << "8 MiB never got full";
        }
    }
    EXPECT_TRUE(was_low) << "it was told before it was full";
    server.say({"CONFIG", "SET", "maxmemory", "0"});
    const auto ledger = opened(plan_of(server.socket()));
    EXPECT_EQ(ledger->verify()->value, last);
}

TEST(Redis, AServerThatEndedWhileNothingWasAskedIsNoticedByTheNextAppend) {
    RedisServer server;
    const auto ledger = opened(plan_of(server.socket()));
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 2), {0}));
    server.kill();
    server.start();
    EXPECT_TRUE(append_now(*ledger, facts_at(3, 4), {2})) << "the write on the old connection is an error, and no signal that ends the process";
}

TEST(Redis, AFullDiskEndsTheServerAndWhatItAcknowledgedIsThere) {
    const Folder folder;
    const auto disk = folder / "disk";
    std::filesystem::create_directories(disk);
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=6m") != 0) GTEST_SKIP() << "SKIPPED: can not mount a small tmpfs here: " << std::strerror(errno);
    berth::testing::write_text(disk + "/room", std::string(1 << 20, 'x'));
    {
        RedisServer server({"--dir", disk, "--auto-aof-rewrite-percentage", "0"});
        auto plan = plan_of(server.socket());
        plan.policy.give_up = Duration{500};
        std::uint64_t last = 0;
        {
            const auto ledger = opened(plan);
            for (Result<void> outcome; outcome;) {
                outcome = append_now(*ledger, facts_at(last + 1, last + 500), {last});
                if (!outcome) {
                    EXPECT_EQ(outcome.error().kind, ErrorKind::unavailable) << outcome.error().text;
                    break;
                }
                last += 500;
                ASSERT_LT(last, 1'000'000U) << "a disk of 6 MiB never got full";
            }
        }
        EXPECT_TRUE(server.process().wait(Duration{10'000}).has_value()) << "it can not keep what it acknowledges, and ends";
        std::filesystem::remove(disk + "/room");
        server.start();
        const auto ledger = opened(plan);
        const auto head = ledger->head().value;
        EXPECT_TRUE(head == last || head == last + 500) << head << " after " << last << ": nothing acknowledged is lost, and no part of a batch is there";
        EXPECT_EQ(ledger->verify()->value, head);
        EXPECT_TRUE(append_now(*ledger, facts_at(head + 1, head + 500), {head})) << "and it goes on";
    }
    ::umount2(disk.c_str(), MNT_DETACH);
}

TEST(Redis, AFlushedServerIsToldFromANewOneAndComesBackFromAnExport) {
    RedisServer server;
    const Folder folder;
    const StoredLedger::Plan serves{.seen_file = folder / "ledger.seen", .serves = true};
    std::stringstream whole, part;
    {
        const auto ledger = opened(plan_of(server.socket()), serves);
        ASSERT_TRUE(append_now(*ledger, facts_at(1, 20), {0}));
        ASSERT_TRUE(export_ledger(*ledger, {1}, part));
        ASSERT_TRUE(append_now(*ledger, facts_at(21, 30), {20}));
        ASSERT_TRUE(export_ledger(*ledger, {1}, whole));
        opened(plan_of(server.socket()), serves);          // what is remembered is what was there at the last look
        server.say({"FLUSHALL"});
        const auto late = append_now(*ledger, facts_at(31, 31), {30});
        ASSERT_FALSE(late);
        EXPECT_EQ(late.error().kind, ErrorKind::corrupt);
        EXPECT_THAT(late.error().text, AllOf(HasSubstr("FLUSHALL"), HasSubstr("import")));
        const auto answer = append_now(*ledger, {}, {30});
        ASSERT_FALSE(answer) << "nothing is said any more either";
    }
    EXPECT_THAT(refusal_of(plan_of(server.socket()), serves), AllOf(HasSubstr("is empty, but held 30 facts"), HasSubstr("berth-allocator import")));
    ASSERT_TRUE(import_ledger(*opened(plan_of(server.socket())), part));
    EXPECT_THAT(refusal_of(plan_of(server.socket()), serves), AllOf(HasSubstr("ends at 20"), HasSubstr("30"), HasSubstr("recover")));
    server.say({"FLUSHALL"});
    ASSERT_TRUE(import_ledger(*opened(plan_of(server.socket())), whole));
    const auto ledger = opened(plan_of(server.socket()), serves);
    EXPECT_EQ(ledger->verify()->value, 30U);
    EXPECT_TRUE(append_now(*ledger, facts_at(31, 31), {30}));
}

TEST(Redis, KeysThatWereDeletedInPartAreNoEmptyLedger) {
    RedisServer server;
    const auto ledger = opened(plan_of(server.socket()));
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 3), {0}));
    server.say({"DEL", "{berth}:log"});
    EXPECT_EQ(append_now(*ledger, facts_at(4, 4), {3}).error().kind, ErrorKind::corrupt);
    EXPECT_THAT(refusal_of(plan_of(server.socket())), HasSubstr("were deleted"));
}

TEST(Redis, AReplicaThatLacksTheTailIsAnOldCopy) {
    RedisServer master, replica({"--replicaof", "127.0.0.1 " + std::to_string(master.port())});
    const Folder folder;
    const StoredLedger::Plan serves{.seen_file = folder / "ledger.seen", .serves = true};
    auto plan = plan_of(master.socket());
    plan.policy.wait_replicas = 1;
    {
        const auto ledger = opened(plan, serves);
        ASSERT_TRUE(append_now(*ledger, facts_at(1, 3), {0}));
        EXPECT_EQ(replica.say({"XLEN", "{berth}:log"}), "1") << "the append waited until the replica had it";
    }
    replica.say({"REPLICAOF", "NO", "ONE"});
    auto short_plan = plan;
    short_plan.policy.answer = Duration{200};
    short_plan.policy.give_up = Duration{500};
    {
        const auto alone = append_now(*opened(short_plan), facts_at(4, 6), {3});
        ASSERT_FALSE(alone);
        EXPECT_THAT(alone.error().text, HasSubstr("0 of 1 replicas"));
    }
    plan.policy.wait_replicas = 0;
    opened(plan, serves);                                  // it has seen position 6
    // The replica becomes the server at the same address.
    master.kill();
    LossyPipe leads(master.folder() + "/failover.sock", replica.socket());
    auto elsewhere = plan;
    elsewhere.place.socket = master.folder() + "/failover.sock";
    EXPECT_THAT(refusal_of(elsewhere, serves), AllOf(HasSubstr("old copy"), HasSubstr("position 6")));
}

TEST(Redis, AnotherClustersOrALaterVersionsLedgerIsRefused) {
    RedisServer server;
    const auto of = [](const std::string& cluster) { return StoredLedger::Plan{.cluster = cluster}; };
    opened(plan_of(server.socket()), of("c-1"));
    EXPECT_THAT(refusal_of(plan_of(server.socket()), of("c-2")), AllOf(HasSubstr("cluster c-1"), HasSubstr("c-2"), HasSubstr("adopt")));
    EXPECT_TRUE(open(plan_of(server.socket(), "other"), of("c-2"))) << "another prefix is another ledger";
    server.say({"HSET", "{berth}:meta", "format", "9"});
    EXPECT_THAT(refusal_of(plan_of(server.socket()), of("c-1")), HasSubstr("format 9"));
    server.say({"SET", "{theirs}:meta", "x"});
    EXPECT_THAT(refusal_of(plan_of(server.socket(), "theirs")), HasSubstr("somebody else"));
}

// ---- addresses and passwords

TEST(Redis, SaysWhatIsWrongWithAnAddressOrAPassword) {
    RedisServer server({"--requirepass", "right"});
    const Folder folder;
    auto plan = plan_of(server.socket());
    plan.policy.give_up = Duration{100};
    EXPECT_THAT(refusal_of(plan), HasSubstr("password_file"));
    plan.policy.password_file = folder / "password";
    EXPECT_THAT(refusal_of(plan), HasSubstr(folder / "password"));
    berth::testing::write_text(folder / "password", "canary-wrong\n");
    EXPECT_THAT(refusal_of(plan), AllOf(HasSubstr("password_file"), ::testing::Not(HasSubstr("canary"))));
    berth::testing::write_text(folder / "password", "right\n");
    EXPECT_TRUE(open(plan));
    plan.place.database = 99;
    EXPECT_THAT(refusal_of(plan), HasSubstr("no such database"));
    plan.place.socket = folder / "nobody";
    EXPECT_THAT(refusal_of(plan), HasSubstr("nobody answers"));
}

TEST(RedisAddress, IsReadFromOneLine) {
    const auto whole = redis::parse_address("redis://db.lan:6380/3?prefix=a");
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->place.host, "db.lan");
    EXPECT_EQ(whole->place.port, 6380);
    EXPECT_EQ(whole->place.database, 3U);
    EXPECT_EQ(whole->prefix, "a");
    EXPECT_EQ(redis::parse_address("redis://[::1]:6380")->place.host, "::1");
    EXPECT_EQ(redis::parse_address("redis://db")->place.name, "redis://db:6379/0");
    EXPECT_EQ(redis::parse_address("redis+unix:///run/r.sock?prefix=b")->place.socket, "/run/r.sock");
    for (const auto* bad : {"", "ledger.sqlite", "sqlite:", "redis:db", "redis://", "redis://db:0", "redis://db:x", "redis://db/x", "redis://:canary@db",
                            "redis+unix://run/x", "mysql://db", "dynamodb://", "redis://db?prefix=", "redis://db?a=b", "redis://db?prefix=a:b"}) {
        SCOPED_TRACE(bad);
        for (const auto& text : {redis::parse_address(bad).error().text, open_store(bad, {.state = "/none"}).error().text}) {
            EXPECT_THAT(text, AllOf(::testing::Not(""), ::testing::Not(HasSubstr("canary"))));
        }
    }
}

}  // namespace
}  // namespace berth::allocator
