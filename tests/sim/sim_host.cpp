// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_host.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace berth::sim {

namespace {

constexpr Duration request_timeout{5'000};
constexpr Duration enroll_retry{500};
constexpr Duration down_least{100};
constexpr Duration down_most{5'000};
const std::string allocator_address = "allocator";

}  // namespace

hostagent::Recovered SimKv::recovered(std::vector<FoundContainer> found) const {
    hostagent::Recovered all{.found = std::move(found), .term = term, .sealed = sealed, .position = position_seen};
    for (const auto& [slot, record] : slots) all.records.push_back(record);
    for (const auto& [workspace, route] : routes) all.routes.push_back(route);
    return all;
}

void SimKv::put(const hostagent::Persist& what) {
    if (const auto* record = std::get_if<SlotRecord>(&what)) {
        check(record->epoch >= slots[record->slot].epoch, "I3: the local memory never lowers an epoch");
        slots[record->slot] = *record;
    } else if (const auto* route = std::get_if<RouteRecord>(&what)) {
        routes[route->workspace] = *route;
    } else if (const auto* drop = std::get_if<DropRoute>(&what)) {
        routes.erase(drop->workspace);
    } else if (const auto* seen = std::get_if<Term>(&what)) {
        check(*seen >= term, "I4: the local memory never lowers a term");
        term = *seen;
    } else if (const auto* position = std::get_if<Position>(&what)) {
        check(*position > position_seen, "F16: the local memory never lowers a position");
        position_seen = *position;
    } else {
        sealed = true;
    }
}

SimHost::SimHost(World& world, Truth& truth, HostPlan plan)
    : world_(world), truth_(truth), plan_(std::move(plan)), machine_(Truth::machine(plan_.host, plan_.incarnation)),
      engine_(world, truth, plan_.host.value, machine_, world.stream("engine " + machine_)),
      state_(hostagent::make_state(plan_.policy, {})) {
    engine_.usual_start = plan_.start;
    truth_.machines[machine_] = true;
    ++truth_.changes;
}

void SimHost::begin() {
    if (!alive()) return;
    up_ = true;
    enrolled_ = false;
    const auto life = ++life_;
    world_.start_clock(plan_.host.value);
    world_.connect(plan_.host.value, plan_.host.value, *this);
    world_.serve(plan_.host.value);
    callers_.clear();
    state_ = hostagent::make_state(plan_.policy, {.host = plan_.host, .incarnation = plan_.incarnation, .slots = plan_.slots,
                                                  .homes = "/homes", .boot = fmt::format("{}b{}", plan_.incarnation.value, ++boots_),
                                                  .proxy_port = 9000});
    give_now(kv_.recovered(engine_.list()));
    enroll(life);
    tick(life);
    tell_activity(life);
}

void SimHost::crash() {
    if (!up_) return;
    up_ = false;
    world_.disconnect(plan_.host.value);
    const auto life = ++life_;
    world_.after({}, world_.pick(down_least, down_most), [this, life] {
        if (life == life_) begin();
    });
}

void SimHost::reboot() {
    if (!alive()) return;
    for (auto& [id, container] : truth_.containers) {
        if (container.machine != machine_) continue;
        if (truth_.mounted(container)) truth_.write_home(container);
        container.running = false;
    }
    ++truth_.changes;
    crash();
}

void SimHost::die() {
    if (up_) world_.disconnect(plan_.host.value, false);
    up_ = false;
    ++life_;
    truth_.machines[machine_] = false;
    std::erase_if(truth_.copies, [&](const auto& entry) { return entry.first.first == machine_; });
    std::erase_if(truth_.containers, [&](const auto& entry) { return entry.second.machine == machine_; });
    ++truth_.changes;
}

bool SimHost::dies() {
    if (!world_.strikes(world_.faults.crash_host, "crash_host", plan_.host.value)) return false;
    crash();
    return true;
}

void SimHost::tick(std::uint64_t life) {
    if (life != life_) return;
    give_now(hostagent::Tick{});
    world_.after(plan_.host.value, plan_.tick, [this, life] { tick(life); });
}

// ---- to the allocator

void SimHost::enroll(std::uint64_t life) {
    if (life != life_) return;
    auto offer = hostagent::take_registration(state_);
    offer.pool = plan_.pool;
    offer.launch = plan_.launch;
    offer.instance = plan_.host.value;
    if (!plan_.launch) offer.provider = "sim";             // one that its provider lists, though nobody here launched it
    offer.public_ip = "127.0.0.1";
    const auto answered = [this, life, number = state_.beats](Result<Letter> reply) {
        if (life != life_) return;
        if (!reply) {
            return world_.after(plan_.host.value, enroll_retry, [this, life] { enroll(life); });
        }
        enrolled_ = true;
        give_now(hostagent::OrdersHeard{number, reply->as<HostOrders>()});
        beat_each_period(life);
    };
    world_.request(plan_.host.value, plan_.host.value, allocator_address, offer, request_timeout, answered);
}

void SimHost::beat_each_period(std::uint64_t life) {
    if (life != life_ || !enrolled_) return;
    beat(life);
    world_.after(plan_.host.value, state_.heartbeat, [this, life] { beat_each_period(life); });
}

void SimHost::beat(std::uint64_t life) {
    const auto heartbeat = world_.write(hostagent::take_beat(state_));
    const auto answered = [this, life, number = state_.beats](Result<Letter> reply) {
        if (life != life_) return;
        if (reply) return give_now(hostagent::OrdersHeard{number, reply->as<HostOrders>()});
        if (reply.error().kind == ErrorKind::not_found && enrolled_) {
            enrolled_ = false;
            enroll(life);
        }
    };
    world_.request(plan_.host.value, plan_.host.value, allocator_address, heartbeat, request_timeout, answered);
    world_.publish(plan_.host.value, heartbeat);
}

void SimHost::tell_activity(std::uint64_t life) {
    if (life != life_) return;
    HostActivity activity{.host = plan_.host, .incarnation = plan_.incarnation, .read_at = world_.now_of(plan_.host.value)};
    for (const auto& slot : state_.slots) {
        const auto& record = slot.record;
        if (record.phase != SlotPhase::bound) continue;
        const auto at = truth_.last_use.find(record.workspace);
        const auto since = record.bound_at.value_or(Instant{});
        WorkspaceActivity seen{.workspace = record.workspace, .epoch = record.epoch};
        seen.signals.push_back({"proxy", at == truth_.last_use.end() ? since : std::max(since, at->second)});
        hostagent::add_hold(seen.signals, record, activity.read_at);
        activity.workspaces.push_back(std::move(seen));
    }
    world_.publish(plan_.host.value, std::move(activity));
    world_.after(plan_.host.value, plan_.activity, [this, life] { tell_activity(life); });
}

// ---- in

void SimHost::receive(const LetterPtr& letter) {
    world_.after(plan_.host.value, Duration{0}, [this, letter, life = life_] {
        if (life == life_ && up_) hear(letter);
    });
}

template <class Body>
void SimHost::take(const LetterPtr& letter) {
    if (letter->name != request_name<Body>) return;
    const auto caller = ++last_caller_;
    callers_[caller] = letter;
    give_now(hostagent::Asked<Body>{caller, letter->as<Body>()});
}

void SimHost::hear(const LetterPtr& letter) {
    if (letter->name == event_name<WorkspaceIdle>) return take_intent(letter->as<WorkspaceIdle>());
    take<BindCommand>(letter);
    take<StopCommand>(letter);
    take<LinkCommand>(letter);
    take<EraseCommand>(letter);
    take<SealCommand>(letter);
}

void SimHost::take_intent(const WorkspaceIdle& intent) {
    give_now(hostagent::IdleIntended{intent});
    if (!plan_.rare_ticks) return;
    const auto wait = std::max(Duration{0}, intent.stop_at - world_.now_of(plan_.host.value));
    world_.after(plan_.host.value, wait, [this, life = life_] {
        if (life == life_) give(hostagent::Tick{});
    });
}

void SimHost::give(const hostagent::Input& input) {
    if (up_) give_now(input);
}

// persist → engine → replies → publish; the agent may die between any two.
void SimHost::give_now(const hostagent::Input& input) {
    const auto life = life_;
    const auto out = hostagent::step(state_, input, world_.now_of(plan_.host.value));
    for (const auto& note : out.notes) {
        world_.mark("host " + note.event);
        const bool ends = note.event == "slot.stopping" || note.event == "slot.environment_ended";
        if (ends && !note.workspace.empty()) saw_stop(note);
        if (world_.tracing) {
            world_.note(fmt::format("{} {} slot {} {} {}", plan_.host.value, note.event, note.slot, note.workspace.value, note.text));
        }
    }
    for (const auto& what : out.persists) {
        if (dies()) return;
        kv_.put(what);
    }
    for (const auto& operation : out.operations) {
        if (dies()) return;
        engine_.operate(operation, [this, life](const hostagent::Input& answered) {
            if (life == life_) give(answered);
        }, [this, life] { return life == life_ && up_; });
    }
    for (const auto& reply : out.replies) {
        if (dies()) return;
        answer(reply);
    }
    for (const auto& objection : out.objections) world_.publish(plan_.host.value, objection);
    if (out.beat && enrolled_ && !dies()) beat(life);
}

// The agent decided to take an environment away; the rules ask why.
void SimHost::saw_stop(const hostagent::Note& note) {
    const auto& record = state_.slots.at(note.slot).record;
    const auto at = truth_.containers.find(record.container);
    truth_.stops.push_back({.machine = machine_, .slot = note.slot, .workspace = note.workspace, .epoch = record.epoch, .why = note.text,
                            .ran = at != truth_.containers.end() && truth_.mounted(at->second) && at->second.workspace == note.workspace,
                            .unreadable = truth_.unreadable[note.workspace], .at = world_.now});
    ++truth_.changes;
}

LinkReply SimHost::mint(const hostagent::LinkWanted& wanted) {
    truth_.links.push_back({wanted.workspace, wanted.epoch});
    ++truth_.changes;
    const auto token = fmt::format("{}/{}/{}", plan_.host.value, wanted.workspace.value, wanted.epoch.value);
    return {hostagent::url_of(state_.setup, wanted.workspace, wanted.slot), "link/" + token, token};
}

void SimHost::answer(const hostagent::Reply& reply) {
    const auto to = callers_.extract(reply.caller);
    if (to.empty()) return;
    if (!reply.body) return world_.reply<BindReply>(*to.mapped(), fail(reply.body.error()));
    std::visit(
        [&](const auto& body) {
            using Body = std::decay_t<decltype(body)>;
            if constexpr (std::is_same_v<Body, hostagent::LinkWanted>) {
                world_.reply<LinkReply>(*to.mapped(), mint(body));
            } else if constexpr (std::is_same_v<Body, hostagent::BindDone>) {
                auto bound = body.reply;
                bound.link = mint(body.link);
                world_.reply<BindReply>(*to.mapped(), bound);
            } else {
                world_.reply<Body>(*to.mapped(), body);
            }
        },
        *reply.body);
}

}  // namespace berth::sim
