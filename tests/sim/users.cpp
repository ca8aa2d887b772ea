// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/users.hpp"

#include <fmt/format.h>

namespace berth::sim {

namespace {

constexpr Duration patience{4'000};       // of one request, before it is sent again
constexpr Duration pause_before_retry{500};
constexpr std::uint32_t tries_max = 4;
constexpr std::uint32_t outcome_tries_max = 12;
const std::string allocator_address = "allocator";

}  // namespace

User::User(World& world, Truth& truth, std::string name, Habits habits)
    : world_(world), truth_(truth), name_(std::move(name)), habits_(habits), rng_(world.stream("user " + name_)) {}

void User::begin() {
    world_.connect(name_, name_, *this);
    world_.after(name_, Duration{static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(habits_.between.count())))},
                 [this] { act(); });
}

void User::act() {
    if (!working_ || ++acts_ > habits_.acts_max) return;
    const auto mean = static_cast<std::uint64_t>(habits_.between.count());
    world_.after(name_, Duration{static_cast<std::int64_t>(mean / 4 + rng_.below(mean * 3 / 2 + 1))}, [this] { act(); });
    use();
    const auto dice = rng_.below(100);
    const auto project = fmt::format("p{}", rng_.below(habits_.projects));
    const auto known = workspaces_.find(project);
    const WorkspaceRef by_name{.user = UserId{name_}, .project = ProjectName{project}};
    const auto target = known != workspaces_.end() && rng_.chance(0.5) ? WorkspaceRef{.workspace = known->second} : by_name;
    Call call{.client = name_, .project = project, .workspace = target.workspace ? target.workspace->value : "", .began_at = world_.now};
    if (dice < 50) return claim();
    if (dice < 50 + habits_.destroys) {
        return ask(CallKind::destroy, DestroyRequest{.target = target, .why = "enough"}, call, tries_max);
    }
    if (dice < 78) return ask(CallKind::release, ReleaseRequest{.target = target, .why = "done"}, call, tries_max);
    if (dice < 88) {
        call.until = world_.now + Duration{static_cast<std::int64_t>(rng_.below(40'000'000))};
        return ask(CallKind::extend, ExtendRequest{.target = target, .expires_at = call.until}, call, tries_max);
    }
    if (dice < 92) {
        return ask(CallKind::hold, HoldRequest{.target = target, .until = world_.now + Duration{60'000}, .why = "a long build"}, call, tries_max);
    }
    if (dice < 96) return ask(CallKind::link, LinkRequest{.target = target}, call, tries_max);
    if (last_key_ > 0) ask_outcome(fmt::format("k{}", 1 + rng_.below(last_key_)), 1);
}

void User::use() {
    for (const auto& [project, workspace] : workspaces_) {
        if (rng_.chance(0.3)) truth_.last_use[workspace] = world_.now;
    }
}

void User::claim() {
    std::string key = fmt::format("k{}", last_key_ + 1);
    if (last_key_ > 0 && rng_.chance(0.15)) {
        key = fmt::format("k{}", 1 + rng_.below(last_key_));   // a late repeat
    } else {
        ++last_key_;
        ClaimRequest request{.key = {key}, .user = {name_}, .project = {fmt::format("p{}", rng_.below(habits_.projects))},
                             .wait_ms = habits_.claim_wait, .ttl_ms = Duration{static_cast<std::int64_t>(10'000 + rng_.below(600'000))}};
        if (rng_.below(100) < habits_.impatient) request.wait_ms = Duration{0};
        claims_[key] = request;
    }
    const auto& request = claims_[key];
    if (rng_.below(100) < habits_.publishes) world_.publish(name_, request);
    const auto give_up_at = world_.now + habits_.claim_wait + Duration{20'000};
    send_claim(request, give_up_at);
    if (rng_.chance(0.1)) send_claim(request, give_up_at);      // a double click
}

void User::send_claim(const ClaimRequest& request, Instant give_up_at) {
    Call call{.client = name_, .kind = CallKind::claim, .key = request.key.value, .project = request.project.value, .began_at = world_.now};
    const auto answered = [this, request, give_up_at, call](Result<Letter> reply) mutable {
        const bool transient = !reply && (reply.error().kind == ErrorKind::timeout || reply.error().kind == ErrorKind::unavailable ||
                                          reply.error().kind == ErrorKind::fenced);
        if (transient && world_.now < give_up_at) {
            world_.after(name_, pause_before_retry, [this, request, give_up_at] { send_claim(request, give_up_at); });
        }
        if (!reply) {
            call.end = transient ? CallEnd::unknown : CallEnd::refused;
            call.error = to_string(reply.error().kind);
            return finish(call);
        }
        const auto granted = reply->as<ClaimReply>();
        call.end = CallEnd::ok;
        call.workspace = granted.workspace.value;
        call.host = granted.host.value;
        call.epoch = granted.epoch.value;
        workspaces_[request.project.value] = granted.workspace;
        finish(call);
    };
    world_.request(name_, name_, allocator_address, request, patience, answered);
}

template <class T>
void User::ask(CallKind kind, T request, Call call, std::uint32_t tries_left) {
    call.kind = kind;
    const auto answered = [this, kind, request, call, tries_left](Result<Letter> reply) mutable {
        if (!reply) {
            const bool transient = reply.error().kind == ErrorKind::timeout || reply.error().kind == ErrorKind::unavailable;
            if (transient && tries_left > 1) {
                world_.after(name_, pause_before_retry, [=, this] {
                    auto again = call;
                    again.began_at = world_.now;
                    ask(kind, request, again, tries_left - 1);
                });
            }
            call.end = transient ? CallEnd::unknown : CallEnd::refused;
            call.error = to_string(reply.error().kind);
            return finish(call);
        }
        call.end = CallEnd::ok;
        if constexpr (std::is_same_v<ReplyTo<T>, Done>) {
            const auto done = reply->template as<Done>();
            call.count = done.count;
            call.position = done.position.value;
        } else {
            const auto link = reply->template as<ClaimReply>();
            call.workspace = link.workspace.value;
            call.host = link.host.value;
            call.epoch = link.epoch.value;
        }
        finish(call);
    };
    world_.request(name_, name_, allocator_address, request, patience, answered);
}

void User::ask_outcome(const std::string& key, std::uint32_t tries_left) {
    Call call{.client = name_, .kind = CallKind::outcome, .key = key, .began_at = world_.now};
    const auto answered = [this, key, tries_left, call](Result<Letter> reply) mutable {
        if (!reply) {
            const bool denied = !is_of_bus(reply.error()) && reply.error().text.find("it gave no link") == std::string::npos;
            call.end = denied ? CallEnd::refused : CallEnd::unknown;
            call.error = to_string(reply.error().kind);
            if (denied) unresolved.erase(key);
            else unresolved[key] = call.error + ": " + reply.error().text;
            if (!denied && tries_left > 1) {
                world_.after(name_, Duration{1'000}, [this, key, tries_left] { ask_outcome(key, tries_left - 1); });
            }
            return finish(call);
        }
        const auto outcome = reply->as<ClaimReply>();
        call.end = CallEnd::ok;
        call.workspace = outcome.workspace.value;
        call.host = outcome.host.value;
        call.epoch = outcome.epoch.value;
        if (outcome.state == ClaimState::granted) unresolved.erase(key);
        else {
            call.end = CallEnd::unknown;
            unresolved[key] = fmt::format("still {}", to_string(outcome.state));
        }
        finish(call);
    };
    world_.request(name_, name_, allocator_address, ClaimOutcomeRequest{.key = {key}}, patience, answered);
}

void User::ask_outcomes() {
    for (const auto& [key, request] : claims_) ask_outcome(key, outcome_tries_max);
}

void User::finish(Call call) {
    call.ended_at = world_.now;
    if (on_end) on_end(call);
    history_.push_back(std::move(call));
}

}  // namespace berth::sim
