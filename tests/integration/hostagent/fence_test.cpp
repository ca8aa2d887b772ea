// SPDX-License-Identifier: Apache-2.0
// Commands of any age against a real host, over deaths of its agent: what was fenced stays fenced.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/integration/hostagent/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;

LeaseOrder order(std::uint32_t slot, std::uint64_t epoch, const std::string& workspace = "w-1") {
    return ScriptedAllocator::order(slot, epoch, workspace);
}

struct Fences : ::testing::Test {
    Fences() {
        cluster.start("broker");
        allocator.emplace(cluster);
        agent.emplace(cluster, "h-1", 3);
        if (!agent->start()) throw std::runtime_error("berth-hostagent did not start: " + agent->log());
        if (!allocator->until([&] { return allocator->beat.has_value(); })) throw std::runtime_error("no heartbeat");
    }
    template <class Command>
    ErrorKind refusal(const Command& command) {
        const auto answer = allocator->tell_surely(command);
        return answer ? ErrorKind::internal : answer.error().kind;
    }
    void die_and_live() {
        agent->process().kill();
        allocator->beat.reset();
        ASSERT_TRUE(agent->start()) << agent->log();
        ASSERT_TRUE(allocator->until([&] { return allocator->beat.has_value(); })) << agent->log();
    }

    Cluster cluster{fast_config()};
    std::optional<ScriptedAllocator> allocator;
    std::optional<Agent> agent;
};

TEST_F(Fences, what_was_overtaken_has_no_effect_also_in_the_next_life_I3_I4_I9) {
    ASSERT_TRUE(allocator->registered);
    EXPECT_EQ(allocator->registered->slots, 3U);
    EXPECT_EQ(allocator->registered->proxy_port, agent->proxy_port());

    allocator->orders.leases = {order(0, 3)};
    const auto bound = allocator->tell(BindCommand{{5}, order(0, 3)});
    ASSERT_TRUE(bound) << bound.error().text << agent->log();
    EXPECT_EQ(allocator->tell(BindCommand{{5}, order(0, 3)})->container, bound->container) << "an exact repeat";
    EXPECT_EQ(refusal(BindCommand{{5}, order(0, 2, "w-2")}), ErrorKind::fenced);
    EXPECT_EQ(refusal(BindCommand{{5}, order(0, 3, "w-2")}), ErrorKind::fenced);
    EXPECT_EQ(refusal(BindCommand{{4}, order(1, 9, "w-2")}), ErrorKind::fenced);
    EXPECT_EQ(refusal(StopCommand{{5}, 0, {2}, {"w-1"}}), ErrorKind::fenced);
    EXPECT_EQ(refusal(LinkCommand{{5}, 0, {4}, {"w-1"}}), ErrorKind::fenced);
    EXPECT_EQ(refusal(EraseCommand{{5}, {"w-1"}}), ErrorKind::conflict) << "its home is in use";
    EXPECT_EQ(refusal(EraseCommand{{5}, {"../x"}}), ErrorKind::invalid);
    EXPECT_EQ(refusal(BindCommand{{5}, order(1, 1, "../x")}), ErrorKind::invalid);
    EXPECT_EQ(refusal(BindCommand{{5}, order(3, 1, "w-2")}), ErrorKind::invalid) << "there is no slot 3";

    // A lease that is over before the host heard of it can not begin any more.
    ASSERT_TRUE(allocator->tell(StopCommand{{5}, 1, {7}, {"w-7"}}));
    EXPECT_EQ(refusal(BindCommand{{5}, order(1, 7, "w-7")}), ErrorKind::fenced);
    EXPECT_FALSE(agent->environment(1));

    ASSERT_NO_FATAL_FAILURE(die_and_live());
    const auto again = allocator->tell_surely(BindCommand{{5}, order(0, 3)});
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->container, bound->container);
    EXPECT_EQ(refusal(BindCommand{{5}, order(0, 2, "w-2")}), ErrorKind::fenced);
    EXPECT_EQ(refusal(BindCommand{{4}, order(1, 9, "w-2")}), ErrorKind::fenced);
    EXPECT_EQ(refusal(BindCommand{{5}, order(1, 6, "w-7")}), ErrorKind::fenced);
}

TEST_F(Fences, the_orders_of_a_heartbeat_alone_start_and_stop_I22) {
    allocator->orders.leases = {order(2, 1)};
    ASSERT_TRUE(allocator->until([&] { return agent->environment(2).has_value(); })) << agent->log();
    const auto phase = [&](SlotPhase wanted) {
        return allocator->until([&] { return allocator->beat && allocator->beat->slots.at(2).phase == wanted; });
    };
    EXPECT_TRUE(phase(SlotPhase::bound)) << agent->log();
    allocator->orders.leases.at(0).wanted = Wanted::stopped;
    EXPECT_TRUE(phase(SlotPhase::stopped)) << agent->log();
    EXPECT_EQ(allocator->beat->slots.at(2).epoch.value, 1U);
    allocator->orders.leases.clear();
    EXPECT_TRUE(phase(SlotPhase::empty)) << agent->log();
    allocator->orders.leases = {order(2, 1)};
    allocator->orders.term = {4};
    allocator->beat.reset();
    ASSERT_TRUE(allocator->until([&] { return agent->log().find("orders.stale") != std::string::npos; })) << agent->log();
    EXPECT_FALSE(agent->environment(2)) << "the orders of a former allocator (I4)";
}

TEST_F(Fences, a_seal_is_for_ever_I13) {
    allocator->orders.leases = {order(0, 1)};
    ASSERT_TRUE(allocator->tell(BindCommand{{5}, order(0, 1)}));
    EXPECT_EQ(refusal(SealCommand{{5}, {"another life"}}), ErrorKind::conflict);
    const auto sealed = allocator->tell(SealCommand{{5}, allocator->registered->incarnation});
    ASSERT_TRUE(sealed) << sealed.error().text;
    EXPECT_EQ(sealed->occupied, 1U);
    EXPECT_EQ(refusal(BindCommand{{5}, order(1, 1, "w-2")}), ErrorKind::conflict);
    ASSERT_NO_FATAL_FAILURE(die_and_live());
    EXPECT_EQ(refusal(BindCommand{{5}, order(1, 1, "w-2")}), ErrorKind::conflict);
    EXPECT_TRUE(agent->environment(0)) << "what it holds stays until it is told otherwise";
    ASSERT_TRUE(allocator->tell_surely(StopCommand{{5}, 0, {1}, {"w-1"}}));
    EXPECT_EQ(allocator->tell_surely(SealCommand{{5}, allocator->registered->incarnation})->occupied, 0U);
}

TEST_F(Fences, a_release_deletes_what_the_slot_had_and_a_home_goes_when_it_is_told) {
    allocator->orders.leases = {order(0, 1)};
    ASSERT_TRUE(allocator->tell(BindCommand{{5}, order(0, 1)}));
    write_text(agent->home_of({"w-1"}) + "/notes", "mine");
    ASSERT_TRUE(allocator->tell(StopCommand{{5}, 0, {1}, {"w-1"}}));
    EXPECT_FALSE(std::filesystem::exists(agent->folder() + "/slots/0"));
    EXPECT_TRUE(std::filesystem::exists(agent->home_of({"w-1"}) + "/notes"));
    ASSERT_TRUE(allocator->tell(EraseCommand{{5}, {"w-1"}}));
    EXPECT_FALSE(std::filesystem::exists(agent->home_of({"w-1"})));
    EXPECT_TRUE(allocator->tell(EraseCommand{{5}, {"w-1"}})) << "what is not there is erased";
}

}  // namespace
}  // namespace berth::testing
