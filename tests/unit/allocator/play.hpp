// SPDX-License-Identifier: Apache-2.0
// A few lines to set a stage for the allocator's core: hosts that answer, users that ask.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "allocator/step.hpp"
#include "events/codec.hpp"
#include "events/catalog.hpp"

namespace berth::allocator {

class Play {
public:
    explicit Play(Policy policy = {}, View view = {}) : state(make_state(policy, std::move(view))) {
        give(Begin{"L", "test"});
        give(PoolConfigured{PoolDefined{.pool = {"default"}, .slots_per_host = 2, .hosts_max = 10}});
    }

    State state;
    Instant now{Duration{1'000'000}};
    std::vector<FactRecord> facts;
    std::vector<Reply> replies;
    std::vector<Command> commands;
    std::vector<ClaimProgress> progress;

    void give(const Input& input) {
        auto out = step(state, input, now);
        std::move(out.facts.begin(), out.facts.end(), std::back_inserter(facts));
        std::move(out.replies.begin(), out.replies.end(), std::back_inserter(replies));
        std::move(out.commands.begin(), out.commands.end(), std::back_inserter(commands));
        std::move(out.progress.begin(), out.progress.end(), std::back_inserter(progress));
    }
    void pass(Duration time) {
        now += time;
        give(Tick{});
    }
    template <class T>
    CallerId ask(T body, Role role = Role::client, std::string sender = "robot") {
        const auto caller = ++last_caller_;
        give(Asked<T>{caller, role, std::move(sender), "m" + std::to_string(caller), std::move(body)});
        return caller;
    }
    CallerId claim(const std::string& key, const std::string& user, std::optional<Duration> wait = std::nullopt,
                   const std::string& project = "site") {
        return ask(ClaimRequest{.key = {key}, .user = {user}, .project = {project}, .wait_ms = wait});
    }

    void host(const std::string& id, std::uint32_t slots, const std::string& incarnation = "i1") {
        ask(RegisterRequest{.host = {id}, .incarnation = {incarnation}, .pool = {"default"}, .instance = id,
                            .public_ip = "127.0.0.9", .proxy_port = 8100, .slots = slots}, Role::host, id);
        beat(id, {}, incarnation);
    }
    CallerId beat(const std::string& id, std::vector<SlotReport> slots = {}, const std::string& incarnation = "i1") {
        return ask(HostHeartbeat{.host = {id}, .incarnation = {incarnation}, .slots = std::move(slots)}, Role::host, id);
    }
    /// Takes the oldest command of that kind.
    template <class T>
    std::optional<Command> take() {
        const auto at = std::find_if(commands.begin(), commands.end(), [](const Command& command) { return std::holds_alternative<T>(command.body); });
        if (at == commands.end()) return std::nullopt;
        auto found = *at;
        commands.erase(at);
        return found;
    }
    template <class T>
    void answer(Result<HostAnswer> with) {
        const auto command = take<T>();
        ASSERT_TRUE(command) << "no such command is under way";
        give(CommandAnswered{command->id, std::move(with)});
    }
    void bound(const std::string& container = "k1") { answer<BindCommand>(HostAnswer{BindReply{{container}, "http://w.localhost:8100/", std::nullopt}}); }
    void linked() { answer<LinkCommand>(HostAnswer{LinkReply{"http://w.localhost:8100/", "http://w.localhost:8100/_berth/open?token=t", "t"}}); }
    void wiped() { answer<StopCommand>(HostAnswer{StopReply{}}); }

    template <class T>
    const T* reply_to(CallerId caller) const {
        for (const auto& reply : replies) {
            if (reply.caller == caller && reply.body) return std::get_if<T>(&*reply.body);
        }
        return nullptr;
    }
    const Error* refusal_of(CallerId caller) const {
        for (const auto& reply : replies) {
            if (reply.caller == caller && !reply.body) return &reply.body.error();
        }
        return nullptr;
    }
    template <class T>
    std::vector<T> told() const {
        std::vector<T> found;
        for (const auto& record : facts) {
            if (const auto* fact = std::get_if<T>(&record.fact)) found.push_back(*fact);
        }
        return found;
    }
    const WorkspaceView& workspace(const std::string& user, const std::string& project = "site") const {
        return *state.view.workspace_of({user}, {project});
    }
    /// What a new process would make of the same ledger.
    void restart() {
        View view;
        for (const auto& record : facts) apply(view, record);
        commands.clear();
        state = make_state(state.policy, std::move(view));
        give(Begin{state.view.ledger, "test"});
    }
    /// An old copy of the ledger is put back: what came after the first `length` facts is lost.
    void restore(std::size_t length) {
        facts.erase(facts.begin() + static_cast<std::ptrdiff_t>(length), facts.end());
        restart();
    }
    void recover(std::size_t length) {
        facts.erase(facts.begin() + static_cast<std::ptrdiff_t>(length), facts.end());
        facts.push_back({Position{1'000'000}, {}, now, LedgerRecovered{.before = "L", .ledger = "R"}, Reason{"an old copy", "operator", "1", {}}, ""});
        restart();
    }

private:
    CallerId last_caller_ = 0;
};

}  // namespace berth::allocator
