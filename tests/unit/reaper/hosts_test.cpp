// SPDX-License-Identifier: Apache-2.0
// Silence makes a host unknown, only the provider makes it gone. A period is 15 s; 2.2 of them, 33 s.
#include "tests/unit/reaper/scenario.hpp"

namespace berth::reaper {
namespace {

ProviderSnapshot listing(const Scenario& world, std::vector<Instance> instances, bool complete = true) {
    return {.provider = "local", .read_at = world.now, .complete = complete, .instances = std::move(instances)};
}
Instance instance(std::string name, InstanceState state = InstanceState::running, std::string incarnation = "i1") {
    return {.instance = std::move(name), .incarnation = {std::move(incarnation)}, .state = state,
            .launched_at = start_of_time};
}

TEST(Hosts, ASilentHostIsUnknownAfterTwoPeriodsAndAFifth) {
    Scenario world;
    world.host(1);
    world.until(10);
    world.beat(1);
    world.until(60);
    EXPECT_EQ(world.story, (Story{"43 host.silent h-1"}));
    EXPECT_EQ(std::get<UnknownRequest>(world.asks[0].body).last_heartbeat_at, world.at(10));
}

TEST(Hosts, AnyWordOfAHostIsALifeSign) {
    Scenario world;
    world.host(1);
    world.every_second = [&] {
        world.take(HostActivity{.host = {"h-1"}, .incarnation = {"i1"}, .read_at = world.now});
    };
    world.until(200);
    EXPECT_EQ(world.story, Story{});
}

TEST(Hosts, TheWordOfAnotherIncarnationIsNone) {
    Scenario world;
    world.host(1);
    world.every_second = [&] { world.take(HostHeard{.host = {"h-1"}, .incarnation = {"i0"}}); };
    world.until(40);
    EXPECT_EQ(world.story, (Story{"33 host.silent h-1"}));
}

TEST(Hosts, ARefusalIsTriedAgainLaterEachTime) {
    Scenario world;
    world.host(1);
    world.every_second = [&] {
        if (!world.asks.empty()) world.answer(fail(Error{ErrorKind::conflict, "heard of late"}));
    };
    world.until(80);
    const Story tries{"33 host.silent h-1", "34 ask.refused h-1", "39 host.silent h-1", "40 ask.refused h-1"};
    EXPECT_EQ(Story(world.story.begin(), world.story.begin() + 4), tries);
    EXPECT_LE(world.story.size(), 14U);
}

TEST(Hosts, ARestartedReaperCountsSilenceFromItsOwnStart) {
    Scenario world;
    world.host(1);
    world.until(30);
    world.state = make_state({}, world.now);
    world.take(ViewReply{.view = world.ledger});
    world.until(63);
    EXPECT_EQ(world.story, Story{});
    world.until(65);
    EXPECT_EQ(world.story, (Story{"64 host.silent h-1"}));   // its first beacon came at 31
}

TEST(Hosts, WhoeverIsCutOffDeclaresNobodyUnknown) {
    Scenario world;
    world.host(1);
    world.until(10);
    world.beat(1);
    world.beacon = false;   // the reaper's own link is cut
    world.until(100);
    EXPECT_EQ(world.story, Story{});

    world.beacon = true;    // heard again at 101: the host has until 134
    world.until(133);
    EXPECT_EQ(world.story, Story{});
    world.until(145);
    EXPECT_EQ(world.story.size(), 1U);
}

TEST(Hosts, AnUnknownHostIsNotAskedAboutAgain) {
    Scenario world;
    world.host(1);
    world.until(33);
    world.tell(HostUnknown{.host = {{"h-1"}, {"i1"}}});
    world.answer();
    world.until(300);
    EXPECT_EQ(world.story, (Story{"33 host.silent h-1"}));
}

TEST(Hosts, TerminatedByTheProvidersWordIsGoneAtOnce) {
    Scenario world;
    world.host(1);
    world.until(5);
    world.take(listing(world, {instance("h-1", InstanceState::terminated)}));
    EXPECT_EQ(world.story, (Story{"5 host.ended h-1"}));
    EXPECT_EQ(std::get<GoneRequest>(world.asks[0].body).host, (HostRef{{"h-1"}, {"i1"}}));
}

TEST(Hosts, TerminatedOfAnotherIncarnationIsNotThisOne) {
    Scenario world;
    world.host(1);
    world.every_second = [&] { world.beat(1); };
    world.until(5);
    world.take(listing(world, {instance("h-1", InstanceState::terminated, "i0")}));
    EXPECT_EQ(world.story, Story{});
}

TEST(Hosts, I15_AbsenceIsProofOnlyTwiceAndFarEnoughApartAndInSilence) {
    struct Row {
        std::string name;
        std::function<void(Scenario&)> listings;  // each 10 s, from 40 s on; the host is silent from 0
        Story tail;
    };
    const std::vector<Row> rows = {
        {"absent throughout", [](Scenario& w) { w.take(listing(w, {})); }, {"100 host.ended h-1"}},
        {"present", [](Scenario& w) { w.take(listing(w, {instance("h-1")})); }, {}},
        {"incomplete", [](Scenario& w) { w.take(listing(w, {}, false)); }, {}},
        {"present once in between",
         [](Scenario& w) { w.take(listing(w, w.second() == 80 ? std::vector{instance("h-1")} : std::vector<Instance>{})); },
         {"150 host.ended h-1"}},
        {"incomplete in between",
         [](Scenario& w) { w.take(listing(w, {}, w.second() != 80)); }, {"100 host.ended h-1"}},
        {"of another provider",
         [](Scenario& w) {
             auto other = listing(w, {});
             other.provider = "aws";
             w.take(other);
         },
         {}},
        {"replaced by another incarnation",
         [](Scenario& w) { w.take(listing(w, {instance("h-1", InstanceState::running, "i2")})); }, {"100 host.ended h-1"}},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        Scenario world;
        world.host(1);
        world.every_second = [&] {
            if (world.second() == 34) {
                world.tell(HostUnknown{.host = {{"h-1"}, {"i1"}}});
                world.answer();
            }
            if (world.second() >= 40 && world.second() % 10 == 0) row.listings(world);
        };
        world.until(200);
        Story expected{"33 host.silent h-1"};
        expected.insert(expected.end(), row.tail.begin(), row.tail.end());
        EXPECT_EQ(world.story, expected);
    }
}

TEST(Hosts, AHostThatIsHeardIsNotGoneBecauseAListingLacksIt) {
    Scenario world;
    world.host(1);
    world.every_second = [&] {
        world.beat(1);
        if (world.second() % 10 == 0) world.take(listing(world, {}));
    };
    world.until(300);
    EXPECT_EQ(world.story, Story{});
}

TEST(Hosts, AHostThatIsGoneIsForgotten) {
    Scenario world;
    world.host(1);
    world.tell(HostGone{.host = {{"h-1"}, {"i1"}}});
    EXPECT_TRUE(world.state.hosts.empty());
    EXPECT_TRUE(world.state.host_wakes.empty());
    world.until(100);
    EXPECT_EQ(world.story, Story{});
}

// Requirement 19: no listing ever had it, so none that lacks it says anything.
TEST(Hosts, AHostThatNobodyLaunchedIsNotGoneBecauseListingsLackIt) {
    Scenario world;
    world.tell(HostRegistered{.host = {"h-1"}, .incarnation = {"i1"}, .pool = {"default"}, .slots = 2});
    world.every_second = [&] {
        if (world.second() == 34) {
            world.tell(HostUnknown{.host = {{"h-1"}, {"i1"}}});
            world.answer();
        }
        if (world.second() % 10 == 0) world.take(listing(world, {}));
    };
    world.until(600);
    EXPECT_EQ(world.story, (Story{"33 host.silent h-1"}));
}

}  // namespace
}  // namespace berth::reaper
