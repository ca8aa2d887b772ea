// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_scaler.hpp"

#include <fmt/format.h>

#include "scaler/turn.hpp"

namespace berth::sim {

namespace {

const std::string address = "scaler";
constexpr Duration down_least{50};
constexpr Duration down_most{3'000};

}  // namespace

SimScaler::SimScaler(World& world, Truth& truth, SimProvider& provider, scaler::Policy policy)
    : world_(world),
      truth_(truth),
      provider_(provider),
      policy_(std::move(policy)),
      state_(scaler::make_state(policy_, world.stream("scaler"))),
      follower_(world, address,
                {.on_view = [this](ViewReply reply) { take(std::move(reply)); },
                 .on_fact = [this](const FactRecord& record) { take(record); },
                 .on_lost = [this] { take(scaler::ViewLost{}); },
                 .on_head = [this](const LedgerHead& head) { take(head); }}) {
    follower_.subscribe();
}

void SimScaler::begin() {
    up_ = true;
    const auto life = ++life_;
    world_.start_clock(address);
    world_.connect(address, address, *this);
    callers_.clear();
    checks_.clear();
    state_ = scaler::make_state(policy_, world_.stream(fmt::format("scaler {}", life)));
    follower_.begin();
    tick(life);
    list_each_period(life);
}

void SimScaler::crash() {
    if (!up_) return;
    up_ = false;
    world_.disconnect(address);
    follower_.end();
    const auto life = ++life_;
    world_.after(address, world_.pick(down_least, down_most), [this, life] {
        if (life == life_) begin();
    });
}

bool SimScaler::dies() {
    if (!world_.strikes(world_.faults.crash_watcher, "crash_scaler")) return false;
    crash();
    return true;
}

void SimScaler::tick(std::uint64_t life) {
    if (life != life_) return;
    take(scaler::Tick{});
    if (world_.encoding == Encoding::real) check_levels();
    world_.after(address, policy_.tick, [this, life] { tick(life); });
}

// I31: what it counts from fact to fact is what there is.
void SimScaler::check_levels() {
    auto anew = state_;
    scaler::recount_all(anew);
    const auto now = world_.now_of(address);
    if (scaler::count_levels(state_, now) != scaler::count_levels(anew, now) && truth_.wrong.empty()) {
        truth_.wrong = "I31: the scaler's levels are not what a new count gives";
    }
}

void SimScaler::list_each_period(std::uint64_t life) {
    if (life != life_) return;
    list();
    world_.after(address, policy_.list_every, [this, life] { list_each_period(life); });
}

void SimScaler::list() {
    provider_.list([this, life = life_](ProviderSnapshot snapshot) {
        if (life != life_ || !up_) return;
        world_.publish(address, snapshot);
        take(std::move(snapshot));
    });
}

void SimScaler::receive(const LetterPtr& received) {
    world_.after(address, Duration{0}, [this, received, life = life_] {
        const auto& letter = *received;
        if (life != life_ || !up_ || follower_.hear(letter)) return;
        if (letter.name != request_name<TerminateOrphanRequest>) return;
        const auto caller = ++last_caller_;
        callers_[caller] = received;
        take(scaler::OrphanAsked{caller, letter.as<TerminateOrphanRequest>()});
    });
}

void SimScaler::take(scaler::Input input) {
    if (!up_) return;
    // Was this the word that a permit is still good? Only then may a host be ended (I16).
    bool after_check = std::holds_alternative<scaler::OrphanAsked>(input);
    if (const auto* answered = std::get_if<scaler::Answered>(&input)) {
        after_check = checks_.erase(answered->ask) > 0 && answered->outcome.has_value();
    }
    const auto out = scaler::step(state_, std::move(input), world_.now_of(address));
    for (const auto& line : out.lines) {
        world_.mark("scaler " + line.event);
        if (world_.tracing) world_.note(fmt::format("scaler {} {} {}", line.event, line.subject, line.why));
    }
    for (const auto& reply : out.replies) {
        auto to = callers_.extract(reply.caller);
        if (!to.empty()) world_.reply<Done>(*to.mapped(), reply.body);
    }
    for (const auto& wanted : out.asks) {
        if (dies()) return;
        ask(wanted);
    }
    for (const auto& wanted : out.calls) {
        if (dies()) return;
        call(wanted, after_check);
    }
}

void SimScaler::ask(const scaler::Ask& wanted) {
    if (const auto* check = std::get_if<PermitCheckRequest>(&wanted.body)) checks_[wanted.id] = check->permit.host.host;
    std::visit([&]<class Body>(const Body& body) {
        const auto answered = [this, life = life_, id = wanted.id](Result<Letter> reply) {
            if (life != life_ || !up_) return;
            if (reply) return take(scaler::Answered{id, reply->template as<ReplyTo<Body>>()});
            take(scaler::Answered{id, fail(reply.error())});
        };
        world_.request(address, address, "allocator", body, policy_.ask_timeout, answered);
    }, wanted.body);
}

void SimScaler::call(const scaler::Call& wanted, bool after_check) {
    const auto* end = std::get_if<scaler::TerminateCall>(&wanted.body);
    if (end && !after_check && truth_.wrong.empty()) truth_.wrong = fmt::format("I16: {} is ended without a check of its permit right before", end->instance);
    provider_.call(wanted, [this, life = life_](const scaler::CallAnswered& answered) {
        if (life == life_ && up_) take(answered);
    });
    if (!std::holds_alternative<scaler::ProtectCall>(wanted.body)) list();
}

}  // namespace berth::sim
