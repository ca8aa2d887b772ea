// SPDX-License-Identifier: Apache-2.0
// Event streams under losses, slow readers and pages that come late: every fact once and in order.
#include <gmock/gmock.h>

#include <deque>
#include <sstream>

#include "base/rng.hpp"
#include "gateway/streams.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace berth::gateway::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr ClientId reader = 7;

// A ledger that grows, a follower that may lose facts, and readers that take their time.
class World {
public:
    World() {
        picture = scene();
        picture.policy.replay_page = 3;
        picture.view.position = Position{0};
        Streams::Out out;
        out.push = [this](ClientId client, std::string bytes, Tell tell) {
            sent[client] += bytes;
            if (tell == Tell::when_drained) undrained.push_back(client);
        };
        out.end = [this](ClientId client, std::string last) { ended[client] += last; };
        out.read = [this](FactsRequest request, std::function<void(Result<FactsReply>)> done) { reads.emplace_back(request, std::move(done)); };
        out.later = [this](std::function<void()> work) { postponed.push_back(std::move(work)); };
        streams = std::make_unique<Streams>(picture, std::move(out));
    }
    void append() {
        const Position next{ledger.size() + 1};
        ledger.push_back({.position = next, .fact = PoolDefined{.pool = PoolName{"p" + std::to_string(next.value)}}, .reason = Reason{"test", "test", "1"}});
        if (lost) return;
        picture.view.position = next;
        streams->on_fact(ledger.back());
    }
    void look_again() {           // the whole picture is read anew
        lost = false;
        picture.view.position = Position{ledger.size()};
        streams->on_view();
    }
    void answer_read(bool well) {
        if (reads.empty()) return;
        auto [request, done] = std::move(reads.front());
        reads.pop_front();
        if (!well) return done(fail(ErrorKind::unavailable, "the allocator is away"));
        FactsReply reply{.head = Position{ledger.size()}};
        for (auto at = std::max<std::size_t>(request.from.value, 1); at <= ledger.size() && reply.facts.size() < request.limit; ++at) reply.facts.push_back(ledger[at - 1]);
        done(std::move(reply));
    }
    void drain() {
        if (undrained.empty()) return;
        const auto client = undrained.front();
        undrained.pop_front();
        streams->drained(client);
    }
    void again() {
        if (postponed.empty()) return;
        const auto work = std::move(postponed.front());
        postponed.pop_front();
        work();
    }
    void settle() {
        if (lost) look_again();
        for (int i = 0; i < 1000 && !(reads.empty() && undrained.empty() && postponed.empty()); ++i) {
            answer_read(true);
            drain();
            again();
        }
    }
    std::vector<std::uint64_t> positions(ClientId client) {
        std::vector<std::uint64_t> all;
        std::istringstream lines(sent[client]);
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with("id: l-1:")) all.push_back(std::stoull(line.substr(8)));
        }
        return all;
    }
    StreamWish wish(std::optional<std::uint64_t> from = {}) const {
        StreamWish made{.caller = {TokenRole::operations, UserId{"ops"}, "t-1"}};
        if (from) made.from = Position{*from};
        return made;
    }

    Picture picture;
    std::unique_ptr<Streams> streams;
    std::vector<FactRecord> ledger;
    bool lost = false;
    std::map<ClientId, std::string> sent, ended;
    std::deque<ClientId> undrained;
    std::deque<std::pair<FactsRequest, std::function<void(Result<FactsReply>)>>> reads;
    std::deque<std::function<void()>> postponed;
};

TEST(Streams, without_a_position_tells_of_what_comes) {
    World world;
    world.append();
    world.streams->open(reader, world.wish());
    world.append();
    world.append();
    EXPECT_THAT(world.positions(reader), ElementsAre(2, 3));
    EXPECT_TRUE(world.reads.empty());
}

