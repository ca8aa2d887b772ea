// SPDX-License-Identifier: Apache-2.0
// The core of one host, with a disk and an engine that are plain maps. What a step decides is kept
// at once; engine calls wait until the test lets them end.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hostagent/step.hpp"

namespace berth::hostagent {

inline constexpr Instant start_of_time{Duration{1'000'000'000}};

struct Scene {
    explicit Scene(std::uint32_t slots = 2, Policy policy = {}, std::string sockets = {});

    /// One input; what it led to is in `out`, on the disk, in `calls` and in `replies`.
    void take(const Input& input);
    void pass(Duration time);                               // and a tick
    /// All engine calls succeed, and all that follow; activity is not read.
    void settle();
    void finish(const Operation& call);                     // that one succeeds
    /// The first call of that kind, taken out; fails the test when there is none.
    template <class Call>
    Call call() {
        for (auto at = calls.begin(); at != calls.end(); ++at) {
            if (!std::holds_alternative<Call>(*at)) continue;
            auto found = std::get<Call>(*at);
            calls.erase(at);
            return found;
        }
        ADD_FAILURE() << "no such engine call is under way";
        return {};
    }
    template <class Call>
    std::size_t count() const {
        std::size_t number = 0;
        for (const auto& one : calls) number += std::holds_alternative<Call>(one) ? 1 : 0;
        return number;
    }
    /// The process dies; what was under way is as good as never said. Disk and engine stay.
    void restart();

    // ---- words of the allocator
    static LeaseOrder order(std::uint32_t slot, std::uint64_t epoch, const std::string& workspace = "w-1");
    CallerId bind(const LeaseOrder& order);
    CallerId stop(std::uint32_t slot, std::uint64_t epoch, const std::string& workspace = "w-1");
    CallerId link(std::uint32_t slot, std::uint64_t epoch, const std::string& workspace = "w-1");
    CallerId erase(const std::string& workspace);
    CallerId seal(const std::string& incarnation = "i-1");
    /// The answer to a heartbeat sent right now.
    void orders(std::vector<LeaseOrder> leases, std::uint32_t standbys = 0, Admission admission = Admission::open);

    bool answered(CallerId caller) const { return replies.contains(caller); }
    template <class Body>
    std::optional<Body> good(CallerId caller) const {
        const auto found = replies.find(caller);
        if (found == replies.end() || !found->second) return std::nullopt;
        if constexpr (std::is_same_v<Body, BindReply>) {
            const auto* done = std::get_if<BindDone>(&*found->second);
            return done ? std::optional{done->reply} : std::nullopt;
        } else {
            if (!std::holds_alternative<Body>(*found->second)) return std::nullopt;
            return std::get<Body>(*found->second);
        }
    }
    /// "fenced", "conflict", …; empty when it was not refused.
    std::string refusal(CallerId caller) const;
    std::string refusal_text(CallerId caller) const;

    Slot& slot(std::uint32_t number) { return state.slots.at(number); }
    SlotPhase phase(std::uint32_t number) const { return state.slots.at(number).record.phase; }
    bool on_disk(std::uint32_t number, SlotPhase phase, std::uint64_t epoch) const;

    Policy policy;
    State state;
    Instant now = start_of_time;
    Term term{7};                                           // of the allocator that speaks
    Decisions out;
    std::vector<Operation> calls;
    std::map<CallerId, Result<ReplyBody>> replies;
    CallerId callers = 0;
    int snapshots = 0;                                      // that were made
    std::map<ContainerId, FoundContainer> engine;

    std::map<std::uint32_t, SlotRecord> disk;
    std::map<WorkspaceId, RouteRecord> routes;
    Term disk_term;
    Position disk_position;
    bool disk_sealed = false;

private:
    void keep(const Persist& persist);
    void recover();
    Setup setup_;
    int lives_ = 0;
};

}  // namespace berth::hostagent
