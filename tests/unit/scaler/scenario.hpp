// SPDX-License-Identifier: Apache-2.0
// The scaler's core with a small allocator and a small cloud, under a virtual clock. What happens
// becomes lines of "<second> <what> <whom>", compared whole. Faults are set by the test.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "scaler/turn.hpp"

namespace berth::scaler {

inline constexpr Instant start_of_time{Duration{1'800'000'000'000}};
using Story = std::vector<std::string>;

class Scenario {
public:
    explicit Scenario(PoolDefined pool, Policy policy = {}) : policy_(policy), state(make_state(policy, Rng{1})) {
        pool.pool = {"default"};
        tell(TookOver{.ledger = "L", .version = "0"});
        tell(pool);
        take(ViewReply{.view = ledger});
    }

private:
    Policy policy_;

public:
    State state;
    View ledger;                                // what the allocator would hold
    std::map<std::string, Instance> cloud;      // what the provider has
    Story story;
    std::vector<std::string> lines;
    Instant now = start_of_time;
    Duration boot{10'000};                      // from a launch to its registration
    std::optional<ProviderError> launch_error;
    std::optional<ProviderError> start_error;
    bool is_a_group = false;                    // as Auto Scaling has them
    std::deque<LaunchId> group_waits;           // taken, and without a machine yet
    std::vector<LaunchTrouble> troubles;        // of its next listings
    std::vector<PoolAdvice> advice;
    bool launch_answers = true;                 // false: the call works and its answer is lost
    bool terminate_works = true;
    bool agents_register = true;
    bool agents_know_launch = true;             // as their instance's tag says it
    bool provider_lists = true;
    bool allocator_speaks = true;               // its beacon
    std::optional<Error> allocator_error;
    std::function<void()> every_second = [] {};
    std::function<void(const AskBody&)> before_answer = [](const AskBody&) {};

    std::int64_t second() const { return (now - start_of_time).count() / 1000; }
    Instant at(std::int64_t seconds) const { return start_of_time + Duration{seconds * 1000}; }

    void tell(Fact fact, std::string by = "test") {
        const FactRecord record{Position{ledger.position.value + 1}, Term{1}, now, std::move(fact),
                                Reason{"a test says so", std::move(by), "p0"}, ""};
        apply(ledger, record);
        if (state.view_known) take(record);
    }
    void take(Input input) {
        auto decisions = step(state, std::move(input), now);
        auto anew = state;
        recount_all(anew);
        EXPECT_EQ(count_levels(state, now), count_levels(anew, now)) << "what facts added up to is what there is";
        for (auto& line : decisions.lines) lines.push_back(fmt::format("{} {} {}", second(), line.event, line.subject));
        for (auto& reply : decisions.replies) replies.push_back(std::move(reply));
        for (auto& ask : decisions.asks) asks_.push_back(std::move(ask));
        for (auto& call : decisions.calls) calls_.push_back(std::move(call));
    }
    void until(std::int64_t seconds) {
        while (second() < seconds) {
            now += Duration{500};
            if (now.time_since_epoch().count() % 1000 == 0) {
                register_booted();
                if (provider_lists && (second() % 10 == 0 || second() == 1)) list();
                every_second();
            }
            if (allocator_speaks) take(LedgerHead{.ledger = "L", .term = ledger.term, .position = ledger.position});
            take(Tick{});
            settle();
        }
    }
    void list() {
        ProviderSnapshot snapshot{.provider = "local", .read_at = now, .complete = true};
        for (const auto& [name, instance] : cloud) snapshot.instances.push_back(instance);
        take(ProviderReport{.provider = "local", .troubles = troubles, .advice = advice});
        take(std::move(snapshot));
    }
    void restart() {
        asks_.clear();
        calls_.clear();
        state = make_state(policy_, Rng{2});
        take(ViewReply{.view = ledger});
    }
    std::set<std::string> accounted_for;   // instances that the ledger knows more of than the scaler
    std::vector<Reply> replies;

    // ---- a world of hosts and users
    void host(int number, std::uint32_t slots) {
        const auto name = fmt::format("h-{}", number);
        cloud[name] = Instance{.instance = name, .incarnation = {"i"}, .pool = {"default"}, .state = InstanceState::running,
                               .launched_at = now, .protected_from_scale_in = true};
        tell(HostRegistered{.host = {name}, .incarnation = {"i"}, .pool = {"default"}, .slots = slots});
    }
    void lease(int number, const std::string& host, std::uint32_t slot) {
        const WorkspaceId id{fmt::format("w-{}", number)};
        tell(LeaseGranted{.workspace = id, .user = {fmt::format("u{}", number)}, .project = {"p"}, .pool = {"default"},
                          .host = {host}, .incarnation = {"i"}, .slot = slot, .epoch = Epoch{++epochs_},
                          .expires_at = at(1'000'000)});
    }
    void release(int number) {
        const auto w = ledger.workspaces.at({fmt::format("w-{}", number)});
        tell(WorkspaceStopping{.workspace = w.workspace, .epoch = w.epoch, .host = w.host, .slot = w.slot});
        tell(WorkspaceStopped{.workspace = w.workspace, .epoch = w.epoch, .host = w.host, .incarnation = w.incarnation, .slot = w.slot});
    }
    void claim(int number) {
        tell(ClaimAccepted{.claim = {fmt::format("c-{}", number)}, .key = {fmt::format("k{}", number)}, .principal = {"p"},
                           .user = {fmt::format("cu{}", number)}, .project = {"p"}, .pool = {"default"}, .accepted_at = now,
                           .deadline = now + Duration{120'000}});
    }

private:
    template <class... T>
    void say(fmt::format_string<T...> form, T&&... args) {
        story.push_back(fmt::format("{} {}", second(), fmt::format(form, std::forward<T>(args)...)));
    }
    // Answers all that is open, the calls first, as long as answers lead to more.
    void settle() {
        for (int round = 0; round < 20 && asks_.size() + calls_.size() > 0; ++round) {
            auto calls = std::move(calls_);
            calls_.clear();
            for (const auto& call : calls) std::visit([&](const auto& body) { provide(call.id, body); }, call.body);
            auto asks = std::move(asks_);
            asks_.clear();
            for (const auto& ask : asks) {
                before_answer(ask.body);
                if (allocator_error) {
                    take(Answered{ask.id, fail(*allocator_error)});
                } else {
                    std::visit([&](const auto& body) { take(Answered{ask.id, decide(body)}); }, ask.body);
                }
            }
        }
    }

    // ---- the cloud
    void provide(CallId id, const LaunchCall& call) {
        CallAnswered answered{.call = id};
        for (const auto& launch : call.launches) answered.launched.push_back(provide_one(launch.launch, call.pool));
        if (!launch_answers) answered = {.call = id, .error = ProviderError{LaunchFailure::lost, "no answer"}};
        take(std::move(answered));
    }
    LaunchOutcome provide_one(const LaunchId& launch, const PoolDefined& pool) {
        say("launch {}", launch.value);
        if (launch_error) return {launch, {}, launch_error};
        if (is_a_group) {                       // it names the instance only in a listing
            group_waits.push_back(launch);
            return {launch, {}, {}};
        }
        const auto name = "h-" + launch.value;
        auto& instance = cloud[name];
        if (instance.instance.empty()) {
            instance = Instance{.instance = name, .incarnation = {"i"}, .launch = launch, .pool = pool.pool,
                                .state = InstanceState::running, .launched_at = now, .protected_from_scale_in = true};
        }
        return {launch, instance, {}};
    }
    void provide(CallId id, const TerminateCall& call) {
        say("terminate {}", call.instance);
        if (!terminate_works) return take(CallAnswered{.call = id, .error = ProviderError{LaunchFailure::throttle, "later"}});
        cloud.at(call.instance).state = InstanceState::terminated;
        take(CallAnswered{.call = id});
    }
    void provide(CallId id, const ProtectCall& call) {
        CallAnswered answered{.call = id};
        for (const auto& name : call.instances) {
            say("protect {}", name);
            cloud.at(name).protected_from_scale_in = call.protection == Protection::on;
            answered.instances.push_back({name, {}});
        }
        take(std::move(answered));
    }
    void provide(CallId id, const StartCall& call) {
        CallAnswered answered{.call = id};
        for (const auto& name : call.instances) {
            say("start {}", name);
            if (!start_error) cloud.at(name).state = InstanceState::running;
            answered.instances.push_back({name, start_error});
        }
        take(std::move(answered));
    }
    void register_booted() {
        if (!agents_register) return;
        for (const auto& [name, instance] : cloud) {
            if (!instance.launch || instance.launched_at + boot > now || instance.state != InstanceState::running) continue;
            if (ledger.hosts.contains({name})) continue;
            tell(HostRegistered{.host = {name}, .incarnation = {"i"}, .pool = {"default"}, .launch = agents_know_launch ? instance.launch : std::nullopt,
                                .slots = ledger.pools.at({"default"}).slots_per_host});
        }
    }

    // ---- the allocator
    using Good = std::variant<Done, LaunchReply, Permit>;
    Result<Good> decide(const LaunchRequest& request) {
        LaunchReply reply{.deadline = now + Duration{60'000}};
        for (std::uint32_t i = 0; i < request.count; ++i) {
            const LaunchId launch{fmt::format("l-{}", ++launches_)};
            tell(LaunchStarted{launch, request.pool, now, reply.deadline});
            reply.launches.push_back(launch);
        }
        say("granted {}", request.count);
        return Good{reply};
    }
    Result<Good> decide(const LaunchFailedRequest& request) {
        say("failed {} {}", request.launch.value, to_string(request.failure));
        tell(LaunchFailed{request.launch, {"default"}, request.failure, request.text});
        return Good{Done{.count = 1}};
    }
    Result<Good> decide(const LaunchMetRequest& request) {
        say("met {} {}", request.launch.value, request.host.host.value);
        tell(LaunchMet{request.launch, {"default"}, request.host, request.provider});
        return Good{Done{.count = 1}};
    }
    Result<Good> decide(const HostPricedRequest& request) {
        say("priced {} {}", request.host.host.value, request.price.microdollars_per_hour);
        tell(HostPriced{request.host, request.price});
        return Good{Done{.count = 1}};
    }
    Result<Good> decide(const CordonRequest& request) {
        say("cordon {}", request.host.host.value);
        tell(HostCordoned{request.host}, "scaler");
        return Good{Done{.count = 1}};
    }
    Result<Good> decide(const UncordonRequest& request) {
        say("uncordon {}", request.host.host.value);
        tell(HostUncordoned{request.host});
        return Good{Done{.count = 1}};
    }
    Result<Good> decide(const DrainRequest& request) {
        const auto& host = ledger.hosts.at(request.host.host);
        if (!host.idle()) return fail(Error{ErrorKind::conflict, "it holds a lease"});
        if (host.admission != Admission::draining) {
            say("drain {}", request.host.host.value);
            tell(HostDrained{request.host});
        }
        return Good{Permit{request.host, ledger.term, host.drained_at}};
    }
    Result<Good> decide(const PermitCheckRequest& request) {
        const auto& host = ledger.hosts.at(request.permit.host.host);
        if (host.drained_at != request.permit.position || request.permit.term != ledger.term) {
            say("stale permit {}", request.permit.host.host.value);
            return fail(Error{ErrorKind::fenced, "the permit is no longer good"});
        }
        return Good{Done{.count = 1}};
    }
    Result<Good> decide(const GoneRequest& request) {
        say("gone {}", request.host.host.value);
        tell(HostGone{request.host});
        return Good{Done{.count = 1}};
    }

    Result<Good> decide(const CondemnRequest& request) {
        say("condemn {}", request.instance);
        if (accounted_for.contains(request.instance)) return fail(ErrorKind::conflict, "instance {} is accounted for by the ledger", request.instance);
        return Good{Done{.count = 1}};
    }

    std::vector<Ask> asks_;
    std::vector<Call> calls_;
    std::uint64_t epochs_ = 0;
    std::uint64_t launches_ = 0;
};

}  // namespace berth::scaler