TEST(Streams, from_a_position_reads_page_by_page_as_its_reader_takes_them) {
    World world;
    for (int i = 0; i < 7; ++i) world.append();
    world.streams->open(reader, world.wish(2));
    world.answer_read(true);
    EXPECT_THAT(world.positions(reader), ElementsAre(2, 3, 4));
    EXPECT_TRUE(world.reads.empty()) << "no next page before the first is taken";
    world.append();
    EXPECT_THAT(world.positions(reader), ElementsAre(2, 3, 4)) << "what comes waits its turn";
    world.settle();
    world.append();
    EXPECT_THAT(world.positions(reader), ElementsAre(2, 3, 4, 5, 6, 7, 8, 9));
}

TEST(Streams, every_fact_comes_once_and_in_order_whatever_is_lost_and_late) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        World world;
        Rng random(seed);
        for (std::uint64_t i = random.below(12); i > 0; --i) world.append();
        const auto from = 1 + random.below(world.ledger.size() + 1);
        world.streams->open(reader, world.wish(from));
        for (int i = 0; i < 60; ++i) {
            switch (random.below(7)) {
                case 0:
                case 1: world.append(); break;
                case 2: world.lost = true; break;
                case 3: world.look_again(); break;
                case 4: world.answer_read(random.below(4) != 0); break;
                case 5: world.drain(); break;
                default: world.again(); break;
            }
        }
        world.settle();
        std::vector<std::uint64_t> wanted;
        for (auto at = from; at <= world.ledger.size(); ++at) wanted.push_back(at);
        ASSERT_EQ(world.positions(reader), wanted) << "seed " << seed;
    }
}

TEST(Streams, of_another_ledger_the_reader_is_told) {
    World world;
    world.append();
    auto wish = world.wish(5);
    wish.ledger = "l-0";
    world.streams->open(reader, wish);
    EXPECT_THAT(world.sent[reader], HasSubstr("event: gap"));
    world.append();
    EXPECT_THAT(world.positions(reader), ElementsAre(2));
    world.picture.view.ledger = "l-2";
    world.streams->on_view();
    EXPECT_THAT(world.sent[reader], HasSubstr("another one now"));
}

TEST(Streams, a_users_stream_passes_over_what_is_anothers) {
    World world;
    auto wish = world.wish(1);
    wish.caller = {TokenRole::user, UserId{"bob"}, "t-3"};
    world.append();
    world.streams->open(reader, wish);
    world.settle();
    world.append();
    EXPECT_THAT(world.positions(reader), IsEmpty());
    EXPECT_THAT(world.sent[reader], Not(HasSubstr("pool.defined")));
}

TEST(Streams, are_bounded_and_end_with_their_token) {
    World world;
    world.picture.policy.streams_max = 3;
    world.picture.policy.streams_per_caller_max = 2;
    const auto wish = world.wish();
    for (ClientId client = 1; client <= 2; ++client) {
        ASSERT_TRUE(world.streams->check_room(wish.caller));
        world.streams->open(client, wish);
    }
    EXPECT_EQ(world.streams->check_room(wish.caller).error().kind, ErrorKind::limit);
    auto other = wish;
    other.caller = {TokenRole::user, UserId{"bob"}, "t-3"};
    ASSERT_TRUE(world.streams->check_room(other.caller));
    world.streams->open(3, other);
    EXPECT_EQ(world.streams->check_room({TokenRole::user, UserId{"eve"}, "t-4"}).error().kind, ErrorKind::limit);
    const Instant now{Duration{1'000'000}};
    ASSERT_TRUE(world.picture.tokens.remove("t-1") && world.picture.tokens.remove("t-3"));
    ASSERT_TRUE(world.picture.tokens.add({.id = "t-1", .user = UserId{"ops"}, .hash = hash_of_token(operator_token), .expires_at = now + Duration{5'000}}));
    world.streams->end_without_token(now);
    EXPECT_THAT(world.ended[3], HasSubstr("revoked"));
    EXPECT_TRUE(world.ended[1].empty());
    world.streams->end_without_token(now + Duration{5'000});
    EXPECT_THAT(world.ended[1], HasSubstr("the token is over since")) << "field report 5";
    EXPECT_THAT(world.ended[2], HasSubstr("event: error"));
}

}  // namespace
}  // namespace berth::gateway::testing
