// SPDX-License-Identifier: Apache-2.0
// Real hosts come: the buffer, its refill, and launches that bring nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/integration/scaler/fleet.hpp"

namespace berth::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* one_slot_each = "slots_per_host = 1\nbuffer = 1\nhosts_max = 3\n";

TEST(ScalerGrowth, launches_the_buffer_refills_it_after_a_claim_and_stops_at_the_most_req_11) {
    Fleet fleet{one_slot_each, "cooldown = \"100ms\"\n"};
    fleet.start();
    ASSERT_TRUE(fleet.until([](const View& view) { return free_slots(view) == 1; })) << fleet.cluster.log_of("scaler");
    EXPECT_THAT(fleet.facts_of<LaunchStarted>(), SizeIs(1));

    const auto ada = fleet.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    ASSERT_TRUE(fleet.until([](const View& view) { return live_hosts(view) == 2 && free_slots(view) == 1; }));

    const auto bob = fleet.claim("bob");
    ASSERT_TRUE(bob) << bob.error().text;
    ASSERT_TRUE(fleet.until([](const View& view) { return live_hosts(view) == 3 && free_slots(view) == 1; }));

    const auto eve = fleet.claim("eve");
    ASSERT_TRUE(eve) << eve.error().text;
    ASSERT_TRUE(eventually([&] { return fleet.cluster.log_of("scaler").find("hosts_max is 3") != std::string::npos; }))
        << "the cap is said, with its number";
    EXPECT_THAT(fleet.facts_of<LaunchStarted>(), SizeIs(3));
    EXPECT_EQ(wrong_launches(fleet), "");

    std::set<std::string> addresses;
    std::set<std::uint32_t> ports;
    for (const auto& instance : fleet.instances()) {
        addresses.insert(instance.address);
        ports.insert(instance.proxy_port);
        EXPECT_TRUE(instance.protected_from_scale_in);
    }
    EXPECT_THAT(addresses, SizeIs(3));
    EXPECT_THAT(ports, SizeIs(3));
    EXPECT_EQ(fleet.cluster.process("scaler").terminate(Duration{2'000}), 0);
    EXPECT_EQ(wrong_launches(fleet), "") << "hosts go on without their scaler";
}

TEST(ScalerGrowth, a_claim_that_waits_gets_a_host_although_there_is_no_buffer) {
    Fleet fleet{"slots_per_host = 1\nbuffer = 0\nhosts_max = 2\n", "cooldown = \"10m\"\n"};
    fleet.start();
    const auto ada = fleet.claim("ada");
    ASSERT_TRUE(ada) << ada.error().text;
    const auto bob = fleet.claim("bob");
    ASSERT_TRUE(bob) << "nobody waits for a cooldown: " << bob.error().text;
    EXPECT_NE(ada->host, bob->host);
    EXPECT_THAT(fleet.facts_of<LaunchStarted>(), SizeIs(2));
}

// The agent of this fleet starts, stays, and says nothing to anybody.
TEST(ScalerGrowth, a_host_that_never_registers_fails_its_launch_is_paused_and_is_ended_as_an_orphan) {
    Folder programs;
    const auto agent = programs / "berth-hostagent";
    std::filesystem::copy_file(BERTH_STAND_IN, agent);
    Fleet fleet{one_slot_each, "cooldown = \"100ms\"\nregistration_grace = \"300ms\"\n",
                "[allocator]\nlaunch_deadline = \"3s\"\n[provider.local]\nagent_program = \"" + agent + "\"\n"};
    fleet.start();
    std::vector<LaunchFailed> failed;
    ASSERT_TRUE(eventually([&] { return !(failed = fleet.facts_of<LaunchFailed>()).empty(); }, Duration{20'000}))
        << fleet.cluster.log_of("scaler");
    EXPECT_EQ(failed.front().failure, LaunchFailure::configuration);
    EXPECT_THAT(failed.front().text, HasSubstr("has not registered"));
    ASSERT_TRUE(eventually([&] { return fleet.cluster.log_of("scaler").find("pool.blocked") != std::string::npos; }));
    EXPECT_THAT(fleet.facts_of<LaunchStarted>(), SizeIs(1)) << "the next one waits for the pause of its class";

    const auto instances = fleet.instances();
    ASSERT_THAT(instances, SizeIs(1));
    EXPECT_THAT(fleet.agents_of({instances[0].host}), SizeIs(1)) << "it runs, and nobody knows it";
    TestPeer reaper(fleet.cluster, "reaper", Role::reaper);
    const auto other = reaper.ask(TerminateOrphanRequest{instances[0].host, {"another life"}, {"a test"}});
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().kind, ErrorKind::not_found) << "only the life that was named";
    const auto ended = reaper.ask(TerminateOrphanRequest{instances[0].host, instances[0].incarnation, {"a test"}});
    ASSERT_TRUE(ended) << ended.error().text;
    EXPECT_THAT(fleet.agents_of({instances[0].host}), SizeIs(0));
    EXPECT_THAT(fleet.instances(), SizeIs(0));
}

TEST(ScalerGrowth, a_host_of_the_ledger_is_no_orphan_I17) {
    Fleet fleet{one_slot_each};
    fleet.start();
    ASSERT_TRUE(fleet.until([](const View& view) { return free_slots(view) == 1; })) << fleet.cluster.log_of("scaler");
    const auto instance = fleet.instances().at(0);
    TestPeer reaper(fleet.cluster, "reaper", Role::reaper);
    const auto ended = reaper.ask(TerminateOrphanRequest{instance.host, instance.incarnation, {"a mistake"}});
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().kind, ErrorKind::conflict) << ended.error().text;
    EXPECT_EQ(wrong_launches(fleet), "");
}

TEST(ScalerGrowth, a_program_that_is_not_there_is_a_failure_with_its_name) {
    Fleet fleet{one_slot_each, "", "[provider.local]\nagent_program = \"/nowhere/berth-hostagent\"\n"};
    fleet.start();
    std::vector<LaunchFailed> failed;
    ASSERT_TRUE(eventually([&] { return !(failed = fleet.facts_of<LaunchFailed>()).empty(); })) << fleet.cluster.log_of("scaler");
    EXPECT_EQ(failed.front().failure, LaunchFailure::configuration);
    EXPECT_THAT(failed.front().text, HasSubstr("/nowhere/berth-hostagent"));
    EXPECT_THAT(fleet.instances(), SizeIs(0));
}

TEST(ScalerCommand, refuses_an_unknown_provider_and_says_which) {
    Fleet fleet{"provider = \"moon\"\n"};
    fleet.cluster.start("broker");
    Child child({std::string{BERTH_BIN_DIR} + "/berth-scaler", "--config", fleet.cluster.config(), "--state", fleet.cluster.state()},
                fleet.cluster.state() + "/log/s.log");
    EXPECT_NE(child.wait(Duration{10'000}).value_or(0), 0);
    EXPECT_THAT(read_text(child.log()), HasSubstr("moon"));
}

}  // namespace
}  // namespace berth::testing
