// SPDX-License-Identifier: Apache-2.0
// What the allocator says, and what the host makes of it.
#include "tests/unit/hostagent/scene.hpp"

namespace berth::hostagent {
namespace {

using ::testing::HasSubstr;

Scene with_bound(std::uint64_t epoch = 3) {
    Scene scene;
    scene.bind(Scene::order(0, epoch));
    scene.settle();
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    return scene;
}

TEST(Orders, ABindIsOnTheDiskInTheStepThatCallsTheEngine_I3) {
    Scene scene;
    const auto caller = scene.bind(Scene::order(0, 3));
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::binding, 3));
    const auto prepare = scene.call<PrepareOrder>();
    EXPECT_EQ(scene.disk.at(0).container, prepare.container) << "the incarnation is named before it exists (I2)";
    EXPECT_FALSE(scene.answered(caller));
    EXPECT_TRUE(scene.out.beat);
}

TEST(Orders, ALinkCarriesThePublicAddress) {   // field report 14
    hostagent::Setup setup{.scheme = "http", .apps_domain = "localhost", .proxy_port = 12001};
    EXPECT_EQ(url_of(setup, {"w-1"}, 3), "http://w-1.localhost:12001/");
    setup.public_port = 8080;
    EXPECT_EQ(url_of(setup, {"w-1"}, 3), "http://w-1.localhost:8080/");
    setup.public_domain = "apps.example.org";
    setup.scheme = "https";
    EXPECT_EQ(url_of(setup, {"w-1"}, 3), "https://w-1.apps.example.org:8080/");
    setup.public_port = 443;
    EXPECT_EQ(url_of(setup, {"w-1"}, 3), "https://w-1.apps.example.org/");
    setup.scheme = "http";
    setup.public_port = 80;
    EXPECT_EQ(url_of(setup, {"w-1"}, 3), "http://w-1.apps.example.org/");
}

TEST(Orders, WithoutDnsALinkIsTheHostsAddressAndItsSlotsPort) {
    hostagent::Setup setup{.scheme = "http", .proxy_port = 9480, .plain_address = "198.18.0.11", .plain_port_first = 9500};
    EXPECT_EQ(url_of(setup, {"w-1"}, 3), "http://198.18.0.11:9503/");
    setup.scheme = "https";
    setup.plain_address = "fd00::1";
    EXPECT_EQ(url_of(setup, {"w-1"}, 0), "https://[fd00::1]:9500/");
}

TEST(Orders, ABindIsAnsweredWhenItsRouteIsOnTheDisk_I25) {
    Scene scene;
    const auto caller = scene.bind(Scene::order(0, 3));
    scene.finish(scene.call<PrepareOrder>());
    EXPECT_TRUE(scene.routes.empty()) << "nobody is let in before the environment is given";
    const auto given = scene.call<EngineBind>();
    EXPECT_EQ(given.home, "/homes/w-1");
    scene.finish(given);
    ASSERT_TRUE(scene.good<BindReply>(caller));
    EXPECT_EQ(scene.good<BindReply>(caller)->url, "http://w-1.localhost:9000/");
    EXPECT_EQ(scene.good<BindDone>(caller)->link.user.value, scene.slot(0).record.user.value) << "whose link comes with it";
    EXPECT_EQ(scene.good<BindDone>(caller)->link.epoch, scene.slot(0).record.epoch);
    EXPECT_EQ(scene.routes.at({"w-1"}).epoch.value, 3U);
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::bound, 3));
}

