// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scope_actors.hpp"

#include <fmt/format.h>

#include "base/check.hpp"
#include "events/codec.hpp"
#include "tests/sim/overloaded.hpp"

namespace berth::sim {

namespace {

constexpr Duration never{7 * 24 * 3'600'000LL};
constexpr Position first_position{100};   // so that ids, which bear positions, sort as numbers do
constexpr allocator::CallerId beats_of_life = 1'000;

allocator::Policy allocator_policy() {
    allocator::Policy policy;
    policy.command_retry = Duration{2'000};
    policy.claim_wait = policy.claim_wait_max = policy.start_deadline = policy.host_failures_pause = never;
    return policy;
}
hostagent::Policy host_policy() {
    hostagent::Policy policy;
    policy.inventory_every = scope_wait;
    policy.confirm_every = policy.restart_forgiven_after = policy.outage_limit = never;
    return policy;
}
HostId id_of(std::uint32_t number) { return {fmt::format("h-{}", number)}; }
std::uint32_t number_of(const HostId& id) { return static_cast<std::uint32_t>(id.value.back() - '0'); }

// Whoever asked first lets go as soon as it has its workspace, once.
void release_when_granted(ScopeAllocator& actor, const FactRecord& fact, Step& step) {
    const auto* granted = std::get_if<ClaimGranted>(&fact.fact);
    if (!granted || actor.released || granted->key.value != "k1") return;
    actor.released = true;
    step.sent.push_back({ToAllocator{"release", allocator::Asked<ReleaseRequest>{{}, Role::client, "u-1", "m", {.target = {.user = UserId{"u-1"}, .project = ProjectName{"p"}}}}}});
}

// A new process reads the ledger; what the old one knew beside it is gone. Ids of commands are never used twice.
void begin(ScopeAllocator& actor, Instant now, Step& step) {
    auto view = decode<View>(encode(actor.state.view)).value();
    view.reindex();
    const auto next_command = actor.state.next_command;
    actor.state = allocator::make_state(allocator_policy(), std::move(view));
    actor.state.next_command = next_command;
    auto begun = act(actor, {ToAllocator{"begin", allocator::Begin{"L", "scope"}}}, now, Death::none);
    std::move(begun.sent.begin(), begun.sent.end(), std::back_inserter(step.sent));
}

// The reaper's eye: what is over by the ledger is asked to end.
void reap(const ScopeAllocator& actor, Instant now, Step& step) {
    for (const auto& [id, workspace] : actor.state.view.workspaces) {
        const bool runs = workspace.state == WorkspaceState::active || workspace.state == WorkspaceState::starting;
        if (!runs || workspace.expires_at > now) continue;
        step.sent.push_back({ToAllocator{fmt::format("reap {} epoch {}", id.value, workspace.epoch.value),
                                         allocator::Asked<ReapRequest>{{}, Role::reaper, "reaper", "m", {id, workspace.epoch, "expired", {}}}}});
    }
}

allocator::Input input_of(const Packet& packet) {
    if (const auto* to = std::get_if<ToAllocator>(&packet.what)) return to->input;
    const auto& beat = std::get<BeatOf>(packet.what);
    const auto caller = (beat.host * beats_of_life + beat.life) * beats_of_life + beat.beat;
    return allocator::Asked<HostHeartbeat>{caller, Role::host, id_of(beat.host).value, "m", beat.heartbeat};
}

}  // namespace

// ---- the allocator

ScopeAllocator make_allocator(std::uint32_t hosts, std::uint32_t slots) {
    View view;
    view.position = first_position;
    ScopeAllocator actor{allocator::make_state(allocator_policy(), std::move(view))};
    const Instant now{Duration{1'700'000'000'000}};
    const auto give = [&](const allocator::Input& input) { allocator::step(actor.state, input, now); };
    give(allocator::Begin{"L", "scope"});
    give(allocator::PoolConfigured{{.pool = {"default"}, .slots_per_host = slots, .standbys = 0, .ttl_ms = scope_lease}});
    for (std::uint32_t number = 1; number <= hosts; ++number) {
        const auto id = id_of(number);
        give(allocator::Asked<RegisterRequest>{{}, Role::host, id.value, "m", {.host = id, .incarnation = {"i1"}, .pool = {"default"},
                                                                               .instance = id.value, .slots = slots}});
    }
    return actor;
}

Step act(ScopeAllocator& actor, const Packet& packet, Instant now, Death death) {
    Step step;
    if (const auto* befalls = std::get_if<Befalls>(&packet.what); befalls && befalls->what == Happening::begins) {
        begin(actor, now, step);
        return step;
    }
    const auto out = allocator::step(actor.state, std::holds_alternative<Befalls>(packet.what) ? allocator::Input{allocator::Tick{}} : input_of(packet), now);
    step.durable = !out.facts.empty();
    for (const auto& fact : out.facts) release_when_granted(actor, fact, step);
    if (death == Death::before_telling) {
        begin(actor, now, step);
        return step;
    }
    for (const auto& reply : out.replies) {
        const auto* orders = reply.body ? std::get_if<HostOrders>(&*reply.body) : nullptr;
        if (!orders) continue;
        const auto host = static_cast<std::uint32_t>(reply.caller / (beats_of_life * beats_of_life));
        step.sent.push_back({OrdersTo{host, reply.caller / beats_of_life % beats_of_life, reply.caller % beats_of_life, *orders}});
    }
    for (const auto& command : out.commands) step.sent.push_back({ToHost{number_of(command.host), command.id, command.body}});
    if (std::holds_alternative<Befalls>(packet.what)) reap(actor, now, step);
    return step;
}

Sketch sketch_of(const ScopeAllocator& actor) {
    const auto& state = actor.state;
    Sketch sketch;
    sketch << state.view << actor.released << state.ranks << state.queue << state.followers << state.due << state.unmet << state.blocked_by;
    sketch.counters = {state.next_command};
    std::vector<std::pair<allocator::CommandId, allocator::PendingCommand>> pending(state.commands.begin(), state.commands.end());
    std::stable_sort(pending.begin(), pending.end(), [](const auto& one, const auto& other) {
        const auto what = [](const auto& entry) { return std::tuple{entry.second.kind, entry.second.host.host, entry.second.workspace, entry.second.epoch}; };
        return what(one) < what(other);
    });
    sketch << pending.size();
    for (const auto& [id, command] : pending) {
        sketch.anchor(Scale::command, id);
        sketch << command.kind << command.host << command.workspace << command.epoch;
    }
    sketch << state.driving.size();
    for (const auto& [workspace, command] : state.driving) {
        sketch << workspace;
        sketch.mark(Scale::command, command);
    }
    sketch << state.seen.size();
    for (const auto& [id, seen] : state.seen) sketch << id << seen.beat.incarnation << seen.beat.slots;
    return sketch;
}

// ---- a machine

namespace {

void beat(ScopeHost& actor, Step& step) {
    const auto number = number_of(actor.state.setup.host);
    auto heartbeat = hostagent::take_beat(actor.state);
    step.sent.push_back({BeatOf{number, actor.life, actor.state.beats, std::move(heartbeat)}});
}

std::vector<FoundContainer> list(const ScopeHost& actor) {
    std::vector<FoundContainer> found;
    for (const auto& [container, what] : actor.containers) found.push_back({.container = container, .slot = what.slot, .health = Health::running});
    return found;
}

void give(ScopeHost& actor, const hostagent::Input& input, Instant now, Death death, Step& step);

// The agent starts anew, on what its memory and the engine have.
void begin(ScopeHost& actor, Instant now, Step& step) {
    ++actor.life;
    const auto number = number_of(actor.state.setup.host);
    actor.state = hostagent::make_state(host_policy(), {.host = id_of(number), .incarnation = {"i1"}, .slots = actor.state.setup.slots, .homes = "/homes",
                                                        .boot = fmt::format("b{}", actor.life), .proxy_port = 9000});
    give(actor, actor.kv.recovered(list(actor)), now, Death::none, step);
    beat(actor, step);
}

Packet answer_to(const hostagent::Reply& reply, std::uint32_t from) {
    Result<allocator::HostAnswer> answer = fail(ErrorKind::internal, "none");
    if (!reply.body) {
        answer = fail(reply.body.error());
    } else {
        std::visit([&](const auto& body) {
            if constexpr (std::is_same_v<std::decay_t<decltype(body)>, hostagent::BindDone>) answer = allocator::HostAnswer{body.reply};
            else if constexpr (std::is_constructible_v<allocator::HostAnswer, decltype(body)>) answer = allocator::HostAnswer{body};
        }, *reply.body);
    }
    return {ToAllocator{fmt::format("answer {}: {}", reply.caller, answer ? "done" : to_string(answer.error().kind)),
                        allocator::CommandAnswered{reply.caller, answer}, from}};
}

void give(ScopeHost& actor, const hostagent::Input& input, Instant now, Death death, Step& step) {
    const auto number = number_of(actor.state.setup.host);
    const auto out = hostagent::step(actor.state, input, now);
    for (const auto& what : out.persists) actor.kv.put(what);
    step.durable = !out.persists.empty();
    if (death == Death::before_telling) return begin(actor, now, step);
    for (const auto& operation : out.operations) step.sent.push_back({EngineDoes{number, actor.life, operation}});
    for (const auto& reply : out.replies) {
        if (reply.caller != 0) step.sent.push_back(answer_to(reply, number));
    }
    if (out.beat) beat(actor, step);
}

// What the engine does is done, whether or not the agent that asked for it still lives.
std::optional<hostagent::Input> operate(ScopeHost& actor, const hostagent::Operation& operation) {
    return std::visit(Overloaded{
        [&](const PrepareOrder& order) -> std::optional<hostagent::Input> {
            actor.containers[order.container] = {.slot = order.slot};
            return hostagent::Prepared{order.slot, order.container, {}};
        },
        [&](const EngineBind& bind) -> std::optional<hostagent::Input> {
            const auto at = actor.containers.find(bind.container);
            if (at == actor.containers.end()) return hostagent::Bound{bind.slot, bind.container, fail(ErrorKind::not_found, "it is gone")};
            at->second = {at->second.slot, bind.workspace, bind.epoch, at->second.binds + 1};
            return hostagent::Bound{bind.slot, bind.container, {}};
        },
        [&](const hostagent::RemoveOrder& remove) -> std::optional<hostagent::Input> {
            actor.containers.erase(remove.container);
            return hostagent::Removed{remove.slot, remove.container, {}};
        },
        [&](const hostagent::EraseOrder& erase) -> std::optional<hostagent::Input> { return hostagent::Erased{erase.workspace, {}}; },
        [&](const hostagent::ListOrder& order) -> std::optional<hostagent::Input> { return hostagent::Listed{order.mark, list(actor)}; },
        [&](const hostagent::ReadActivity&) -> std::optional<hostagent::Input> { check(false, "nothing is idle in this world"); return {}; },
        [&](const auto&) -> std::optional<hostagent::Input> { check(false, "no home has an archive in this world"); return {}; },
    }, operation);
}

}  // namespace

ScopeHost make_host(std::uint32_t number, std::uint32_t slots) {
    ScopeHost actor;
    actor.state.setup = {.host = id_of(number), .slots = slots};
    return actor;
}

Step act(ScopeHost& actor, const Packet& packet, Instant now, Death death) {
    Step step;
    std::visit(Overloaded{
        [&](const EngineDoes& work) {
            const auto answer = operate(actor, work.operation);
            if (answer && actor.life == work.life) give(actor, *answer, now, death, step);
        },
        [&](const OrdersTo& heard) {
            if (actor.life == heard.life) give(actor, hostagent::OrdersHeard{heard.beat, heard.orders}, now, death, step);
        },
        [&](const ToHost& command) {
            std::visit([&](const auto& body) {
                give(actor, hostagent::Asked<std::decay_t<decltype(body)>>{command.command, body}, now, death, step);
            }, command.body);
        },
        [&](const Befalls& befalls) {
            switch (befalls.what) {
                case Happening::begins: return begin(actor, now, step);
                case Happening::beats: return beat(actor, step);
                case Happening::ticks:
                    give(actor, hostagent::Tick{}, now, Death::none, step);
                    return beat(actor, step);
                case Happening::ends:
                    actor.alive = false;
                    actor.containers.clear();
                    return;
            }
        },
        [&](const auto&) { check(false, "a host gets no packet of the allocator"); },
    }, packet.what);
    return step;
}

Sketch sketch_of(const ScopeHost& actor) {
    Sketch sketch;
    sketch << actor.alive;
    if (!actor.alive) return sketch;
    const auto& state = actor.state;
    const auto number = number_of(state.setup.host);
    sketch.anchor(Scale::life, actor.life, number);
    sketch.counters = {state.beats, state.changes, state.containers_named};
    const auto callers = [&](const std::vector<hostagent::CallerId>& all) {
        sketch << all.size();
        for (const auto caller : all) sketch.mark(Scale::command, caller);
    };
    sketch << state.slots.size();
    for (const auto& slot : state.slots) {
        check(!slot.idle, "nothing is idle in this world");
        sketch << slot.work << slot.use << slot.order << slot.wait_until << slot.record << slot.remove_failures << slot.restarts;
        sketch.anchor(Scale::beat, slot.accepted_beat, number);
        sketch.anchor(Scale::change, slot.changed, number);
        callers(slot.bind_callers);
        callers(slot.stop_callers);
    }
    sketch << state.erasing.size();
    for (const auto& [workspace, waiting] : state.erasing) {
        sketch << workspace;
        callers(waiting);
    }
    sketch << state.listing << state.list_at << state.routes << state.term << state.position_seen << state.position_kept << state.sealed
           << state.admission << state.standbys << state.standby_at << state.orphans;
    sketch << actor.kv.slots << actor.kv.routes << actor.kv.term << actor.kv.position_seen << actor.kv.sealed << actor.containers;
    return sketch;
}

}  // namespace berth::sim
