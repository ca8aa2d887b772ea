// SPDX-License-Identifier: Apache-2.0
#include "events/view.hpp"

#include <gtest/gtest.h>

#include "events/codec.hpp"

namespace berth {
namespace {

class Story {
public:
    View view;
    std::vector<FactRecord> ledger;

    void tell(Fact fact) {
        ledger.push_back({Position{view.position.value + 1}, Term{1}, Instant{Duration{1000}}, std::move(fact),
                          Reason{"a test says so", "test", "p0"}, ""});
        apply(view, ledger.back());
    }
    void host_with_a_lease() {
        tell(TookOver{.ledger = "L", .version = "0"});
        tell(HostRegistered{.host = {"h-1"}, .incarnation = {"i1"}, .pool = {"default"}, .slots = 2});
        tell(LeaseGranted{.workspace = {"w-1"}, .user = {"ada"}, .project = {"site"}, .host = {"h-1"},
                          .incarnation = {"i1"}, .slot = 0, .epoch = Epoch{1}});
    }
};

TEST(View, AStoppedWorkspaceFreesItsSlotAndKeepsItsEpoch) {
    Story story;
    story.host_with_a_lease();

    story.tell(WorkspaceStarted{.workspace = {"w-1"}, .epoch = Epoch{1}, .host = {"h-1"}, .slot = 0, .container = {"k"}});
    story.tell(WorkspaceStopping{.workspace = {"w-1"}, .epoch = Epoch{1}, .host = {"h-1"}, .slot = 0});
    EXPECT_EQ(story.view.hosts.at({"h-1"}).slots[0].use, SlotUse::stopping);
    story.tell(WorkspaceStopped{.workspace = {"w-1"}, .epoch = Epoch{1}, .host = {"h-1"}, .incarnation = {"i1"}, .slot = 0});

    const auto& slot = story.view.hosts.at({"h-1"}).slots[0];
    EXPECT_EQ(slot.use, SlotUse::free);
    EXPECT_EQ(slot.epoch, Epoch{1});
    EXPECT_EQ(story.view.workspace_of({"ada"}, {"site"})->state, WorkspaceState::stopped);
}

TEST(ViewDeathTest, I1_OneSlotIsNeverLeasedTwice) {
    Story story;
    story.host_with_a_lease();
    EXPECT_DEATH(story.tell(LeaseGranted{.workspace = {"w-2"}, .user = {"bob"}, .project = {"site"}, .host = {"h-1"},
                                         .incarnation = {"i1"}, .slot = 0, .epoch = Epoch{2}}), "I1");
}

TEST(ViewDeathTest, I13_AHostWithALeaseIsNeverDrained) {
    Story story;
    story.host_with_a_lease();
    EXPECT_DEATH(story.tell(HostDrained{.host = {{"h-1"}, {"i1"}}}), "I13");
}

TEST(View, I19_ReplayFromNothingAndFromASnapshotAgree) {
    Story story;
    story.host_with_a_lease();
    auto restored = decode<View>(encode(story.view));
    ASSERT_TRUE(restored) << restored.error().text;
    restored->reindex();

    story.tell(WorkspaceStarted{.workspace = {"w-1"}, .epoch = Epoch{1}, .host = {"h-1"}, .slot = 0, .container = {"k"}});
    View from_nothing;
    for (const auto& record : story.ledger) apply(from_nothing, *decode<FactRecord>(encode(record)));
    apply(*restored, story.ledger.back());

    EXPECT_EQ(from_nothing, story.view);
    EXPECT_EQ(*restored, story.view);
    EXPECT_EQ(state_hash(from_nothing), state_hash(*restored));
}

TEST(View, RegistrationsOfOlderLedgersSayWhoseMachineItIsByTheirLaunch) {
    Story story;
    story.tell(TookOver{.ledger = "L", .version = "0"});
    story.tell(PoolDefined{.pool = {"default"}, .provider = "local"});
    story.tell(HostRegistered{.host = {"h-1"}, .incarnation = {"i1"}, .pool = {"default"}, .launch = LaunchId{"l-1"}, .slots = 1});
    story.tell(HostRegistered{.host = {"h-2"}, .incarnation = {"i1"}, .pool = {"default"}, .slots = 1});
    EXPECT_EQ(story.view.hosts.at({"h-1"}).provider, "local");
    EXPECT_TRUE(story.view.hosts.at({"h-2"}).is_static());
}

TEST(View, AnEndingIsKeptByASnapshotAndGoneWithTheHost) {
    Story story;
    story.host_with_a_lease();
    const HostRef h1{{"h-1"}, {"i1"}};
    story.tell(HostEnding{.host = h1, .force = true});
    story.tell(HostCordoned{h1});
    const auto kept = decode<View>(encode(story.view));
    ASSERT_TRUE(kept) << kept.error().text;
    EXPECT_EQ(kept->hosts, story.view.hosts);
    EXPECT_TRUE(kept->hosts.at({"h-1"}).ending->closed);
    story.tell(HostEnding{.host = h1, .force = true});
    EXPECT_TRUE(story.view.hosts.at({"h-1"}).ending->closed) << "it was open before the first of the two";
}

TEST(View, APoolIsRetiredUntilItIsDefinedAgain) {
    Story story;
    story.tell(TookOver{.ledger = "L", .version = "0"});
    story.tell(PoolDefined{.pool = {"old"}});
    story.tell(PoolRetired{.pool = {"old"}});
    EXPECT_TRUE(story.view.is_retired({"old"}));
    story.tell(PoolDefined{.pool = {"old"}});
    EXPECT_FALSE(story.view.is_retired({"old"}));
    EXPECT_FALSE(story.view.retired) << "as if there never was one: an old reader's view stays the same";
}

TEST(ViewDeathTest, ASealThatWasAskedForIsNotWithdrawn) {
    Story story;
    const HostRef h1{{"h-1"}, {"i1"}};
    story.tell(TookOver{.ledger = "L", .version = "0"});
    story.tell(HostRegistered{.host = h1.host, .incarnation = h1.incarnation, .pool = {"default"}, .slots = 1});
    story.tell(HostEnding{.host = h1});
    EXPECT_DEATH(story.tell(HostSealing{h1}), "cordoned");
    story.tell(HostCordoned{h1});
    story.tell(HostSealing{h1});
    EXPECT_DEATH(story.tell(HostEndWithdrawn{h1}), "before the seal");
}

}  // namespace
}  // namespace berth