TEST(Orders, ATermThatBeginsAmongSeenFactsIsOfAnOldCopy_F16) {
    Scene scene;
    const auto order = Scene::order(0, 3);
    scene.take(Asked<BindCommand>{++scene.callers, {scene.term, order, {}, Position{40}}});
    scene.settle();
    ASSERT_EQ(scene.phase(0), SlotPhase::bound);
    EXPECT_EQ(scene.disk_position, Position{40}) << "kept with what it led to";

    scene.restart();
    scene.term = term_of(Position{30}, scene.now);
    scene.orders({});
    EXPECT_EQ(scene.phase(0), SlotPhase::bound) << "orders of a ledger that does not know the lease end nothing";
    EXPECT_THAT(scene.refusal_text(scene.bind(Scene::order(1, 1, "w-2"))), HasSubstr("the ledger is an old copy"));
    EXPECT_EQ(scene.refusal(scene.stop(0, 3)), "fenced");
    EXPECT_EQ(scene.refusal(scene.erase("w-9")), "fenced");
    EXPECT_EQ(scene.disk_term, Term{7});
    EXPECT_EQ(scene.state.counters.foreign_terms, 4U);

    scene.term = term_of(Position{40}, scene.now);
    scene.orders({});
    EXPECT_EQ(scene.phase(0), SlotPhase::bound) << "also one that begins at the very same position";

    scene.term = term_of(Position{41}, scene.now);
    scene.orders({});
    EXPECT_EQ(scene.phase(0), SlotPhase::stopping) << "one that begins after all of them is obeyed";
}

TEST(Orders, ARegistrationTellsWhatIsHeldAndSeen_F16) {
    auto scene = with_bound();
    scene.take(OrdersHeard{scene.state.beats, {.term = scene.term, .position = Position{12}, .leases = {Scene::order(0, 3)}}});
    const auto offer = take_registration(scene.state);
    EXPECT_EQ(offer.term_seen, scene.term);
    EXPECT_EQ(offer.position_seen, Position{12});
    ASSERT_EQ(offer.held->size(), 1U);
    EXPECT_EQ(offer.held->front(), Scene::order(0, 3));
    scene.stop(0, 3);
    auto told = take_registration(scene.state).held->front();
    EXPECT_EQ(told.wanted, Wanted::stopped);
    EXPECT_EQ(told.workspace, Scene::order(0, 3).workspace) << "its container may be there yet";
    scene.settle();
    told = take_registration(scene.state).held->front();
    EXPECT_EQ(told.epoch, Epoch{3});
    EXPECT_TRUE(told.workspace.empty());
}

TEST(Orders, AnExactRepeatGetsTheFirstResult_I3) {
    auto scene = with_bound();
    const auto again = scene.bind(Scene::order(0, 3));
    EXPECT_EQ(scene.good<BindReply>(again)->container, scene.slot(0).record.container);
    EXPECT_TRUE(scene.calls.empty()) << "the engine hears nothing of it";
}

TEST(Orders, ARepeatWhileItStartsWaitsForTheSameStart) {
    Scene scene;
    const auto first = scene.bind(Scene::order(0, 3));
    const auto second = scene.bind(Scene::order(0, 3));
    EXPECT_EQ(scene.count<PrepareOrder>(), 1U);
    scene.settle();
    EXPECT_EQ(scene.good<BindReply>(first), scene.good<BindReply>(second));
}

TEST(Orders, NoMoreThanSoManyWaitForOneSlot_I24) {
    Scene scene;
    CallerId last = 0;
    for (std::uint32_t i = 0; i <= scene.policy.callers_per_slot_max; ++i) last = scene.bind(Scene::order(0, 3));
    EXPECT_EQ(scene.refusal(last), "limit");
    scene.settle();
    EXPECT_TRUE(scene.good<BindReply>(1));
}

TEST(Orders, AnOlderEpochIsRefused_I3) {
    auto scene = with_bound(3);
    EXPECT_EQ(scene.refusal(scene.bind(Scene::order(0, 2))), "fenced");
    EXPECT_EQ(scene.refusal(scene.stop(0, 2)), "fenced");
    EXPECT_EQ(scene.refusal(scene.link(0, 2)), "fenced");
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    EXPECT_EQ(scene.state.counters.stale_epochs, 3U);
}

