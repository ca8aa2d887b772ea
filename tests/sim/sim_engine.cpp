// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_engine.hpp"

#include <fmt/format.h>

namespace berth::sim {

namespace {

Result<void> failed(const char* what) { return fail(ErrorKind::unavailable, "the engine {}", what); }

}  // namespace

SimEngine::SimEngine(World& world, Truth& truth, std::string process, std::string machine, Rng rng)
    : world_(world), truth_(truth), process_(std::move(process)), machine_(std::move(machine)), rng_(rng) {}

void SimEngine::operate(const hostagent::Operation& operation, Answer answer, std::function<bool()> same_life) {
    std::visit(
        [&](const auto& order) {
            using Order = std::decay_t<decltype(order)>;
            if constexpr (std::is_same_v<Order, PrepareOrder>) prepare(order, answer);
            if constexpr (std::is_same_v<Order, EngineBind>) bind(order, answer);
            if constexpr (std::is_same_v<Order, hostagent::RemoveOrder>) remove(order, answer);
            if constexpr (std::is_same_v<Order, hostagent::EraseOrder>) erase(order, answer);
            if constexpr (std::is_same_v<Order, hostagent::ListOrder>) list(order, answer);
            if constexpr (std::is_same_v<Order, hostagent::ReadActivity>) read(order, answer);
            if constexpr (std::is_same_v<Order, hostagent::RestoreOrder>) restore(order, answer, same_life);
            if constexpr (std::is_same_v<Order, hostagent::SaveOrder>) save(order, answer, same_life);
            if constexpr (std::is_same_v<Order, hostagent::DropOrder>) drop(order, answer, same_life);
            if constexpr (std::is_same_v<Order, hostagent::CheckHomesOrder>) check_homes(order, answer);
        },
        operation);
}

Duration SimEngine::time_of(Duration usual, Duration deadline) {
    const auto quick = usual / 2 + Duration{static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(usual.count()) + 1))};
    if (!world_.strikes(world_.faults.engine_slow, "engine_slow", process_)) return quick;
    return world_.pick(deadline / 2, deadline + deadline / 4);
}

// A failed start may leave a container that shows up later; the contract says none, engines lie.
void SimEngine::prepare(const PrepareOrder& order, const Answer& answer) {
    const auto time = time_of(usual_start, order.deadline);
    const bool fails = time > order.deadline || world_.strikes(world_.faults.engine_fails, "engine_fails", process_);
    const bool stays = !fails || world_.pick(8) == 0;
    world_.after({}, time, [this, order, stays] {
        if (!stays || !truth_.alive(machine_)) return;
        truth_.containers[order.container] = Container{.machine = machine_, .slot = order.slot};
        ++truth_.changes;
    });
    world_.after(process_, std::min(time, order.deadline), [order, answer, fails] {
        answer(hostagent::Prepared{order.slot, order.container, fails ? failed("did not start it") : Result<void>{}});
    });
}

void SimEngine::bind(const EngineBind& order, const Answer& answer) {
    const auto time = time_of(Duration{20}, order.deadline);
    const bool fails = time > order.deadline || world_.strikes(world_.faults.engine_fails, "engine_fails", process_);
    const bool mounts = !fails || world_.pick(2) == 0;
    const auto done = std::make_shared<bool>(false);
    world_.after({}, std::min(time, order.deadline), [this, order, mounts, done] {
        const auto at = truth_.containers.find(order.container);
        if (at == truth_.containers.end() || !truth_.alive(machine_) || !at->second.running || !mounts) return;
        auto& container = at->second;
        ++container.binds;
        container.workspace = order.workspace;
        container.epoch = order.epoch;
        truth_.bound.emplace(order.container, order.workspace, order.epoch);
        auto& copy = truth_.copies[{machine_, order.workspace}];      // made when it is not there
        if (!truth_.written.contains({order.workspace, order.epoch})) truth_.begun.emplace_back(order.workspace, order.epoch, copy);
        truth_.write_home(container);
        if (truth_.erased.contains(order.workspace)) truth_.wrong = "I8: a home that was erased is mounted: " + order.workspace.value;
        ++truth_.changes;
        *done = true;
    });
    world_.after(process_, std::min(time, order.deadline), [order, answer, fails, done] {
        const bool good = !fails && *done;
        answer(hostagent::Bound{order.slot, order.container, good ? Result<void>{} : failed("did not bind it")});
    });
}

