// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scope_world.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"

namespace berth::sim {

namespace {

HostRef ref_of(std::uint32_t number) { return {{fmt::format("h-{}", number)}, {"i1"}}; }
std::uint64_t pair_of(std::uint64_t kind, std::uint64_t one, std::uint64_t other) { return kind << 60 | one << 30 | other; }

}  // namespace

void ScopeNet::add(PacketNumber packet, std::uint8_t line) {
    check(size_ < size_max, "more packets in flight than this world has room for");
    std::size_t at = size_;
    const auto before = [&](std::size_t index) { return lines_[index] > line || (line == 0 && lines_[index] == 0 && packets_[index] > packet); };
    for (; at > 0 && before(at - 1); --at) {
        packets_[at] = packets_[at - 1];
        lines_[at] = lines_[at - 1];
    }
    packets_[at] = packet;
    lines_[at] = line;
    ++size_;
}

PacketNumber ScopeNet::remove(std::size_t index) {
    const auto packet = packets_[index];
    std::copy(packets_.begin() + index + 1, packets_.begin() + size_, packets_.begin() + index);
    std::copy(lines_.begin() + index + 1, lines_.begin() + size_, lines_.begin() + index);
    --size_;
    return packet;
}

ScopeWorld::ScopeWorld(const ScopeLimits& limits) : limits_(limits) {
    check(limits.hosts <= scope_hosts_max, "more hosts than this world has room for");
    check(limits.waits * scope_wait < scope_lease, "no lease runs out by waiting");
    ScopeState state;
    state.allocator = allocators_.number_of(make_allocator(limits.hosts, limits.slots));
    for (std::uint32_t number = 1; number <= limits.hosts; ++number) {
        state.hosts[number - 1] = hosts_.number_of(make_host(number, limits.slots));
        befall(state, number, Happening::begins);
    }
    while (state.net.size() > 0) state = take(state, {ScopeChoice::Kind::deliver, 0});
    state.strikes = static_cast<std::uint8_t>(limits.strikes);
    for (std::uint32_t claim = 1; claim <= limits.claims; ++claim) {
        const auto user = fmt::format("u-{}", (claim - 1) % limits.users + 1);
        ClaimRequest request{.key = {fmt::format("k{}", claim)}, .user = {user}, .project = {"p"}};
        tell(state, "claim " + request.key.value, allocator::Asked<ClaimRequest>{{}, Role::client, user, "m", request});
    }
    beginning_ = state;
}

// ---- what may happen next

void ScopeWorld::choices(const ScopeState& state, std::vector<ScopeChoice>& all) {
    using Kind = ScopeChoice::Kind;
    const bool strikes = state.strikes > 0;
    all.clear();
    for (std::uint8_t index = 0; index < state.net.size(); ++index) {
        const bool alike = index > 0 && state.net[index] == state.net[index - 1];   // which leads to an alike world
        if (alike || !state.net.may_come(index)) continue;
        all.push_back({Kind::deliver, index});
        const auto& packet = packets_.at(state.net[index]);
        const auto to = sim::host_of(packet);
        if (strikes && limits_.crash && (to == 0 || host(state, to).alive) && outcome(state, to, state.net[index], Death::none).durable) {
            all.push_back({Kind::deliver_and_die, index});
        }
        if (!strikes || !may_be_lost(packet)) continue;
        if (limits_.drop) all.push_back({Kind::drop, index});
        if (limits_.duplicate) all.push_back({Kind::duplicate, index});
    }
    for (std::uint8_t number = 0; number <= limits_.hosts; ++number) {
        if (number > 0 && !host(state, number).alive) continue;
        if (strikes && limits_.crash) all.push_back({Kind::crash, number});
        if (number > 0 && strikes && limits_.end) all.push_back({Kind::end_host, number});
        if (number > 0 && strikes && limits_.drain) all.push_back({Kind::drain, number});
    }
    const auto& workspaces = allocators_.at(state.allocator).state.view.workspaces;
    const bool leases = std::any_of(workspaces.begin(), workspaces.end(), [](const auto& entry) { return entry.second.leased; });
    if (strikes && limits_.expiry && leases) all.push_back({Kind::expire});
    if (state.net.size() == 0 && state.waits < limits_.waits) all.push_back({Kind::wait});
}

ScopeState ScopeWorld::take(const ScopeState& before, const ScopeChoice& choice) {
    using Kind = ScopeChoice::Kind;
    auto state = before;
    switch (choice.kind) {
        case Kind::deliver:
        case Kind::deliver_and_die: {
            const auto packet = state.net.remove(choice.index);
            const auto to = sim::host_of(packets_.at(packet));
            if (to > 0 && !host(state, to).alive) {
                lose(state, packet);
            } else if (choice.kind == Kind::deliver) {
                step(state, to, packet);
            } else {
                --state.strikes;
                if (to > 0) {
                    forget_callers(state, to);
                    forget_orders(state, to);
                    lose(state, packet);
                }
                step(state, to, packet, Death::before_telling);
                if (to == 0) begin_allocator(state);
            }
            break;
        }
        case Kind::drop:
            --state.strikes;
            lose(state, state.net.remove(choice.index));
            break;
        case Kind::duplicate: {
            --state.strikes;
            auto copy = packets_.at(state.net[choice.index]);
            copy.twin = true;
            if (auto* command = std::get_if<ToHost>(&copy.what)) command->command = 0;   // the second answer is heard by nobody
            send(state, packets_.number_of(std::move(copy)));
            break;
        }
        case Kind::crash:
            --state.strikes;
            if (choice.index > 0) {
                forget_callers(state, choice.index);
                forget_orders(state, choice.index);
            }
            befall(state, choice.index, Happening::begins);
            if (choice.index == 0) begin_allocator(state);
            break;
        case Kind::end_host:
            --state.strikes;
            forget_callers(state, choice.index);
            forget_orders(state, choice.index);
            befall(state, choice.index, Happening::ends);
            tell_gone(state, choice.index);
            break;
        case Kind::drain:
            --state.strikes;
            tell(state, fmt::format("drain h-{}", choice.index), allocator::Asked<DrainRequest>{{}, Role::scaler, "scaler", "m", {ref_of(choice.index), "surplus"}});
            break;
        case Kind::expire:
            --state.strikes;
            ++state.expired;
            befall(state, 0, Happening::ticks);
            break;
        case Kind::wait:
            ++state.waits;
            befall(state, 0, Happening::ticks);
            for (std::uint32_t number = 1; number <= limits_.hosts; ++number) {
                if (host(state, number).alive) befall(state, number, Happening::ticks);
                else tell_gone(state, number);            // as long as the provider lists it so
            }
            break;
    }
    return state;
}

// ---- how it does

const ScopeWorld::Remembered& ScopeWorld::outcome(const ScopeState& state, std::uint32_t actor, PacketNumber packet, Death death) {
    const auto who = actor == 0 ? state.allocator : state.hosts[actor - 1];
    check(who < (1U << 26) && packet < (1U << 26) && state.expired < 4, "the small world is not small any more");
    const std::uint64_t clock = state.waits * 4U + state.expired;
    const auto key = (((std::uint64_t{who} << 26 | packet) << 10 | clock) << 1 | (actor == 0 ? 1U : 0U)) << 1 | (death == Death::none ? 0U : 1U);
    if (const auto known = remembered_.find(key); known != remembered_.end()) return known->second;
    Remembered result;
    const auto number = [&](auto& gallery) {
        auto acting = gallery.at(who);
        auto done = act(acting, packets_.at(packet), state.now(), death);
        result.durable = done.durable;
        result.after = gallery.number_of(std::move(acting));
        for (auto& sent : done.sent) result.sent.push_back(packets_.number_of(std::move(sent)));
    };
    if (actor == 0) number(allocators_);
    else number(hosts_);
    return remembered_.emplace(key, std::move(result)).first->second;
}

void ScopeWorld::step(ScopeState& state, std::uint32_t actor, PacketNumber packet, Death death) {
    const auto& result = outcome(state, actor, packet, death);
    (actor == 0 ? state.allocator : state.hosts[actor - 1]) = result.after;
    for (const auto sent : result.sent) send(state, sent);
}

void ScopeWorld::befall(ScopeState& state, std::uint32_t actor, Happening what) { step(state, actor, packets_.number_of({Befalls{actor, what}})); }

void ScopeWorld::tell(ScopeState& state, std::string name, allocator::Input input) { send(state, packets_.number_of({ToAllocator{std::move(name), std::move(input)}})); }

void ScopeWorld::tell_gone(ScopeState& state, std::uint32_t number) {
    tell(state, fmt::format("gone h-{}", number), allocator::Asked<GoneRequest>{{}, Role::reaper, "reaper", "m", {ref_of(number), "listed as terminated"}});
}

/// Orders for a life of the agent that is over are heard by nobody.
void ScopeWorld::forget_orders(ScopeState& state, std::uint32_t number) {
    for (auto index = state.net.size(); index-- > 0;) {
        const auto* orders = std::get_if<OrdersTo>(&packets_.at(state.net[index]).what);
        if (orders != nullptr && orders->host == number) state.net.remove(index);
    }
}

void ScopeWorld::send(ScopeState& state, PacketNumber number) {
    const auto& packet = packets_.at(number);
    const auto* beat = std::get_if<BeatOf>(&packet.what);
    for (std::size_t index = 0; beat && !packet.twin && index < state.net.size(); ++index) {   // it overtakes the last one
        const auto& other = packets_.at(state.net[index]);
        const auto* older = std::get_if<BeatOf>(&other.what);
        if (!older || other.twin || older->host != beat->host) continue;
        state.net.remove(index);
        break;
    }
    const auto* to = std::get_if<ToAllocator>(&packet.what);
    const bool answers = to != nullptr && std::holds_alternative<allocator::CommandAnswered>(to->input);
    if (answers && !allocators_.at(state.allocator).state.commands.contains(command_of(packet))) return;   // nobody waits for it
    state.net.add(number, limits_.in_order ? line_of(packet) : std::uint8_t{0});
}

/// A command or answer that is lost is a timeout for who asked.
void ScopeWorld::lose(ScopeState& state, PacketNumber packet) {
    const auto command = command_of(packets_.at(packet));
    if (command != 0) send(state, packets_.number_of(no_answer(command)));
}

/// Whoever waits at this host's agent for an answer gets none.
void ScopeWorld::forget_callers(ScopeState& state, std::uint32_t number) {
    std::vector<hostagent::CallerId> waiting;
    const auto& agent = host(state, number).state;
    const auto gather = [&](const std::vector<hostagent::CallerId>& callers) { waiting.insert(waiting.end(), callers.begin(), callers.end()); };
    for (const auto& slot : agent.slots) {
        gather(slot.bind_callers);
        gather(slot.stop_callers);
    }
    for (const auto& [workspace, callers] : agent.erasing) gather(callers);
    for (const auto command : waiting) {
        if (command != 0) send(state, packets_.number_of(no_answer(command)));
    }
}

/// After its begin: nobody answers its last life, and all hosts speak to it.
void ScopeWorld::begin_allocator(ScopeState& state) {
    const auto before = std::exchange(state.net, {});
    for (std::size_t index = 0; index < before.size(); ++index) {
        auto packet = packets_.at(before[index]);
        const auto command = command_of(packet);
        const bool late = limits_.late_last_words && sim::host_of(packet) > 0;
        const auto line = late ? std::uint8_t{0} : before.line(index);
        if (command == 0 || allocators_.at(state.allocator).state.commands.contains(command)) {
            state.net.add(before[index], line);
        } else if (auto* to = std::get_if<ToHost>(&packet.what)) {
            to->command = 0;
            state.net.add(packets_.number_of(std::move(packet)), line);
        }
    }
    for (std::uint32_t number = 1; number <= limits_.hosts; ++number) {
        if (host(state, number).alive) befall(state, number, Happening::beats);
    }
}

// ---- its rules, and words

std::string ScopeWorld::broken(const ScopeState& state) {
    const auto judge = [&](std::uint64_t pair, const auto& rule) {
        const auto known = judged_.find(pair);
        return known != judged_.end() ? known->second : judged_.emplace(pair, rule()).first->second;
    };
    const auto& allocator = allocators_.at(state.allocator);
    auto rule = judge(pair_of(0, state.allocator, 0), [&] { return broken_alone(allocator); });
    for (std::uint32_t number = 1; rule.empty() && number <= limits_.hosts; ++number) {
        rule = judge(pair_of(1, state.allocator, state.hosts[number - 1]), [&] { return broken_between(allocator, host(state, number)); });
    }
    if (rule.empty() && limits_.hosts > 1) {
        rule = judge(pair_of(2, state.hosts[0], state.hosts[1]), [&] { return broken_between(host(state, 1), host(state, 2)); });
    }
    return rule;
}

std::string ScopeWorld::name_of(const ScopeState& state, const ScopeChoice& choice) const {
    constexpr std::array words{"deliver", "deliver, and it dies before it tells:", "drop", "duplicate", "crash", "end", "drain", "leases run out", "wait"};
    std::string name = words.at(static_cast<std::size_t>(choice.kind));
    if (choice.kind <= ScopeChoice::Kind::duplicate) return name + " " + sim::name_of(packets_.at(state.net[choice.index]));
    if (choice.kind >= ScopeChoice::Kind::expire) return name;
    return name + (choice.index == 0 ? " the allocator" : fmt::format(" h-{}", choice.index));
}

}  // namespace berth::sim