TEST(Orders, AnotherWorkspaceAtOurEpochIsRefused_I3) {
    auto scene = with_bound(3);
    EXPECT_EQ(scene.refusal(scene.bind(Scene::order(0, 3, "w-2"))), "fenced");
    EXPECT_EQ(scene.refusal(scene.stop(0, 3, "w-2")), "fenced");
    EXPECT_EQ(scene.slot(0).record.workspace.value, "w-1");
}

TEST(Orders, AnotherUserIsNoRepeat_I25) {
    auto scene = with_bound(3);
    auto other = Scene::order(0, 3);
    other.user = {"mallory"};
    EXPECT_EQ(scene.refusal(scene.bind(other)), "fenced");
}

TEST(Orders, AnOlderTermIsRefusedWhateverItSays_I4) {
    auto scene = with_bound(3);
    scene.term = {6};
    EXPECT_EQ(scene.refusal(scene.bind(Scene::order(1, 9, "w-2"))), "fenced");
    EXPECT_EQ(scene.refusal(scene.stop(0, 3)), "fenced");
    EXPECT_EQ(scene.refusal(scene.link(0, 3)), "fenced");
    EXPECT_EQ(scene.refusal(scene.erase("w-9")), "fenced");
    EXPECT_EQ(scene.refusal(scene.seal()), "fenced");
    scene.orders({});
    EXPECT_EQ(scene.phase(0), SlotPhase::bound) << "a former allocator's orders stop nothing";
    EXPECT_EQ(scene.state.counters.stale_terms, 6U);
}

TEST(Orders, ANewerTermIsKeptBeforeItIsObeyed_I4) {
    auto scene = with_bound(3);
    scene.term = {8};
    scene.stop(0, 3);
    EXPECT_EQ(scene.disk_term.value, 8U);
    scene.restart();
    scene.term = {7};
    EXPECT_EQ(scene.refusal(scene.bind(Scene::order(1, 9, "w-2"))), "fenced") << "also in the next life";
}

TEST(Orders, ASlotThatIsNotThereIsNamed) {
    Scene scene;
    const auto caller = scene.bind(Scene::order(2, 1));
    EXPECT_EQ(scene.refusal(caller), "invalid");
    EXPECT_THAT(scene.refusal_text(caller), HasSubstr("has no slot 2"));
    scene.orders({Scene::order(9, 1)});
    EXPECT_EQ(scene.state.counters.strange_orders, 1U);
}

TEST(Orders, AStopEndsAccessAtOnceAndIsAnsweredWhenAllIsWiped_I9_I10) {
    auto scene = with_bound(3);
    const auto caller = scene.stop(0, 3);
    EXPECT_TRUE(scene.routes.empty()) << "access ends first, and durably";
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::stopping, 3));
    EXPECT_FALSE(scene.answered(caller));
    EXPECT_EQ(take_beat(scene.state).slots[0].phase, SlotPhase::stopping);
    scene.finish(scene.call<RemoveOrder>());
    EXPECT_EQ(scene.good<StopReply>(caller)->epoch.value, 3U);
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::stopped, 3));
    EXPECT_TRUE(scene.good<StopReply>(scene.stop(0, 3))) << "said again, it is done";
}

TEST(Orders, AStopThatOvertakesItsBindLeavesNothingToBind_I9) {
    Scene scene;
    EXPECT_TRUE(scene.good<StopReply>(scene.stop(0, 5)));
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::stopped, 5));
    const auto late = scene.bind(Scene::order(0, 5));
    EXPECT_EQ(scene.refusal(late), "fenced");
    EXPECT_EQ(scene.count<PrepareOrder>(), 0U);
    EXPECT_EQ(scene.refusal(scene.bind(Scene::order(0, 4))), "fenced");
}

