// SPDX-License-Identifier: Apache-2.0
// A restart after kill -9: a ledger with so many leases in its snapshot and a tail of facts after it is made by the
// core itself, and the real allocator starts on it, again and again, until its first right claim.
//
//   bench_restart LEASES TAIL
//   {"do": "restart"}     kills the allocator, starts it, claims until it is granted
#include <thread>

#include "allocator/ledger/sqlite/store.hpp"
#include "allocator/ledger/stored.hpp"
#include "base/clock.hpp"
#include "bench/plumbing/histogram.hpp"
#include "bench/plumbing/play.hpp"
#include "bench/plumbing/turns.hpp"
#include "tests/integration/allocator/scripted_host.hpp"

namespace {

using namespace berth;
using namespace berth::bench;
using namespace berth::testing;

constexpr std::uint32_t slots = 20;
constexpr std::size_t batch = 5'000;          // facts of one append
constexpr double patience_s = 300;            // of one restart

template <class T>
T good(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class Writer {
public:
    explicit Writer(allocator::Ledger& ledger) : ledger_(ledger) {}
    /// What the play has decided so far becomes durable, and is forgotten there.
    void take(Play& play, std::size_t least = 0) {
        if (play.facts.size() < least) return;
        for (std::size_t at = 0; at < play.facts.size(); at += batch) {
            const auto from = play.facts.begin() + static_cast<std::ptrdiff_t>(at);
            const auto to = play.facts.begin() + static_cast<std::ptrdiff_t>(std::min(at + batch, play.facts.size()));
            good(append_now(ledger_, {from, to}, ledger_.head()));
        }
        count += play.facts.size();
        play.facts.clear();
    }
    std::size_t count = 0;

private:
    allocator::Ledger& ledger_;
};

Json make_ledger(const std::string& path, std::size_t leases, std::size_t tail) {
    const auto begun = Steady::now();
    const auto ledger = good(allocator::StoredLedger::open(good(allocator::SqliteStore::open({path, 0}))));
    const auto hosts = static_cast<std::uint32_t>((leases + slots - 1) / slots);
    const RealClock clock;
    Play play(hosts, slots, Play::Facts::kept, ledger->id(), clock.now());
    Writer writer(*ledger);
    for (std::size_t left = std::size_t{hosts} * slots; left > 0;) {      // all hosts are full
        const auto now = std::min(left, play_outstanding);
        play.claim(now);
        left -= now;
        writer.take(play, batch);
    }
    writer.take(play);
    const auto in_snapshot = writer.count;
    good(ledger->save_snapshot(play.view()));
    for (std::uint32_t i = 0; i <= play_outstanding / slots; ++i) play.add_host(fmt::format("spare-{}", i));   // where the tail happens
    while (writer.count - in_snapshot < tail) {
        play.release(play.claim(play_outstanding));
        writer.take(play);
    }
    return {{"leases", hosts * slots}, {"facts", in_snapshot}, {"tail", writer.count - in_snapshot}, {"seconds", seconds_since(begun)}};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    Cluster cluster("[pool.default]\nslots_per_host = 20\nstandbys = 20\n[ledger]\nsnapshot_facts = 1000000000\n");
    const auto made = make_ledger(cluster.state() + "/ledger.sqlite", std::stoul(argv[1]), std::stoul(argv[2]));
    cluster.start("broker", {"--log-level", "warn"});
    const auto start = [&] {
        std::vector<std::string> words{std::string{BERTH_BIN_DIR} + "/berth-allocator", "--config", cluster.config()};
        for (const auto* word : {"--state", cluster.state().c_str(), "--log-level", "warn"}) words.emplace_back(word);
        return std::make_unique<Child>(std::move(words), cluster.state() + "/log/allocator.log");
    };
    auto allocator = start();
    TestPeer robot(cluster, "robot", Role::client);
    std::uint64_t number = 0;
    const auto claim_until_granted = [&] {
        const auto begun = Steady::now();
        while (seconds_since(begun) < patience_s) {
            const auto key = std::to_string(++number);
            const auto reply = robot.ask(ClaimRequest{.key = {"r" + key}, .user = {"r" + key}, .project = {"p"}}, Duration{2'000});
            if (reply && reply->state == ClaimState::granted) return seconds_since(begun);
            if (!allocator->alive()) throw std::runtime_error("the allocator ended: " + cluster.log_of("allocator"));
            robot.until([] { return false; }, Duration{5});
        }
        throw std::runtime_error("no claim was granted");
    };
    ScriptedHost host(cluster, "h-real", slots);       // the first by name of those with a free slot
    const auto begun = Steady::now();
    while (!host.enrol() && seconds_since(begun) < patience_s && allocator->alive()) host.peer().until([] { return false; }, Duration{20});
    // With many hosts one of them is heard at any time; a slot is given only where the host was heard.
    host.peer().loop().every(Duration{20}, [&] {
        HostHeartbeat beat{.host = {"h-real"}, .incarnation = {"i-h-real"}};
        for (const auto& [slot, report] : host.reports()) beat.slots.push_back(report);
        host.peer().endpoint().request<HostHeartbeat>(beat, Duration{1'000}, [](Result<HostOrders>) {});
    });
    std::thread serving([&] { host.peer().loop().run(); });
    claim_until_granted();
    serve_turns({{"ready", true}, {"made", made}}, {{"restart", [&](const Json&) -> Json {
        allocator->kill();
        const auto killed = Steady::now();
        allocator = start();
        claim_until_granted();
        return {{"count", 1}, {"seconds", seconds_since(killed)}};
    }}});
    host.peer().loop().stop();
    serving.join();
    return 0;
}
