// SPDX-License-Identifier: Apache-2.0
// People and their scripts: claims with retries under the same key, releases, extensions, holds,
// destruction, returns, double clicks. Open loop: they do not wait for the system to be well.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/sim/history.hpp"
#include "tests/sim/truth.hpp"
#include "tests/sim/world.hpp"

namespace berth::sim {

struct Habits {
    std::uint32_t projects = 2;
    Duration between{5'000};              // mean time from one act to the next
    Duration claim_wait{20'000};
    std::uint32_t publishes = 20;         // of 100 claims
    std::uint32_t impatient = 10;         // of 100 claims: wait_ms = 0
    std::uint32_t destroys = 5;           // of 100 acts
    std::uint32_t acts_max = 1'000'000;
};

class User final : public Actor {
public:
    User(World& world, Truth& truth, std::string name, Habits habits);

    void begin();
    void stop() { working_ = false; }     // begins nothing new
    void receive(const LetterPtr&) override {}
    /// Asks again for the outcome of every key that it ever used (I7).
    void ask_outcomes();

    const std::string& name() const { return name_; }
    const History& history() const { return history_; }
    /// Keys whose outcome was not learned at the end.
    std::map<std::string, std::string> unresolved;
    /// Called for each call that ended.
    std::function<void(const Call&)> on_end;

private:
    void act();
    void claim();
    void send_claim(const ClaimRequest& request, Instant give_up_at);
    void ask_outcome(const std::string& key, std::uint32_t tries_left);
    template <class T>
    void ask(CallKind kind, T request, Call call, std::uint32_t tries_left);
    void finish(Call call);
    void use();

    World& world_;
    Truth& truth_;
    std::string name_;
    Habits habits_;
    Rng rng_;
    bool working_ = true;
    std::uint32_t acts_ = 0;
    std::uint64_t last_key_ = 0;
    History history_;
    std::map<std::string, ClaimRequest> claims_;           // by key
    std::map<std::string, WorkspaceId> workspaces_;        // by project, as last told
};

}  // namespace berth::sim
