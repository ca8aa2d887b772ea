// SPDX-License-Identifier: Apache-2.0
// Real hosts go: only a surplus that lasted, by cordon, drain, permit, check and then the end; and
// never a host with a lease.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "bus/keys.hpp"
#include "tests/integration/scaler/fleet.hpp"

namespace berth::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

std::vector<std::string> steps_of(const std::vector<FactRecord>& facts, const HostId& host) {
    std::vector<std::string> steps;
    for (const auto& record : facts) {
        const auto subjects = subjects_of(record.fact);
        const bool about = std::find(subjects.begin(), subjects.end(), host.value) != subjects.end();
        if (about && type_of(record.fact).starts_with("host.")) steps.emplace_back(type_of(record.fact));
    }
    return steps;
}

TEST(ScalerGivingBack, ends_the_idle_host_with_a_permit_and_nothing_of_it_is_left_I13_I16) {
    Fleet fleet{"slots_per_host = 1\nbuffer = 1\nhosts_max = 3\n", "cooldown = \"100ms\"\nshrink_after = \"500ms\"\n"};
    fleet.start();
    const auto ada = fleet.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    const auto bob = fleet.claim("bob");
    ASSERT_TRUE(bob) << bob.error().text;
    ASSERT_TRUE(fleet.until([](const View& view) { return live_hosts(view) == 3 && free_slots(view) == 1; }));

    ASSERT_TRUE(fleet.release(bob->workspace));
    ASSERT_TRUE(fleet.until([](const View& view) { return live_hosts(view) == 2; }, Duration{20'000})) << fleet.cluster.log_of("scaler");
    const auto facts = fleet.facts();
    EXPECT_EQ(wrong_ends(facts), "");
    const auto gone = fleet.facts_of<HostGone>();
    ASSERT_THAT(gone, SizeIs(1));
    const auto& victim = gone[0].host;
    EXPECT_NE(victim.host, ada->host);
    EXPECT_THAT(steps_of(facts, victim.host), ElementsAre("host.registered", "host.cordoned", "host.drained", "host.gone"));
    EXPECT_TRUE(fleet.agents_of(victim.host).empty());
    EXPECT_FALSE(std::filesystem::exists(fleet.folder_of(victim.host)));
    EXPECT_FALSE(std::filesystem::exists(fleet.cluster.state() + "/keys/" + victim.host.value + ".key")) << "it speaks no more";
    EXPECT_TRUE(std::filesystem::exists(fleet.cluster.state() + "/ended_hosts/" + victim.host.value + ".json"));
    EXPECT_EQ(fleet.phase_of(ada->workspace), SlotPhase::bound) << "the other user noticed nothing";
    EXPECT_TRUE(std::filesystem::exists(fleet.cluster.state() + "/homes")) << "homes are not the host's";
}

TEST(ScalerGivingBack, a_full_fleet_is_never_shrunk_and_the_host_that_an_operator_ends_is) {
    Fleet fleet{"slots_per_host = 1\nbuffer = 0\nhosts_max = 2\n", "cooldown = \"100ms\"\nshrink_after = \"200ms\"\n"};
    fleet.start();
    const auto ada = fleet.claim("ada");
    const auto bob = fleet.claim("bob");
    ASSERT_TRUE(ada && bob) << fleet.cluster.log_of("scaler");
    TestPeer gateway(fleet.cluster, "gateway", Role::gateway);
    const auto host = fleet.view().hosts.at(ada->host);
    const HostRef ref{host.host, host.incarnation};
    const auto asked = gateway.ask(EndHostRequest{.host = ref, .why = "maintenance"});
    ASSERT_TRUE(asked) << asked.error().text;
    EXPECT_EQ(asked->waits_for, "1 workspace on it; --force stops them now") << "ada is there";
    fleet.cluster.process("allocator").kill();
    fleet.cluster.start("allocator");
    ASSERT_TRUE(fleet.until([&](const View& view) { return view.hosts.contains(ref.host); }));
    EXPECT_TRUE(eventually([&] { return fleet.phase_of(ada->workspace) == SlotPhase::bound; }, Duration{40'000})) << "its host speaks again";
    EXPECT_TRUE(fleet.facts_of<HostDrained>().empty());

    ASSERT_TRUE(fleet.release(ada->workspace));
    ASSERT_TRUE(fleet.until([&](const View& view) { return view.hosts.at(ada->host).liveness == Liveness::gone; }, Duration{30'000}))
        << "who asked for its end is gone, the fact stays: " << fleet.cluster.log_of("scaler");
    EXPECT_EQ(wrong_ends(fleet.facts()), "");
    EXPECT_THAT(steps_of(fleet.facts(), ada->host),
                ElementsAre("host.registered", "host.ending", "host.cordoned", "host.sealing", "host.drained", "host.gone"));
    EXPECT_TRUE(eventually([&] { return fleet.phase_of(bob->workspace) == SlotPhase::bound; }, Duration{40'000}));
}

// The surplus is there all along; what is missing is somebody who can say so.
TEST(ScalerGivingBack, nothing_is_ended_while_the_allocator_is_away) {
    Fleet fleet{"slots_per_host = 1\nbuffer = 0\nhosts_max = 2\n",
                "cooldown = \"100ms\"\nshrink_after = \"5s\"\nbeacon_silence = \"1s\"\nask_timeout = \"1s\"\n",
                "[ledger]\nbeacon = \"100ms\"\n"};
    fleet.start();
    const auto ada = fleet.claim("ada");
    const auto bob = fleet.claim("bob");
    ASSERT_TRUE(ada) << ada.error().text << fleet.cluster.log_of("scaler");
    ASSERT_TRUE(bob) << bob.error().text << fleet.cluster.log_of("scaler");
    ASSERT_TRUE(fleet.release(ada->workspace));
    ASSERT_TRUE(fleet.release(bob->workspace));
    ASSERT_TRUE(fleet.until([](const View& view) { return free_slots(view) == 2; }));
    fleet.cluster.process("allocator").kill();
    TestPeer tap(fleet.cluster, "tap", Role::tap);
    std::uint32_t heard = 0;
    tap.endpoint().subscribe("provider.snapshot", [&](const bus::Delivery&) { ++heard; });
    ASSERT_TRUE(tap.until([&] { return heard >= 28; }, Duration{30'000})) << "the provider goes on being listed";
    EXPECT_THAT(fleet.instances(), SizeIs(2));
    for (const auto& instance : fleet.instances()) EXPECT_THAT(fleet.agents_of({instance.host}), SizeIs(1));
    EXPECT_EQ(fleet.cluster.log_of("scaler").find("host.victim"), std::string::npos) << "not even thought of";

    fleet.cluster.start("allocator");
    ASSERT_TRUE(fleet.until([](const View& view) { return view.hosts.size() == 2 && live_hosts(view) == 0; }, Duration{40'000}))
        << "with the numbers back, both are given back: " << fleet.cluster.log_of("scaler");
    EXPECT_EQ(wrong_ends(fleet.facts()), "");
}

}  // namespace
}  // namespace berth::testing