TEST(Orders, AStopDuringTheStartEndsWhatWasStarted_I10) {
    Scene scene;
    const auto start = scene.bind(Scene::order(0, 3));
    const auto prepare = scene.call<PrepareOrder>();
    const auto end = scene.stop(0, 3);
    EXPECT_EQ(scene.count<RemoveOrder>(), 0U) << "one call at a time on a slot";
    EXPECT_FALSE(scene.answered(end));
    scene.finish(prepare);
    EXPECT_EQ(scene.count<EngineBind>(), 0U);
    scene.settle();
    EXPECT_TRUE(scene.engine.empty());
    EXPECT_TRUE(scene.good<StopReply>(end));
    EXPECT_EQ(scene.refusal(start), "conflict");
}

TEST(Orders, ALinkIsForTheLeaseThatIsBoundNow_I26) {
    Scene scene;
    scene.bind(Scene::order(0, 3));
    EXPECT_EQ(scene.refusal(scene.link(0, 3)), "unavailable");
    scene.settle();
    const auto wanted = scene.good<LinkWanted>(scene.link(0, 3));
    ASSERT_TRUE(wanted);
    EXPECT_EQ(wanted->user.value, "u-w-1");
    EXPECT_EQ(scene.refusal(scene.link(0, 4)), "fenced");
    EXPECT_EQ(scene.refusal(scene.link(0, 3, "w-2")), "fenced");
}

TEST(Orders, AHomeInUseIsNotErased) {
    auto scene = with_bound(3);
    EXPECT_EQ(scene.refusal(scene.erase("w-1")), "conflict");
    scene.stop(0, 3);
    EXPECT_EQ(scene.refusal(scene.erase("w-1")), "conflict") << "it is still mounted";
    scene.settle();
    const auto first = scene.erase("w-1");
    const auto second = scene.erase("w-1");
    EXPECT_EQ(scene.count<EraseOrder>(), 1U);
    EXPECT_EQ(scene.refusal(scene.bind(Scene::order(1, 8, "w-1"))), "unavailable") << "no start into a home that goes";
    scene.settle();
    EXPECT_TRUE(scene.good<EraseReply>(first) && scene.good<EraseReply>(second));
    scene.bind(Scene::order(1, 8, "w-1"));
    EXPECT_EQ(scene.count<PrepareOrder>(), 1U);
}

TEST(Orders, ASealedHostTakesNothingNewForEver_I13) {
    auto scene = with_bound(3);
    const auto caller = scene.seal();
    EXPECT_TRUE(scene.disk_sealed) << "the promise is durable before it is given";
    EXPECT_EQ(scene.good<SealReply>(caller)->occupied, 1U);
    EXPECT_EQ(scene.refusal(scene.bind(Scene::order(1, 4, "w-2"))), "conflict");
    scene.orders({Scene::order(0, 3), Scene::order(1, 4, "w-2")});
    EXPECT_EQ(scene.phase(1), SlotPhase::empty) << "nor by orders";
    scene.restart();
    EXPECT_EQ(scene.refusal(scene.bind(Scene::order(1, 4, "w-2"))), "conflict") << "nor in the next life";
    EXPECT_EQ(scene.phase(0), SlotPhase::bound) << "what is there stays";
}

TEST(Orders, ASealForAnotherLifeIsRefused_I13) {
    Scene scene;
    EXPECT_EQ(scene.refusal(scene.seal("i-0")), "conflict");
    EXPECT_FALSE(scene.disk_sealed);
}

TEST(Orders, OneWorkspaceIsNeverOnTwoSlots_I1) {
    auto scene = with_bound(3);
    EXPECT_EQ(scene.refusal(scene.bind(Scene::order(1, 1))), "unavailable");
    EXPECT_EQ(scene.phase(1), SlotPhase::empty);
}

TEST(Orders, AHeartbeatsAnswerAloneStartsAndStops_I22) {
    Scene scene;
    scene.orders({Scene::order(0, 3)});
    scene.settle();
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    auto over = Scene::order(0, 3);
    over.wanted = Wanted::stopped;
    scene.orders({over});
    scene.settle();
    EXPECT_EQ(scene.phase(0), SlotPhase::stopped);
    scene.orders({over});
    EXPECT_EQ(scene.phase(0), SlotPhase::stopped) << "it says so until the allocator agrees (I10)";
    scene.orders({});
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::empty, 3)) << "and keeps the epoch (I3)";
}

