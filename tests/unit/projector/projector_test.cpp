// SPDX-License-Identifier: Apache-2.0
// Pictures of a view, and that what stands in a place ends as the picture whatever befalls the writing of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/rng.hpp"
#include "projector/step.hpp"

namespace berth::projector {
namespace {

using ::testing::Contains;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

const Instant begin{Duration{1'800'000'000'000}};

View view_of(std::uint64_t position, int hosts, int leased) {
    View view;
    view.ledger = "l-1";
    view.position = {position};
    for (int i = 1; i <= hosts; ++i) {
        HostView host{.host = {fmt::format("h-{}", i)}, .incarnation = {"i"}, .pool = {"default"}, .instance = fmt::format("i-{}", i), .public_ip = "1.2.3.4"};
        host.slots.resize(1);
        if (i <= leased) {
            host.slots[0].use = SlotUse::leased;
            const WorkspaceId id{fmt::format("w-{}", i)};
            view.workspaces[id] = {.workspace = id, .user = {fmt::format("u{}", i)}, .project = {"p"}, .pool = {"default"}, .state = WorkspaceState::active,
                                   .host = host.host, .leased = true, .container = {"k"}, .expires_at = begin};
        }
        view.hosts[host.host] = host;
    }
    return view;
}

/// A store as a sink sees it, which loses and fails.
struct Place {
    Picture holds;
    void write(const Write& wanted) {
        for (const auto& [key, fields] : wanted.set) holds[key] = fields;
        for (const auto& key : wanted.removed) holds.erase(key);
    }
    std::vector<std::string> keys() const {
        std::vector<std::string> found;
        for (const auto& [key, fields] : holds) found.push_back(key);
        return found;
    }
};

TEST(Picture, ShowsContainersUsersAndHostsWithTheirLoad) {
    const auto picture = redis_picture(view_of(7, 2, 1), {{{"h-1"}, {.incarnation = {"i"}, .load = {.cpu = 0.5, .containers = 3}, .at = begin}},
                                                          {{"h-2"}, {.incarnation = {"of before"}, .load = {.cpu = 0.9}}}});
    EXPECT_THAT(picture.at("picture"), Contains(Pair("position", "7")));
    EXPECT_THAT(picture.at("container:w-1"), Contains(Pair("host", "h-1")));
    EXPECT_THAT(picture.at("user:u1"), Contains(Pair("p", "w-1 h-1 k")));
    EXPECT_THAT(picture.at("host:h-1"), Contains(Pair("cpu", "0.500")));
    EXPECT_THAT(picture.at("host:h-1"), Contains(Pair("state", "used")));
    EXPECT_THAT(picture.at("host:h-2"), Contains(Pair("state", "idle")));
    EXPECT_THAT(picture.at("host:h-2"), Not(Contains(Key("cpu")))) << "the load is that of an earlier life";
}

TEST(Picture, ShowsAPoolOfMachinesWithoutEmptyAttributes) {
    const auto picture = pool_picture(view_of(7, 2, 1), {});
    EXPECT_EQ(picture.at("i-1"), (Fields{{"status", "used"}, {"publicIp", "1.2.3.4"}, {"leaseExpiry", to_rfc3339(begin)}, {"userId", "u1"}}));
    EXPECT_EQ(picture.at("i-2"), (Fields{{"status", "idle"}, {"publicIp", "1.2.3.4"}}));
}

template <class T>
T only_call(Decisions decisions) {
    if (decisions.calls.size() != 1) throw std::runtime_error(fmt::format("{} calls", decisions.calls.size()));
    return std::get<T>(std::move(decisions.calls.front()));
}
Instant at(int ms) { return begin + Duration{ms}; }

/// A projector that knows its view and what stands in its place.
State at_place(const Policy& policy, View view, std::vector<std::string> stands = {}) {
    auto state = make_state(policy);
    step(state, ViewReply{std::move(view), {}}, begin);
    const auto list = only_call<List>(step(state, Tick{}, begin));
    step(state, Listed{list.place, std::move(stands)}, begin);
    return state;
}

TEST(Projector, WritesOnlyWhatChangedAndRemovesWhatIsNoMore) {
    auto state = at_place({.redis = "redis://x"}, view_of(1, 2, 1), {"host:old"});
    const auto first = only_call<Write>(step(state, Tick{}, begin));
    EXPECT_EQ(first.removed, std::vector<std::string>{"host:old"});
    EXPECT_EQ(first.set.size(), 5U);
    EXPECT_TRUE(step(state, Tick{}, begin).calls.empty()) << "one call at a time";
    step(state, Written{PlaceKind::redis, {}}, begin);
    EXPECT_TRUE(step(state, Tick{}, at(1)).calls.empty());

    step(state, ViewReply{view_of(2, 2, 2), {}}, at(2));
    const auto second = only_call<Write>(step(state, Tick{}, at(2)));
    EXPECT_THAT(second.set, Not(Contains(Key("host:h-1"))));
    EXPECT_THAT(second.set, Contains(Key("user:u2")));
    step(state, Written{PlaceKind::redis, {}}, at(3));
    const auto third = only_call<Write>(step(state, Tick{}, at(50'000)));
    EXPECT_TRUE(third.set.empty());
    EXPECT_EQ(third.renewed.size(), 7U) << "lifetimes begin anew";
}

TEST(Projector, SaysUpToWhereThePictureIsWholeAndHowFarItLags) {
    auto state = at_place({.redis = "redis://x", .changes_max = 3}, view_of(9, 3, 1));
    EXPECT_EQ(lag_of(state.places[0], at(700)), Duration{700});
    for (int write = 1; write <= 2; ++write) {                 // six entries
        const auto part = only_call<Write>(step(state, Tick{}, at(write)));
        EXPECT_EQ(part.set.size(), 3U);
        EXPECT_EQ(part.set.contains(head_key), write == 2) << "what says so is written last";
        EXPECT_EQ(state.places[0].position.value, 0U);
        step(state, Written{PlaceKind::redis, {}}, at(write));
    }
    EXPECT_EQ(state.places[0].position.value, 9U);
    EXPECT_EQ(lag_of(state.places[0], at(20'000)), Duration{0});

    step(state, ViewReply{view_of(10, 3, 2), {}}, at(1'000));
    only_call<Write>(step(state, Tick{}, at(1'500)));
    const auto failed = step(state, Written{PlaceKind::redis, fail(ErrorKind::unavailable, "x")}, at(2'000));
    EXPECT_EQ(failed.lines.at(0).event, "picture.not_written");
    EXPECT_EQ(lag_of(state.places[0], at(12'000)), Duration{11'000}) << "since the change, not since the failure";
    const auto late = step(state, Tick{}, at(12'000));
    EXPECT_EQ(late.lines.at(0).event, "picture.behind");
}

TEST(Projector, WhatWasTakenAwayComesBackAndNothingElseIsWritten) {
    auto state = at_place({.dynamodb = "worker_pool"}, view_of(1, 3, 0));
    EXPECT_EQ(only_call<Write>(step(state, Tick{}, at(1'000))).set.size(), 3U);
    step(state, Written{PlaceKind::dynamodb, {}}, at(1'000));
    only_call<List>(step(state, Tick{}, at(61'000)));
    const auto told = step(state, Listed{PlaceKind::dynamodb, std::vector<std::string>{"i-1", "i-3", "i-9"}}, at(61'001));
    EXPECT_EQ(told.lines.at(0).event, "picture.lost");
    const auto mends = only_call<Write>(step(state, Tick{}, at(62'000)));
    EXPECT_EQ(mends.set.size(), 1U);
    EXPECT_THAT(mends.set, Contains(Key("i-2")));
    EXPECT_EQ(mends.removed, std::vector<std::string>{"i-9"});
}

TEST(Projector, WritesToDynamoDbAtABoundedRateAndEachHasItsTurn) {
    auto state = at_place({.dynamodb = "worker_pool", .dynamodb_changes_per_s = 2}, view_of(1, 5, 0));
    std::set<std::string> written;
    std::size_t most = 0;
    for (int ms = 500; ms <= 5'000; ms += 500) {
        auto decisions = step(state, Tick{}, at(ms));
        for (auto& call : decisions.calls) {
            if (auto* write = std::get_if<Write>(&call)) {
                most = std::max(most, write->set.size());
                for (const auto& [key, fields] : write->set) written.insert(key);
                step(state, Written{PlaceKind::dynamodb, {}}, at(ms));
            }
        }
        // They beat much faster than may be written.
        for (int host = 1; host <= 5; ++host) {
            step(state, HostHeartbeat{.host = {fmt::format("h-{}", host)}, .incarnation = {fmt::format("i{}", ms)}}, at(ms));
            state.loads.at({fmt::format("h-{}", host)}).incarnation = {"i"};
        }
    }
    EXPECT_LE(most, 2U);
    EXPECT_EQ(written.size(), 5U) << "also those whose keys come late";
    EXPECT_LE(state.places[0].changes, 2U + 2 * 5) << "a second's worth at once, and then so many a second";
}

TEST(Projector, TakesALoadAtABoundedRate) {
    auto state = make_state({.redis = "redis://x"});
    step(state, ViewReply{view_of(1, 1, 0), {}}, begin);
    const auto beat = [&](double cpu, int ms) { step(state, HostHeartbeat{.host = {"h-1"}, .incarnation = {"i"}, .load = {.cpu = cpu}}, at(ms)); };
    beat(0.1, 0);
    beat(0.2, 5'000);
    EXPECT_EQ(state.loads.at({"h-1"}).load.cpu, 0.1);
    beat(0.3, 15'000);
    EXPECT_EQ(state.loads.at({"h-1"}).load.cpu, 0.3);
}

TEST(Projector, AViewThatIsLostIsShownNoLongerThanItsLifetime) {
    auto state = at_place({.redis = "redis://x"}, view_of(1, 2, 1));
    only_call<Write>(step(state, Tick{}, begin));
    step(state, Written{PlaceKind::redis, {}}, begin);
    step(state, ViewLost{}, at(1));
    EXPECT_TRUE(step(state, Tick{}, at(60'000)).calls.empty()) << "nothing is renewed, and nothing is removed";
}

TEST(Projector, EndsAtThePictureWhateverBefallsTheWriting) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SCOPED_TRACE(seed);
        Rng rng(seed);
        const auto kind = seed % 2 == 0 ? PlaceKind::redis : PlaceKind::dynamodb;
        const Policy policy{.redis = kind == PlaceKind::redis ? "redis://x" : "", .dynamodb = kind == PlaceKind::dynamodb ? "t" : "", .changes_max = 3};
        Place place;
        place.holds["container:of-before"] = {{"state", "running"}};
        auto state = make_state(policy);
        auto now = begin;
        View last;
        for (int turn = 0; turn < 700; ++turn) {
            const bool calm = turn > 100;                      // long enough to be looked at once more
            now += Duration{200};
            if (!calm && rng.chance(0.2)) {
                last = view_of(static_cast<std::uint64_t>(turn + 1), static_cast<int>(rng.below(5)), static_cast<int>(rng.below(4)));
                step(state, ViewReply{last, {}}, now);
            }
            if (!calm && rng.chance(0.05)) {                   // killed, and started anew
                state = make_state(policy);
                if (last.position.value > 0) step(state, ViewReply{last, {}}, now);
            }
            if (!calm && rng.chance(0.03)) place.holds.clear();
            for (const auto& call : step(state, Tick{}, now).calls) {
                const bool fails = !calm && rng.chance(0.3);
                if (std::holds_alternative<List>(call)) {
                    step(state, Listed{kind, fails ? Result<std::vector<std::string>>{fail(ErrorKind::timeout, "x")} : place.keys()}, now);
                } else {
                    const auto& write = std::get<Write>(call);
                    EXPECT_LE(write.set.size() + write.removed.size(), 3U);
                    if (!fails || rng.chance(0.5)) place.write(write);        // done, though it says that it failed
                    step(state, Written{kind, fails ? Result<void>{fail(ErrorKind::timeout, "x")} : Result<void>{}}, now);
                }
            }
        }
        if (last.position.value == 0) continue;
        EXPECT_EQ(place.holds, kind == PlaceKind::redis ? redis_picture(last, {}) : pool_picture(last, {}));
        EXPECT_EQ(state.places[0].position, last.position);
    }
}

}  // namespace
}  // namespace berth::projector
