// SPDX-License-Identifier: Apache-2.0
// Growing: what is missing is launched once, failures are classified and waited out, and a restart
// in the middle launches nothing twice (I31).
#include "tests/unit/scaler/scenario.hpp"

namespace berth::scaler {
namespace {

PoolDefined machines(std::uint32_t buffer) {
    return {.slots_per_host = 1, .buffer_unit = BufferUnit::hosts, .buffer = buffer, .hosts_max = 20};
}

TEST(Launch, TheBufferIsFilledOnceAndProtected) {
    Scenario world{machines(2)};
    world.until(120);
    EXPECT_EQ(world.story, (Story{"1 granted 2", "1 launch l-1", "1 launch l-2"}));
    EXPECT_EQ(world.ledger.hosts.size(), 2U);
    for (const auto& [name, instance] : world.cloud) EXPECT_TRUE(instance.protected_from_scale_in);
}

TEST(Launch, ATakenHostIsReplacedAfterTheCooldown) {
    Scenario world{machines(2)};
    world.until(15);
    world.lease(1, "h-l-1", 0);
    world.until(60);
    EXPECT_EQ(world.story, (Story{"1 granted 2", "1 launch l-1", "1 launch l-2", "31 granted 1", "31 launch l-3"}));
}

TEST(Launch, AWaitingClaimSkipsTheCooldown) {
    Scenario world{machines(1)};
    world.until(15);
    world.lease(1, "h-l-1", 0);
    world.claim(1);
    world.until(17);
    // One for the buffer, one for the person.
    EXPECT_EQ(world.story, (Story{"1 granted 1", "1 launch l-1", "15 granted 2", "15 launch l-2", "15 launch l-3"}));
}

TEST(Launch, TwoClaimsForOneWorkspaceAreOneDemand) {
    Scenario world{machines(0)};
    world.claim(1);
    world.tell(ClaimAccepted{.claim = {"c-9"}, .key = {"k9"}, .principal = {"p"}, .user = {"cu1"}, .project = {"p"},
                             .pool = {"default"}, .accepted_at = world.now, .deadline = world.at(120)});
    world.until(60);
    EXPECT_EQ(world.story, (Story{"1 granted 1", "1 launch l-1"}));
}

TEST(Launch, ASlotThatIsBeingWipedIsPromised) {
    Scenario world{{.slots_per_host = 2, .buffer = 2, .hosts_max = 5}};
    world.until(15);
    world.lease(1, "h-l-1", 0);
    world.tell(WorkspaceStopping{.workspace = {"w-1"}, .epoch = Epoch{1}, .host = {"h-l-1"}, .slot = 0});
    world.until(44);
    EXPECT_EQ(world.story.size(), 2U);
    world.until(60);  // after 30 s the promise is not believed any more
    EXPECT_EQ(world.story, (Story{"1 granted 1", "1 launch l-1", "45 granted 1", "45 launch l-2"}));
}

TEST(Launch, AWorkspaceThatARecoveredHostRunsIsCountedThere_F16) {
    Scenario world{{.slots_per_host = 2, .buffer = 2, .hosts_max = 5}};
    world.host(1, 2);
    world.host(2, 2);
    world.lease(1, "h-1", 0);
    const auto ready = [&] { return count_levels(world.state, world.now).at({"default"}).slots_ready; };
    EXPECT_EQ(ready(), 3U);
    const LeaseOrder held{.slot = 1, .epoch = Epoch{9}, .workspace = {"w-1"}, .user = {"u1"}, .project = {"p"}, .wanted = Wanted::running,
                          .expires_at = world.at(1'000'000)};
    world.tell(HostRecovered{.host = {{"h-2"}, {"i"}}, .pool = {"default"}, .held = {held}, .displaced = {{"w-1"}}});   // take() recounts all
    EXPECT_EQ(ready(), 2U) << "slot 0 of h-1 is set aside until it is said to be clean, and slot 1 of h-2 is taken";
}

TEST(Launch, ClassesOfFailureAndTheirPauses) {
    struct Row {
        LaunchFailure failure;
        std::int64_t least, most;  // the second in which the next launch is asked for
        Story first;
    };
    const std::vector<Row> rows = {
        {LaunchFailure::quota, 31, 63, {"1 granted 1", "1 launch l-1", "1 failed l-1 quota"}},
        {LaunchFailure::permission, 31, 63, {"1 granted 1", "1 launch l-1", "1 failed l-1 permission"}},
        {LaunchFailure::configuration, 31, 63, {"1 granted 1", "1 launch l-1", "1 failed l-1 configuration"}},
        {LaunchFailure::capacity, 31, 31, {"1 granted 1", "1 launch l-1", "1 failed l-1 capacity"}},
        {LaunchFailure::throttle, 31, 36,
         {"1 granted 1", "1 launch l-1", "2 launch l-1", "4 launch l-1", "4 failed l-1 throttle"}},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(std::string{to_string(row.failure)});
        Scenario world{machines(1)};
        world.launch_error = ProviderError{row.failure, "no"};
        world.every_second = [&] {
            if (world.second() == 20) world.launch_error.reset();
        };
        world.until(200);
        ASSERT_EQ(world.story.size(), row.first.size() + 2);
        EXPECT_EQ(Story(world.story.begin(), world.story.end() - 2), row.first);
        const auto again = std::stoll(world.story.back());
        EXPECT_GE(again, row.least);
        EXPECT_LE(again, row.most);
    }
}

TEST(Launch, FailureAfterFailureWaitsLongerAndOneThatWorksForgetsIt) {
    Scenario world{machines(1)};
    world.launch_error = ProviderError{LaunchFailure::quota, "vCPU quota"};
    world.until(3600);
    EXPECT_LE(world.story.size(), 3U * 9U);
    world.launch_error.reset();
    world.until(5000);
    EXPECT_EQ(world.ledger.hosts.size(), 1U);
    EXPECT_TRUE(world.state.pools.at({"default"}).pauses.empty());
}

TEST(Launch, ALostAnswerIsAskedForAgainWithTheSameToken) {
    Scenario world{machines(1)};
    world.launch_answers = false;
    world.until(60);
    EXPECT_EQ(world.cloud.size(), 1U);
    EXPECT_EQ(world.ledger.hosts.size(), 1U);
    EXPECT_EQ(world.ledger.launches.size(), 0U);
}

TEST(Launch, AKilledScalerLaunchesNothingTwice) {
    Scenario world{machines(3)};
    world.until(1);
    world.restart();   // right after the calls
    world.until(5);
    world.restart();
    world.until(200);
    EXPECT_EQ(world.cloud.size(), 3U);
    EXPECT_EQ(world.ledger.hosts.size(), 3U);
}

TEST(Launch, AScalerKilledBeforeItsCallMakesItAfterTheRestart) {
    Scenario world{machines(1)};
    world.tell(LaunchStarted{.launch = {"l-77"}, .pool = {"default"}, .started_at = world.now, .deadline = world.at(60)});
    world.restart();
    world.until(30);
    EXPECT_EQ(world.story, (Story{"1 launch l-77"}));
}

TEST(Launch, AnInstanceThatNeverRegistersFailsItsLaunch) {
    Scenario world{machines(1)};
    world.agents_register = false;
    world.until(130);
    EXPECT_EQ(world.story[2], "121 failed l-1 configuration");   // deadline 61, grace 60
}

TEST(Launch, AnInstanceThatIsListedNowhereByItsDeadlineIsLost) {
    Scenario world{machines(1)};
    world.agents_register = false;
    world.every_second = [&] { world.cloud.clear(); };
    world.until(75);
    EXPECT_EQ(Story(world.story.begin(), world.story.begin() + 3), (Story{"1 granted 1", "1 launch l-1", "70 failed l-1 lost"}));
}

TEST(Launch, AnInstanceThatDiesBeforeItRegistersIsLostAtOnce) {
    Scenario world{machines(1)};
    world.agents_register = false;
    world.every_second = [&] {
        for (auto& [name, instance] : world.cloud) instance.state = InstanceState::terminated;
    };
    world.until(12);
    EXPECT_EQ(world.story, (Story{"1 granted 1", "1 launch l-1", "10 failed l-1 lost"}));
}

TEST(Launch, NothingIsLaunchedBeforeTheFirstListing) {
    Scenario world{machines(1)};
    for (int i = 0; i < 20; ++i) world.take(Tick{});
    EXPECT_EQ(world.story, Story{});
}

TEST(Launch, CapsPerCallAndPerHour) {
    Scenario world{{.slots_per_host = 1, .buffer_unit = BufferUnit::hosts, .buffer = 100, .hosts_max = 200},
                   Policy{.launches_per_call_max = 4, .launches_per_hour_max = 10}};
    world.until(300);
    Story granted;
    for (const auto& line : world.story) {
        if (line.find("granted") != std::string::npos) granted.push_back(line);
    }
    EXPECT_EQ(granted, (Story{"1 granted 4", "31 granted 4", "61 granted 2"}));
    EXPECT_EQ(std::count(world.lines.begin(), world.lines.end(), "91 pool.blocked default"), 0);
    world.until(3700);
    EXPECT_EQ(world.ledger.hosts.size(), 20U);
}

TEST(Launch, TheCapPerHourGoesOnOverARestart) {
    Scenario world{{.slots_per_host = 1, .buffer_unit = BufferUnit::hosts, .buffer = 100, .hosts_max = 200},
                   Policy{.launches_per_call_max = 4, .launches_per_hour_max = 10}};
    world.until(300);
    world.restart();
    world.until(900);
    EXPECT_EQ(world.ledger.hosts.size(), 10U);
}

TEST(Launch, ARefusingAllocatorIsAskedEverLessOften) {
    Scenario world{machines(1)};
    world.allocator_error = Error{ErrorKind::unavailable, "no allocator"};
    world.until(300);
    EXPECT_LE(world.lines.size(), 2U * 12U);
    world.allocator_error.reset();
    world.until(400);
    EXPECT_EQ(world.ledger.hosts.size(), 1U);
}

TEST(Launch, AHostThatFailsItsStartsIsNotReady) {
    Scenario world{machines(1)};
    world.until(20);
    for (int i = 1; i <= 3; ++i) {
        world.lease(i, "h-l-1", 0);
        const auto w = world.ledger.workspaces.at({fmt::format("w-{}", i)});
        world.tell(WorkspaceFailed{.workspace = w.workspace, .epoch = w.epoch, .host = w.host, .slot = 0, .text = "no"});
        world.tell(WorkspaceStopped{.workspace = w.workspace, .epoch = w.epoch, .host = w.host, .incarnation = {"i"}, .slot = 0});
    }
    world.until(40);
    EXPECT_EQ(world.ledger.launches.size(), 1U);
}

TEST(Launch, HostsWithoutProtectionGetItAgain) {
    Scenario world{machines(1)};
    world.until(15);
    world.cloud.begin()->second.protected_from_scale_in = false;
    world.until(40);
    EXPECT_EQ(world.story.back(), "20 protect h-l-1");
}

TEST(Launch, I21_NothingIsDecidedWhileTheViewIsVoid) {
    Scenario world{machines(1)};
    world.take(ViewLost{});
    world.until(100);
    EXPECT_EQ(world.story, Story{});
}

}  // namespace
}  // namespace berth::scaler
