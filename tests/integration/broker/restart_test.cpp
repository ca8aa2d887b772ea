// SPDX-License-Identifier: Apache-2.0
// kill -9 of the broker under traffic: peers come back by themselves, and every request has exactly one
// outcome that says what it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/clock.hpp"
#include "tests/support/cluster.hpp"

namespace berth::testing {
namespace {

constexpr Duration patience{3'000};

/// A worker of the scaler's service with a thread of its own.
class Worker {
public:
    Worker(Cluster& cluster, const std::string& name) : peer_(minted(cluster, name), name, Role::scaler) {
        peer_.endpoint().serve<TerminateOrphanRequest>([this](TerminateOrphanRequest, const bus::Delivery&, bus::Responder to) {
            ++done;
            to.reply(Done{.count = 1});
        });
        thread_ = std::thread([this] { peer_.loop().run(); });
    }
    ~Worker() {
        peer_.loop().stop();
        thread_.join();
    }
    std::atomic<std::uint64_t> done{0};

private:
    static Cluster& minted(Cluster& cluster, const std::string& name) {
        cluster.mint(name, Role::scaler);
        return cluster;
    }
    TestPeer peer_;
    std::thread thread_;
};

struct Tally {
    std::uint64_t asked = 0, answered = 0;
    std::map<ErrorKind, std::uint64_t> failed;
    std::map<std::uint64_t, int> outcomes;      // of each request

    std::uint64_t ended() const { return outcomes.size(); }
};

void ask(TestPeer& peer, Tally& tally) {
    const auto number = tally.asked++;
    peer.endpoint().request<TerminateOrphanRequest>({.instance = fmt::format("i-{}", number)}, patience,
                                                    [&tally, number](const Result<Done>& reply) {
                                                        ++tally.outcomes[number];
                                                        if (reply) ++tally.answered;
                                                        else ++tally.failed[reply.error().kind];
                                                    });
}

TEST(broker_restart, no_request_is_lost_without_a_word_and_everyone_comes_back) {
    Cluster cluster;
    cluster.start("broker");
    Worker a(cluster, "s-a"), b(cluster, "s-b");
    TestPeer reaper(cluster, "reaper", Role::reaper);
    Tally tally;
    ASSERT_TRUE(reaper.until([&] {
        ask(reaper, tally);
        return tally.answered >= 20 && a.done > 0 && b.done > 0;
    }));
    for (int round = 0; round < 2; ++round) {
        const auto traffic = reaper.loop().every(Duration{1}, [&] { ask(reaper, tally); });
        const auto before = tally.asked;
        reaper.until([&] { return tally.asked > before + 50; });
        cluster.process("broker").kill();
        const auto dead = tally.asked;
        reaper.until([&] { return tally.asked > dead + 300; });      // asked while there is none
        cluster.start("broker");
        const auto back = RealClock{}.now();
        const auto done_a = a.done.load(), done_b = b.done.load();
        EXPECT_TRUE(reaper.until([&] { return a.done > done_a && b.done > done_b; }, Duration{15'000}))
            << "both workers registered again by themselves";
        std::printf("round %d: both workers serve again %lld ms after the broker was ready\n", round,
                    static_cast<long long>((RealClock{}.now() - back).count()));
        reaper.loop().cancel(traffic);
        ASSERT_TRUE(reaper.until([&] { return tally.ended() == tally.asked; }, patience + Duration{2'000}))
            << tally.asked - tally.ended() << " requests have no outcome";
    }
    for (const auto& [number, times] : tally.outcomes) EXPECT_EQ(times, 1) << number;
    std::uint64_t sum = tally.answered;
    for (const auto& [kind, count] : tally.failed) {
        sum += count;
        EXPECT_TRUE(kind == ErrorKind::timeout || kind == ErrorKind::unavailable) << to_string(kind);
    }
    EXPECT_EQ(sum, tally.asked);
    EXPECT_GT(tally.answered, 100U);
    EXPECT_LE(tally.answered, a.done + b.done);
    const auto last = reaper.ask(TerminateOrphanRequest{.instance = "last"});
    EXPECT_TRUE(last) << last.error().text;
}

TEST(broker_restart, listeners_hear_again_on_the_same_addresses_and_notice_what_they_missed_I21) {
    Cluster cluster;
    cluster.start("broker");
    const auto before = read_text(cluster.state() + "/bus.toml");
    TestPeer tap(cluster, "tap", Role::tap);
    TestPeer allocator(cluster, "allocator", Role::allocator);
    std::uint64_t heard = 0, first = 0, missing = 0;
    tap.endpoint().subscribe("ledger.head", [&](const bus::Delivery& delivery) {
        ++heard;
        EXPECT_EQ(delivery.stamp.sender, "allocator");
        if (const auto head = delivery.as<LedgerHead>(); head && first == 0) first = head->position.value;
    });
    tap.endpoint().on_gap([&](const std::string&, std::uint64_t count) { missing += count; });
    std::uint64_t published = 0;
    bool publishing = true;
    const auto both_until = [&](const std::function<bool()>& is_so, Duration within) {
        return eventually([&] {
            if (publishing) allocator.endpoint().publish(LedgerHead{.ledger = "L", .position = {++published}});
            allocator.until([] { return false; }, Duration{3});
            tap.until([] { return false; }, Duration{3});
            return is_so();
        }, within);
    };
    ASSERT_TRUE(both_until([&] { return heard >= 10; }, Duration{10'000}));
    cluster.process("broker").kill();
    const auto at_death = heard;
    const auto published_at_death = published;
    ASSERT_TRUE(both_until([&] { return published > published_at_death + 20; }, Duration{10'000}));
    cluster.start("broker");
    EXPECT_EQ(read_text(cluster.state() + "/bus.toml"), before);
    ASSERT_TRUE(both_until([&] { return heard > at_death + 10; }, Duration{15'000}));
    publishing = false;
    EXPECT_TRUE(both_until([&] { return heard + missing == published - first + 1; }, Duration{10'000}))
        << "lost in silence: " << published - first + 1 - heard - missing;
    std::printf("published %llu, heard %llu, known to be missing %llu\n", static_cast<unsigned long long>(published),
                static_cast<unsigned long long>(heard), static_cast<unsigned long long>(missing));
}

TEST(broker_restart, a_request_asked_while_there_is_no_broker_is_served_when_it_returns_in_time) {
    Cluster cluster;
    cluster.start("broker");
    Worker worker(cluster, "s-a");
    TestPeer reaper(cluster, "reaper", Role::reaper);
    ASSERT_TRUE(reaper.until([&] { return reaper.ask(TerminateOrphanRequest{.instance = "i"}, Duration{500}).has_value(); }));
    cluster.process("broker").kill();
    std::optional<Result<Done>> outcome;
    int tries = 0;
    const std::function<void()> again = [&] {
        ++tries;
        reaper.endpoint().request<TerminateOrphanRequest>({.instance = "i-2"}, Duration{10'000}, [&](const Result<Done>& reply) {
            // A worker that has not registered yet is "unavailable" at once: asking again is the caller's part.
            if (!reply && reply.error().kind == ErrorKind::unavailable) return again();
            outcome = reply;
        });
    };
    again();
    cluster.start("broker");
    ASSERT_TRUE(reaper.until([&] { return outcome.has_value(); }, Duration{15'000}));
    EXPECT_TRUE(*outcome) << (*outcome ? "" : outcome->error().text) << " after " << tries;
}

TEST(broker_restart, an_endpoint_tells_once_that_it_serves_and_the_next_request_reaches_it) {
    Cluster cluster;
    cluster.start("broker");                     // its addresses are known from now on
    cluster.process("broker").kill();
    cluster.mint("s-a", Role::scaler);
    TestPeer worker(cluster, "s-a", Role::scaler), reaper(cluster, "reaper", Role::reaper);
    int told = 0, rounds = 0;
    worker.endpoint().serve<TerminateOrphanRequest>(
        [](TerminateOrphanRequest, const bus::Delivery&, bus::Responder to) { to.reply(Done{.count = 1}); });
    worker.endpoint().when_serving([&] { ++told; });
    EXPECT_EQ(told, 0);
    worker.loop().every(Duration{10}, [&] { ++rounds; });
    ASSERT_TRUE(worker.until([&] { return rounds >= 20; }));
    EXPECT_EQ(told, 0) << "there is no broker yet that could have taken it";

    cluster.start("broker");
    ASSERT_TRUE(worker.until([&] { return told > 0; }));
    const auto answered = [&] {
        std::optional<Result<Done>> reply;
        reaper.endpoint().request<TerminateOrphanRequest>({.instance = "i-1"}, Duration{10'000}, [&](const Result<Done>& got) { reply = got; });
        return eventually([&] {                  // the worker always gets its turn, also when a refusal comes at once
            worker.until([] { return false; }, Duration{3});
            reaper.until([] { return false; }, Duration{3});
            return reply.has_value();
        }, Duration{15'000}) && *reply;        // the request itself has ended by then
    };
    EXPECT_TRUE(answered()) << "the first request already";

    cluster.process("broker").kill();
    cluster.start("broker");
    EXPECT_TRUE(eventually(answered, Duration{30'000}));
    EXPECT_EQ(told, 1) << "that it serves again is no news to who waits for its start";
}

TEST(broker_restart, a_process_that_is_older_than_a_jump_of_the_clock_is_heard_again_FieldReport22) {
    Cluster cluster;
    cluster.start("broker");
    Worker worker(cluster, "s-a");
    for (const auto ahead : {Duration{-120'000}, Duration{120'000}}) {       // the broker is the younger one, or the older
        TestPeer reaper(cluster, "reaper", Role::reaper, ahead);
        std::uint32_t asked = 0;
        const auto answered = [&] {
            ++asked;
            return reaper.ask(TerminateOrphanRequest{.instance = "i-1"}, patience).has_value();
        };
        EXPECT_TRUE(eventually(answered, Duration{15'000})) << "its clock differs by " << to_text(ahead);
        EXPECT_LE(asked, 3U) << "one refusal is enough to learn it";
        EXPECT_TRUE(answered()) << "and it stays so";
    }
}

}  // namespace
}  // namespace berth::testing