TEST(Orders, AnAnswerOlderThanTheLeaseEndsNothing) {
    Scene scene;
    take_beat(scene.state);
    const auto early = scene.state.beats;
    scene.bind(Scene::order(0, 3));
    scene.settle();
    scene.take(OrdersHeard{early, {.term = scene.term}});
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    scene.orders({});
    EXPECT_EQ(scene.phase(0), SlotPhase::stopping) << "one that told of it does";
}

TEST(Orders, SilenceStopsNothing_I12) {
    auto scene = with_bound(3);
    for (int hour = 0; hour < 20; ++hour) {
        scene.pass(Duration{3'600'000});
        scene.settle();
    }
    EXPECT_EQ(scene.phase(0), SlotPhase::bound) << "though its lease is long over: nobody said so";
    EXPECT_EQ(scene.routes.size(), 1U);
}

TEST(Orders, AfterTheOutageLimitWhatExpiredIsEnded_I12) {
    auto scene = with_bound(3);
    auto held = Scene::order(1, 1, "w-2");
    held.expires_at = start_of_time + Duration{240 * 3'600'000LL};
    scene.bind(held);
    scene.settle();
    scene.pass(scene.policy.outage_limit - Duration{1});
    EXPECT_EQ(scene.phase(0), SlotPhase::bound);
    scene.pass(Duration{1});
    EXPECT_EQ(scene.phase(0), SlotPhase::stopping);
    EXPECT_EQ(scene.phase(1), SlotPhase::bound) << "what did not expire stays";
    scene.settle();
    EXPECT_TRUE(scene.on_disk(0, SlotPhase::stopped, 3)) << "free only once the allocator hears it (I10)";
}

TEST(Orders, AWorkspaceThatIsNoLabelIsRefused) {
    Scene scene;
    EXPECT_EQ(scene.refusal(scene.bind(Scene::order(0, 1, "../etc"))), "invalid");
    EXPECT_EQ(scene.refusal(scene.stop(0, 1, "../etc")), "invalid");
    scene.orders({Scene::order(0, 1, "a/b"), Scene::order(1, 1, "")});
    EXPECT_EQ(scene.state.counters.strange_orders, 2U);
    EXPECT_TRUE(scene.disk.empty() && scene.calls.empty());
}

TEST(Orders, AWordThatTheLeaseStandsRenewsTheRoute_I25) {
    auto scene = with_bound(3);
    const auto before = scene.routes.at({"w-1"}).confirmed_at;
    scene.now += scene.policy.confirm_every;
    scene.orders({Scene::order(0, 3)});
    EXPECT_EQ(scene.routes.at({"w-1"}).confirmed_at, scene.now);
    EXPECT_LT(before, scene.now);
}

TEST(Orders, ExtendingReachesTheDisk) {
    auto scene = with_bound(3);
    auto longer = Scene::order(0, 3);
    longer.expires_at += Duration{3'600'000};
    longer.hold_until = scene.now + Duration{60'000};
    scene.orders({longer});
    EXPECT_EQ(scene.disk.at(0).expires_at, longer.expires_at);
    EXPECT_EQ(scene.disk.at(0).hold_until, longer.hold_until);
}

TEST(Orders, TheirHeartbeatPeriodStaysWithinBounds_I24) {
    Scene scene;
    scene.take(OrdersHeard{1, {.term = scene.term, .heartbeat_ms = Duration{0}}});
    EXPECT_EQ(scene.state.heartbeat, scene.policy.heartbeat_min);
    scene.take(OrdersHeard{1, {.term = scene.term, .heartbeat_ms = Duration{86'400'000}}});
    EXPECT_EQ(scene.state.heartbeat, scene.policy.heartbeat_max);
}

}  // namespace
}  // namespace berth::hostagent
