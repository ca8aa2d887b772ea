// SPDX-License-Identifier: Apache-2.0
// Thousands of inputs by chance: commands and orders of any age, engine calls that fail, end late or
// never, deaths of the process. After each step the host must hold what it promises.
#include <fmt/format.h>

#include <algorithm>

#include "base/rng.hpp"
#include "tests/unit/hostagent/scene.hpp"

namespace berth::hostagent {
namespace {

constexpr std::uint64_t seeds = 40;
constexpr int steps_per_seed = 1'000;
constexpr std::uint32_t slot_count = 3;

class Disorder {
public:
    explicit Disorder(std::uint64_t seed) : chance_(seed), scene_(slot_count) {}

    void run() {
        for (int at = 0; at < steps_per_seed && !::testing::Test::HasFailure(); ++at) {
            one_input();
            look();
        }
    }
    std::size_t given() const { return given_.size(); }
    const Counters& counters() const { return scene_.state.counters; }

    /// All faults end: what the allocator wants is what there is (I29).
    void heal() {
        for (int round = 0; round < 40; ++round) {
            scene_.settle();
            std::vector<LeaseOrder> wanted;
            for (const auto& [slot, lease] : leases_) wanted.push_back(lease);
            scene_.orders(wanted);
            scene_.pass(scene_.policy.broken_retry);
        }
        scene_.settle();
        std::size_t expected = 0;
        for (std::uint32_t slot = 0; slot < slot_count; ++slot) {
            const auto lease = leases_.find(slot);
            const auto& record = scene_.slot(slot).record;
            if (lease == leases_.end() || lease->second.wanted == Wanted::stopped) {
                EXPECT_FALSE(holds(record.phase)) << to_string(record.phase);
            } else {
                EXPECT_EQ(record.epoch, lease->second.epoch);
                if (record.phase == SlotPhase::stopped) continue;   // its start failed: the allocator has to end it
                EXPECT_EQ(record.phase, SlotPhase::bound) << record.text;
                ++expected;
            }
        }
        EXPECT_EQ(scene_.engine.size(), expected) << "nothing leaks";
        EXPECT_EQ(scene_.routes.size(), expected);
    }

private:
    static bool holds(SlotPhase phase) {
        return phase == SlotPhase::binding || phase == SlotPhase::bound || phase == SlotPhase::stopping || phase == SlotPhase::broken;
    }
    std::uint32_t any_slot() { return static_cast<std::uint32_t>(chance_.below(slot_count)); }

    /// The allocator's truth: one workspace on one slot, epochs that only grow.
    void change_leases() {
        const auto slot = any_slot();
        const auto lease = leases_.find(slot);
        if (lease == leases_.end()) {
            const auto workspace = fmt::format("w-{}", chance_.below(4));
            for (const auto& [other, taken] : leases_) {
                if (taken.workspace.value == workspace) return;
            }
            leases_[slot] = Scene::order(slot, ++epochs_[slot], workspace);
            said_.push_back(leases_[slot]);
        } else if (lease->second.wanted == Wanted::running) {
            lease->second.wanted = Wanted::stopped;
            said_.push_back(lease->second);
        } else {
            const auto& record = scene_.slot(slot).record;   // freed on the host's word alone (I10)
            if (record.phase == SlotPhase::stopped && record.epoch == lease->second.epoch) leases_.erase(lease);
        }
    }

    void one_call_ends() {
        if (scene_.calls.empty()) return;
        const auto at = scene_.calls.begin() + static_cast<std::ptrdiff_t>(chance_.below(scene_.calls.size()));
        const auto call = *at;
        scene_.calls.erase(at);
        if (!chance_.chance(0.2)) {
            if (const auto* given = std::get_if<EngineBind>(&call)) given_.push_back(given->container);
            return scene_.finish(call);
        }
        const auto bad = fail(ErrorKind::unavailable, "by chance");
        if (const auto* prepare = std::get_if<PrepareOrder>(&call)) {
            scene_.take(Prepared{prepare->slot, prepare->container, bad});
        } else if (const auto* given = std::get_if<EngineBind>(&call)) {
            given_.push_back(given->container);
            scene_.take(Bound{given->slot, given->container, bad});
        } else if (const auto* remove = std::get_if<RemoveOrder>(&call)) {
            scene_.take(Removed{remove->slot, remove->container, bad});
        } else if (const auto* list = std::get_if<ListOrder>(&call)) {
            scene_.take(Listed{list->mark, bad});
        } else if (const auto* home = std::get_if<EraseOrder>(&call)) {
            scene_.take(Erased{home->workspace, bad});
        }
    }

    void die() {
        // Each call was carried out whole, half or not at all when the process died.
        for (const auto& call : scene_.calls) {
            const auto* prepare = std::get_if<PrepareOrder>(&call);
            if (prepare != nullptr && chance_.chance(0.5)) {
                const auto health = chance_.chance(0.7) ? Health::running : Health::exited;
                scene_.engine[prepare->container] = {prepare->container, prepare->slot, prepare->port, health};
            }
            const auto* remove = std::get_if<RemoveOrder>(&call);
            if (remove != nullptr && chance_.chance(0.5)) scene_.engine.erase(remove->container);
            if (const auto* given = std::get_if<EngineBind>(&call)) given_.push_back(given->container);
        }
        scene_.restart();
    }