void SimEngine::remove(const hostagent::RemoveOrder& order, const Answer& answer) {
    const auto time = time_of(Duration{50}, order.deadline);
    const bool fails = time > order.deadline || world_.strikes(world_.faults.engine_fails, "engine_fails", process_);
    const bool removes = !fails || world_.pick(2) == 0;
    world_.after({}, std::min(time, order.deadline), [this, order, removes] {
        if (!removes) return;
        const auto at = truth_.containers.find(order.container);
        if (at == truth_.containers.end()) return;
        if (truth_.mounted(at->second)) truth_.write_home(at->second);   // its programs saved what they had
        truth_.containers.erase(at);
        ++truth_.changes;
    });
    world_.after(process_, std::min(time, order.deadline), [order, answer, fails] {
        answer(hostagent::Removed{order.slot, order.container, fails ? failed("did not remove it") : Result<void>{}});
    });
}

void SimEngine::erase(const hostagent::EraseOrder& order, const Answer& answer) {
    const bool fails = world_.strikes(world_.faults.engine_fails, "engine_fails", process_);
    world_.after(process_, time_of(Duration{30}, Duration{5'000}), [this, order, answer, fails] {
        if (!fails) {
            for (const auto& [id, container] : truth_.containers) {
                if (container.workspace == order.workspace && truth_.mounted(container)) {
                    truth_.wrong = fmt::format("I8: the home of {} is erased while {} has it mounted", order.workspace.value, id.value);
                }
            }
            truth_.erased.insert(order.workspace);
            truth_.copies.erase({machine_, order.workspace});
            if (order.rule) std::erase_if(truth_.repository, [&](const auto& entry) { return entry.second.workspace == order.workspace; });
        }
        answer(hostagent::Erased{order.workspace, fails ? failed("did not erase it") : Result<void>{}});
    });
}

std::vector<FoundContainer> SimEngine::list() const {
    std::vector<FoundContainer> found;
    const auto own = machine_.substr(0, machine_.find('/')) + "-";        // a container's id begins with its host's
    for (auto at = truth_.containers.lower_bound({own}); at != truth_.containers.end() && at->first.value.starts_with(own); ++at) {
        const auto& [id, container] = *at;
        if (container.machine != machine_) continue;
        found.push_back({.container = id, .slot = container.slot, .health = container.running ? Health::running : Health::exited});
    }
    return found;
}

void SimEngine::list(const hostagent::ListOrder& order, const Answer& answer) {
    const bool is_early = rng_.chance(0.5);                // what it was when the listing began, or when it ends
    const auto early = is_early ? list() : std::vector<FoundContainer>{};
    const bool fails = world_.strikes(world_.faults.engine_fails, "engine_fails", process_);
    world_.after(process_, time_of(Duration{20}, Duration{5'000}), [this, order, answer, early, is_early, fails] {
        if (fails) return answer(hostagent::Listed{order.mark, fail(ErrorKind::unavailable, "the engine is silent")});
        answer(hostagent::Listed{order.mark, is_early ? early : list()});
    });
}

void SimEngine::read(const hostagent::ReadActivity& order, const Answer& answer) {
    const bool silent = world_.strikes(world_.faults.engine_fails, "engine_fails", process_);
    world_.after(process_, time_of(Duration{10}, Duration{2'000}), [this, order, answer, silent] {
        const auto& record = order.record;
        Signal proxy{.name = "proxy"};
        truth_.unreadable[record.workspace] = silent;
        if (!silent) {
            const auto at = truth_.last_use.find(record.workspace);
            proxy.last_at = record.bound_at.value_or(Instant{});
            if (at != truth_.last_use.end()) proxy.last_at = std::max(*proxy.last_at, at->second);
        }
        answer(hostagent::ActivityRead{record.slot, record.epoch, {proxy}});
    });
}

}  // namespace berth::sim
