// SPDX-License-Identifier: Apache-2.0
// What travels in the small world: whose step it is, whether it may be lost, what it is called.
#include <fmt/format.h>

#include <array>

#include "events/catalog.hpp"
#include "tests/sim/overloaded.hpp"
#include "tests/sim/scope_actors.hpp"

namespace berth::sim {

std::uint32_t host_of(const Packet& packet) {
    return std::visit(Overloaded{[](const ToAllocator&) { return 0U; }, [](const BeatOf&) { return 0U; }, [](const auto& what) { return what.host; }}, packet.what);
}

std::uint8_t line_of(const Packet& packet) {
    if (packet.twin) return 0;
    const auto line = std::visit(Overloaded{
        [](const ToAllocator& to) { return to.from; },
        [](const BeatOf& beat) { return beat.host; },
        [](const EngineDoes&) { return 0U; },
        [](const Befalls&) { return 0U; },
        [](const auto& to) { return static_cast<std::uint32_t>(scope_hosts_max) + to.host; },
    }, packet.what);
    return static_cast<std::uint8_t>(line);
}

bool may_be_lost(const Packet& packet) {
    if (packet.twin || std::holds_alternative<EngineDoes>(packet.what)) return false;
    const auto* to = std::get_if<ToAllocator>(&packet.what);
    if (to == nullptr) return true;
    const auto* answered = std::get_if<allocator::CommandAnswered>(&to->input);
    return answered == nullptr || answered->answer || answered->answer.error().kind != ErrorKind::timeout;   // which is no packet
}

allocator::CommandId command_of(const Packet& packet) {
    if (const auto* to = std::get_if<ToHost>(&packet.what)) return to->command;
    const auto* to = std::get_if<ToAllocator>(&packet.what);
    const auto* answered = to == nullptr ? nullptr : std::get_if<allocator::CommandAnswered>(&to->input);
    return answered == nullptr ? 0 : answered->command;
}

Packet no_answer(allocator::CommandId command) {
    return {ToAllocator{fmt::format("answer {}: none", command), allocator::CommandAnswered{command, fail(ErrorKind::timeout, "no answer in time")}}};
}

std::string name_of(const Packet& packet) {
    const auto name = std::visit(Overloaded{
        [](const ToAllocator& to) { return to.name; },
        [](const BeatOf& beat) { return fmt::format("beat {} of h-{}", beat.beat, beat.host); },
        [](const ToHost& to) {
            const auto verb = std::visit([](const auto& body) { return std::string{request_name<std::decay_t<decltype(body)>>}; }, to.body);
            return fmt::format("{} {} to h-{}", verb, to.command, to.host);
        },
        [](const OrdersTo& to) { return fmt::format("orders for beat {} to h-{}", to.beat, to.host); },
        [](const EngineDoes& work) {
            constexpr std::array verbs{"prepare", "bind", "remove", "erase", "list", "read"};
            return fmt::format("engine of h-{}: {} (life {})", work.host, verbs.at(work.operation.index()), work.life);
        },
        [](const Befalls& befalls) { return fmt::format("{} {}", befalls.host, static_cast<int>(befalls.what)); },
    }, packet.what);
    return packet.twin ? name + " (twin)" : name;
}

Sketch sketch_of(const Packet& packet) {
    Sketch sketch;
    sketch << packet.what.index() << packet.twin;
    std::visit(Overloaded{
        [&](const ToAllocator& to) {
            sketch << to.input.index();
            std::visit(Overloaded{
                [&](const allocator::CommandAnswered& answered) {
                    sketch.mark(Scale::command, answered.command);
                    sketch << answered.answer.has_value();
                    if (answered.answer) sketch << *answered.answer;
                    else sketch << answered.answer.error().kind;
                },
                [&]<class T>(const allocator::Asked<T>& asked) { sketch << asked.body; },
                [](const auto&) {},
            }, to.input);
        },
        [&](const BeatOf& what) {
            sketch << what.host << what.heartbeat;
            sketch.mark(Scale::life, what.life, what.host);
            sketch.mark(Scale::beat, what.beat, what.host);
        },
        [&](const ToHost& to) {
            sketch << to.host << to.body;
            sketch.mark(Scale::command, to.command);
        },
        [&](const OrdersTo& to) {
            sketch << to.host << to.orders;
            sketch.mark(Scale::life, to.life, to.host);
            sketch.mark(Scale::beat, to.beat, to.host);
        },
        [&](const EngineDoes& work) {
            sketch << work.host << work.operation.index();
            sketch.mark(Scale::life, work.life, work.host);
            std::visit(Overloaded{
                [&](const PrepareOrder& order) { sketch << order.slot << order.container; },
                [&](const EngineBind& bind) { sketch << bind.slot << bind.container << bind.workspace << bind.epoch; },
                [&](const hostagent::RemoveOrder& remove) { sketch << remove.slot << remove.container; },
                [&](const hostagent::EraseOrder& erase) { sketch << erase.workspace; },
                [&](const hostagent::ListOrder& list) { sketch.mark(Scale::change, list.mark, work.host); },
                [](const auto&) {},                // nothing is idle in this world, and no home has an archive
            }, work.operation);
        },
        [&](const Befalls& befalls) { sketch << befalls.host << befalls.what; },
    }, packet.what);
    return sketch;
}

}  // namespace berth::sim
