// SPDX-License-Identifier: Apache-2.0
// Twin of an archiver: each call takes time, may fail, may be done and yet fail. What is under way when its agent
// dies is cut off: a snapshot is in the repository whole or not at all, a home in its place whole or not at all.
#include <fmt/format.h>

#include "tests/sim/sim_engine.hpp"

namespace berth::sim {

namespace {

constexpr Duration usual{300};
constexpr Duration longest{4'000};

Result<void> failed(const char* what) { return fail(ErrorKind::unavailable, "the repository {}", what); }

}  // namespace

bool SimEngine::archive_fails() { return world_.strikes(world_.faults.archive_fails, "archive_fails", process_); }

void SimEngine::restore(const hostagent::RestoreOrder& order, const Answer& answer, const SameLife& same_life) {
    const bool slow = world_.strikes(world_.faults.archive_slow, "archive_slow", process_);
    const auto time = slow ? world_.pick(usual, longest) : time_of(usual, longest);
    const bool fails = archive_fails();
    world_.after(process_, time, [this, order, answer, fails, same_life] {
        if (!same_life() || !truth_.alive(machine_)) return;
        auto outcome = fails ? failed("gave nothing back") : Result<void>{};
        if (!fails && order.archive) {
            const auto at = truth_.repository.find(order.archive->snapshot);
            if (at == truth_.repository.end()) outcome = fail(ErrorKind::not_found, "no snapshot {}", order.archive->snapshot);
            else truth_.copies[{machine_, order.workspace}] = at->second.content;
            ++truth_.changes;
        }
        answer(hostagent::HomeRestored{order.slot, order.workspace, order.epoch, outcome});
    });
}

void SimEngine::save(const hostagent::SaveOrder& order, const Answer& answer, const SameLife& same_life) {
    const bool slow = world_.strikes(world_.faults.archive_slow, "archive_slow", process_);
    const auto time = slow ? world_.pick(usual, longest) : time_of(usual, longest);
    const bool fails = archive_fails();
    const bool keeps = !fails || world_.pick(2) == 0;
    const auto snapshot = std::make_shared<std::string>();
    world_.after(process_, time / 2, [this, order, keeps, snapshot, same_life] {
        if (!same_life() || !truth_.alive(machine_) || !keeps) return;
        if (order.last) {
            for (const auto& [id, container] : truth_.containers) {
                if (container.machine == machine_ && container.workspace == order.workspace && truth_.mounted(container)) {
                    truth_.wrong = fmt::format("I8: the last archive of {} is made while {} has its home", order.workspace.value, id.value);
                }
            }
        }
        *snapshot = fmt::format("s-{}", ++truth_.writings);
        truth_.repository[*snapshot] = {order.workspace, order.epoch, truth_.copies[{machine_, order.workspace}], machine_};
        ++truth_.changes;
    });
    world_.after(process_, time, [this, order, answer, fails, snapshot, same_life] {
        if (!same_life() || !truth_.alive(machine_)) return;
        if (fails || snapshot->empty()) world_.mark("an archive failed");
        if (fails || snapshot->empty()) return answer(hostagent::HomeSaved{order.slot, order.workspace, order.epoch, fail(failed("did not take it").error())});
        answer(hostagent::HomeSaved{order.slot, order.workspace, order.epoch, hostagent::KeptHome{*snapshot, 1'000}});
    });
}

void SimEngine::drop(const hostagent::DropOrder& order, const Answer& answer, const SameLife& same_life) {
    const bool fails = world_.strikes(world_.faults.engine_fails, "engine_fails", process_);
    world_.after(process_, time_of(Duration{20}, Duration{1'000}), [this, order, answer, fails, same_life] {
        if (!same_life() || !truth_.alive(machine_)) return;
        if (!fails) truth_.copies.erase({machine_, order.workspace});
        ++truth_.changes;
        answer(hostagent::HomeDropped{order.slot, order.workspace, order.epoch, fails ? fail(ErrorKind::internal, "it can not be removed") : Result<void>{}});
    });
}

void SimEngine::check_homes(const hostagent::CheckHomesOrder&, const Answer& answer) {
    const bool fails = archive_fails();
    world_.after(process_, time_of(Duration{50}, Duration{1'000}), [answer, fails] {
        answer(hostagent::HomesChecked{fails ? failed("is not reached") : Result<void>{}});
    });
}

}  // namespace berth::sim