    void speak() {
        if (said_.empty()) return;
        const auto& word = said_[chance_.below(said_.size())];   // of any age
        if (word.wanted == Wanted::running) {
            scene_.bind(word);
        } else {
            scene_.stop(word.slot, word.epoch.value, word.workspace.value);
        }
    }

    void one_input() {
        const auto kind = chance_.below(100);
        if (kind < 15) return change_leases();
        if (kind < 35) return speak();
        if (kind < 65) return one_call_ends();
        if (kind < 75) {
            std::vector<LeaseOrder> wanted;
            for (const auto& [slot, lease] : leases_) wanted.push_back(lease);
            return scene_.orders(wanted, static_cast<std::uint32_t>(chance_.below(3)));
        }
        if (kind < 85) return scene_.pass(Duration{static_cast<std::int64_t>(chance_.below(20'000))});
        if (kind < 88 && !scene_.engine.empty()) {
            auto& victim = *std::next(scene_.engine.begin(), static_cast<std::ptrdiff_t>(chance_.below(scene_.engine.size())));
            victim.second.health = Health::exited;
            return;
        }
        if (kind < 90) return die();
        if (kind < 95) {
            scene_.erase(fmt::format("w-{}", chance_.below(4)));
            return;
        }
        const auto slot = any_slot();
        if (leases_.contains(slot)) scene_.link(slot, leases_[slot].epoch.value, leases_[slot].workspace.value);
    }

    void look() {
        for (const auto& call : scene_.out.operations) {
            const auto* given = std::get_if<EngineBind>(&call);
            if (given == nullptr) continue;
            EXPECT_EQ(scene_.disk.at(given->slot).container, given->container) << "I2: written down before it is given";
            EXPECT_EQ(scene_.disk.at(given->slot).epoch, given->epoch);
            EXPECT_EQ(std::count(given_.begin(), given_.end(), given->container), 0) << "I2: given twice";
        }
        std::map<std::uint32_t, int> starts;
        for (const auto& call : scene_.calls) {
            if (const auto* prepare = std::get_if<PrepareOrder>(&call)) ++starts[prepare->slot];
            if (const auto* given = std::get_if<EngineBind>(&call)) ++starts[given->slot];
            if (const auto* remove = std::get_if<RemoveOrder>(&call)) ++starts[remove->slot];
        }
        for (const auto& [slot, number] : starts) EXPECT_EQ(number, 1) << "one call at a time on slot " << slot;
        std::map<WorkspaceId, std::uint32_t> places;
        for (const auto& [slot, record] : scene_.disk) {
            EXPECT_EQ(record, scene_.slot(slot).record) << "what is believed is what is written";
            if (record.phase == SlotPhase::stopped || record.phase == SlotPhase::empty) {
                EXPECT_TRUE(record.container.empty()) << "I10: said to be wiped";
            }
            if (!record.workspace.empty() && holds(record.phase)) {
                EXPECT_TRUE(places.emplace(record.workspace, slot).second) << "I1: " << record.workspace.value << " stands twice";
            }
        }
        for (const auto& [workspace, route] : scene_.routes) {
            const auto& record = scene_.disk.at(route.slot);
            EXPECT_TRUE(record.phase == SlotPhase::bound && record.workspace == workspace && record.epoch == route.epoch &&
                        record.container == route.container && record.port == route.port)
                << "I25: a route to what is not bound";
        }
        for (const auto& reply : scene_.out.replies) {
            if (!reply.body || !std::holds_alternative<StopReply>(*reply.body)) continue;
            const auto& done = std::get<StopReply>(*reply.body);
            EXPECT_GE(scene_.disk.at(done.slot).epoch, done.epoch) << "I9";
        }
    }

    Rng chance_;
    Scene scene_;
    std::map<std::uint32_t, LeaseOrder> leases_;
    std::map<std::uint32_t, std::uint64_t> epochs_;
    std::vector<LeaseOrder> said_;
    std::vector<ContainerId> given_;
};

TEST(Disorder, PromisesHoldUnderAnything_I1_I2_I3_I9_I10_I25_I29) {
    std::size_t given = 0;
    Counters seen;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        Disorder disorder(seed);
        disorder.run();
        if (!HasFailure()) disorder.heal();
        if (HasFailure()) return;
        given += disorder.given();
        seen.stale_epochs += disorder.counters().stale_epochs;
        seen.failed_starts += disorder.counters().failed_starts;
        seen.ended_environments += disorder.counters().ended_environments;
    }
    // Chance came to where the promises are kept. Counters begin anew with each life.
    EXPECT_GT(given, seeds * 10);
    EXPECT_GT(seen.stale_epochs, 0U);
    EXPECT_GT(seen.failed_starts, 0U);
    EXPECT_GT(seen.ended_environments, 0U);
}

}  // namespace
}  // namespace berth::hostagent
