// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scope_world.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"

namespace berth::sim {

namespace {

constexpr Duration wait_step{2'500};      // above every retry
constexpr std::uint32_t waits_max = 3;
constexpr allocator::CallerId beats_of_life = 1'000;

allocator::Policy allocator_policy() {
    allocator::Policy policy;
    policy.command_retry = Duration{2'000};
    policy.claim_wait = Duration{600'000};
    return policy;
}
hostagent::Policy host_policy() {
    hostagent::Policy policy;
    policy.inventory_every = Duration{86'400'000};
    return policy;
}
std::uint32_t number_of(const HostId& id) { return static_cast<std::uint32_t>(id.value.back() - '0'); }

template <class T>
std::string hash_text(const T& value) {
    return to_hex(hash_of(encode(value))).substr(0, 12);
}

}  // namespace

ScopeWorld::ScopeWorld(const ScopeLimits& limits) : limits_(limits), allocator_(allocator::make_state(allocator_policy(), {})) {
    begin_allocator();
    give(allocator::PoolConfigured{{.pool = {"default"}, .slots_per_host = limits.slots, .standbys = 0}});
    for (std::uint32_t number = 1; number <= limits.hosts; ++number) {
        const HostId id{fmt::format("h-{}", number)};
        give(allocator::Asked<RegisterRequest>{{}, Role::host, id.value, "m", {.host = id, .incarnation = {"i1"}, .pool = {"default"},
                                                                               .instance = id.value, .slots = limits.slots}});
        begin_host(id);
    }
    while (!net_.empty()) take(Choice{"", Choice::Kind::deliver, 0});
    waits_ = 0;
    for (std::uint32_t claim = 1; claim <= limits.claims; ++claim) {
        const auto user = fmt::format("u-{}", (claim - 1) % 2 + 1);
        ClaimRequest request{.key = {fmt::format("k{}", claim)}, .user = {user}, .project = {"p"}, .wait_ms = Duration{600'000}};
        send(ToAllocator{allocator::Asked<ClaimRequest>{{}, Role::client, user, "m", request}}, fmt::format("claim k{}", claim));
    }
}

// ---- what may happen next

std::vector<ScopeWorld::Choice> ScopeWorld::choices() const {
    std::vector<Choice> all;
    std::set<std::string> seen;           // alike packets lead to alike worlds
    for (std::size_t index = 0; index < net_.size(); ++index) {
        const auto& [packet, name, may_be_lost] = net_[index];
        if (!seen.insert(name).second) continue;
        all.push_back({"deliver " + name, Choice::Kind::deliver, index});
        if (!may_be_lost) continue;
        if (limits_.drops > 0) all.push_back({"drop " + name, Choice::Kind::drop, index});
        if (limits_.duplicates > 0) all.push_back({"duplicate " + name, Choice::Kind::duplicate, index});
    }
    if (limits_.crashes > 0) all.push_back({"crash the allocator", Choice::Kind::crash_allocator});
    for (const auto& [id, host] : hosts_) {
        if (!host.alive) continue;
        if (limits_.crashes > 0) all.push_back({"crash " + id.value, Choice::Kind::crash_host, 0, id});
        if (limits_.ends > 0) all.push_back({"end " + id.value, Choice::Kind::end_host, 0, id});
        if (limits_.drains > 0) all.push_back({"drain " + id.value, Choice::Kind::drain, 0, id});
    }
    if (net_.empty() && waits_ < waits_max) all.push_back({"wait", Choice::Kind::wait});
    return all;
}

void ScopeWorld::take(const Choice& choice) {
    using Kind = Choice::Kind;
    const auto pull = [&] {
        auto packet = std::move(net_[choice.index].packet);
        net_.erase(net_.begin() + static_cast<std::ptrdiff_t>(choice.index));
        return packet;
    };
    switch (choice.kind) {
        case Kind::deliver: return deliver(pull());
        case Kind::drop:
            --limits_.drops;
            return lose(pull());
        case Kind::duplicate: {
            --limits_.duplicates;
            auto copy = net_[choice.index];
            // The answer to the second copy of a command is heard by nobody.
            if (auto* command = std::get_if<ToHost>(&copy.packet)) command->command = 0;
            copy.may_be_lost = false;
            net_.push_back(copy);
            return;
        }
        case Kind::crash_allocator:
            --limits_.crashes;
            std::erase_if(net_, [](const Flying& flying) {
                const auto* to = std::get_if<ToAllocator>(&flying.packet);
                return to && std::holds_alternative<allocator::CommandAnswered>(to->input);
            });
            for (auto& flying : net_) {
                if (auto* command = std::get_if<ToHost>(&flying.packet)) command->command = 0;
            }
            for (auto& [id, host] : hosts_) host.callers.clear();
            return begin_allocator();
        case Kind::crash_host:
            --limits_.crashes;
            return begin_host(choice.host);
        case Kind::end_host: {
            --limits_.ends;
            auto& host = hosts_.at(choice.host);
            host.alive = false;
            host.containers.clear();
            for (const auto& [caller, command] : host.callers) lose(ToHost{choice.host, command, {}});
            host.callers.clear();
            return send(ToAllocator{allocator::Asked<GoneRequest>{{}, Role::reaper, "reaper", "m", {{choice.host, {"i1"}}, "listed as terminated"}}},
                        "gone " + choice.host.value, false);
        }
        case Kind::drain:
            --limits_.drains;
            return send(ToAllocator{allocator::Asked<DrainRequest>{{}, Role::scaler, "scaler", "m", {{choice.host, {"i1"}}, "surplus"}}},
                        "drain " + choice.host.value, false);
        case Kind::wait:
            ++waits_;
            now_ += wait_step;
            give(allocator::Tick{});
            for (const auto& [id, host] : hosts_) {
                if (!host.alive) continue;
                give(id, hostagent::Tick{});
                beat(id);
            }
            return;
    }
}

// ---- the actors

void ScopeWorld::begin_allocator() {
    allocator_ = allocator::make_state(allocator_policy(), ledger_.replay());
    give(allocator::Begin{"L", "scope"});
    for (const auto& [id, host] : hosts_) {
        if (host.alive) beat(id);
    }
}

void ScopeWorld::begin_host(const HostId& id) {
    auto& host = hosts_[id];
    ++host.life;
    for (const auto& [caller, command] : host.callers) lose(ToHost{id, command, {}});
    host.callers.clear();
    std::erase_if(net_, [&](const Flying& flying) {
        const auto* orders = std::get_if<OrdersTo>(&flying.packet);
        return orders && orders->host == id;
    });
    host.state = hostagent::make_state(host_policy(), {.host = id, .incarnation = {"i1"}, .slots = limits_.slots, .homes = "/homes",
                                                       .boot = fmt::format("b{}", host.life), .proxy_port = 9000});
    hostagent::Recovered recovered{.term = host.kv.term, .sealed = host.kv.sealed, .position = host.kv.position_seen};
    for (const auto& [slot, record] : host.kv.slots) recovered.records.push_back(record);
    for (const auto& [workspace, route] : host.kv.routes) recovered.routes.push_back(route);
    for (const auto& [container, what] : host.containers) recovered.found.push_back({.container = container, .slot = what.slot, .health = Health::running});
    give(id, recovered);
    beat(id);
}

void ScopeWorld::give(const allocator::Input& input) {
    const auto out = allocator::step(allocator_, input, now_);
    if (!out.facts.empty()) check(ledger_.append(Position{out.facts.front().position.value - 1}, out.facts).has_value(), "there is one writer");
    for (const auto& fact : out.facts) release_when_granted(fact);
    for (const auto& reply : out.replies) {
        const auto* orders = reply.body ? std::get_if<HostOrders>(&*reply.body) : nullptr;
        if (!orders) continue;
        const HostId id{fmt::format("h-{}", reply.caller / (beats_of_life * beats_of_life))};
        const auto life = reply.caller / beats_of_life % beats_of_life;
        send(OrdersTo{id, life, reply.caller % beats_of_life, *orders}, fmt::format("orders {} {} {}", id.value, reply.caller, hash_text(*orders)));
    }
    for (const auto& command : out.commands) {
        const auto name = std::visit([&](const auto& body) { return fmt::format("{} to {} {}", request_name<std::decay_t<decltype(body)>>, command.host.value, hash_text(body)); }, command.body);
        send(ToHost{command.host, command.id, command.body}, name);
    }
}

void ScopeWorld::release_when_granted(const FactRecord& fact) {
    const auto* granted = std::get_if<ClaimGranted>(&fact.fact);
    if (!granted || released_ || granted->key.value != "k1") return;
    released_ = true;
    send(ToAllocator{allocator::Asked<ReleaseRequest>{{}, Role::client, "u-1", "m", {.target = {.user = UserId{"u-1"}, .project = ProjectName{"p"}}}}}, "release", false);
}

void ScopeWorld::give(const HostId& id, const hostagent::Input& input) {
    auto& host = hosts_.at(id);
    const auto out = hostagent::step(host.state, input, now_);
    for (const auto& what : out.persists) host.kv.put(what);
    for (const auto& operation : out.operations) {
        std::string about;
        std::visit([&](const auto& order) {
            if constexpr (requires { order.container; }) about = order.container.value;
        }, operation);
        send(EngineDoes{id, host.life, operation}, fmt::format("engine {} {} {} {}", id.value, host.life, operation.index(), about), false);
    }
    for (const auto& reply : out.replies) {
        const auto to = host.callers.extract(reply.caller);
        if (to.empty() || to.mapped() == 0) continue;
        Result<allocator::HostAnswer> answer = fail(ErrorKind::internal, "none");
        if (!reply.body) {
            answer = fail(reply.body.error());
        } else {
            std::visit([&](const auto& body) {
                if constexpr (std::is_constructible_v<allocator::HostAnswer, decltype(body)>) answer = allocator::HostAnswer{body};
            }, *reply.body);
        }
        send(ToAllocator{allocator::CommandAnswered{to.mapped(), answer}}, fmt::format("answer {} {}", to.mapped(), answer ? "good" : to_string(answer.error().kind)));
    }
    if (out.beat) beat(id);
}

// Newer heartbeats overtake those that still wait; a duplicate keeps an old one on its way.
void ScopeWorld::beat(const HostId& id) {
    auto& host = hosts_.at(id);
    std::erase_if(net_, [&](const Flying& flying) { return flying.may_be_lost && flying.name.starts_with("beat " + id.value + " "); });
    const auto heartbeat = hostagent::take_beat(host.state);
    const auto caller = (number_of(id) * beats_of_life + host.life) * beats_of_life + host.state.beats;
    send(ToAllocator{allocator::Asked<HostHeartbeat>{caller, Role::host, id.value, "m", heartbeat}}, fmt::format("beat {} {} {}", id.value, caller, hash_text(heartbeat)));
}

void ScopeWorld::send(Packet packet, std::string name, bool may_be_lost) { net_.push_back({std::move(packet), std::move(name), may_be_lost}); }

void ScopeWorld::deliver(const Packet& packet) {
    if (const auto* to = std::get_if<ToAllocator>(&packet)) return give(to->input);
    if (const auto* work = std::get_if<EngineDoes>(&packet)) return operate(work->host, *work);
    if (const auto* orders = std::get_if<OrdersTo>(&packet)) {
        auto& host = hosts_.at(orders->host);
        if (host.alive && host.life == orders->life) give(orders->host, hostagent::OrdersHeard{orders->beat, orders->orders});
        return;
    }
    const auto& command = std::get<ToHost>(packet);
    auto& host = hosts_.at(command.host);
    if (!host.alive) return lose(packet);
    const auto caller = ++host.last_caller;
    host.callers[caller] = command.command;
    std::visit([&](const auto& body) { give(command.host, hostagent::Asked<std::decay_t<decltype(body)>>{caller, body}); }, command.body);
}

// Whoever waits for an answer learns that there is none.
void ScopeWorld::lose(const Packet& packet) {
    allocator::CommandId command = 0;
    if (const auto* to = std::get_if<ToHost>(&packet)) command = to->command;
    if (const auto* to = std::get_if<ToAllocator>(&packet)) {
        if (const auto* answered = std::get_if<allocator::CommandAnswered>(&to->input)) command = answered->command;
    }
    if (command == 0) return;
    send(ToAllocator{allocator::CommandAnswered{command, fail(ErrorKind::timeout, "no answer in time")}}, fmt::format("answer {} none", command), false);
}

void ScopeWorld::operate(const HostId& id, const EngineDoes& work) {
    auto& host = hosts_.at(id);
    if (!host.alive) return;
    std::optional<hostagent::Input> answer;
    if (const auto* order = std::get_if<PrepareOrder>(&work.operation)) {
        host.containers[order->container] = {.slot = order->slot};
        answer = hostagent::Prepared{order->slot, order->container, {}};
    } else if (const auto* bind = std::get_if<EngineBind>(&work.operation)) {
        const auto at = host.containers.find(bind->container);
        if (at != host.containers.end()) at->second = {at->second.slot, bind->workspace, bind->epoch, at->second.binds + 1};
        answer = hostagent::Bound{bind->slot, bind->container, at == host.containers.end() ? Result<void>{fail(ErrorKind::not_found, "it is gone")} : Result<void>{}};
    } else if (const auto* remove = std::get_if<hostagent::RemoveOrder>(&work.operation)) {
        host.containers.erase(remove->container);
        answer = hostagent::Removed{remove->slot, remove->container, {}};
    } else if (const auto* erase = std::get_if<hostagent::EraseOrder>(&work.operation)) {
        answer = hostagent::Erased{erase->workspace, {}};
    }
    if (answer && host.life == work.life) give(id, *answer);
}

}  // namespace berth::sim
