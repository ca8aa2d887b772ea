// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_loop.hpp"

#include <algorithm>
#include <utility>

namespace berth::sim {

namespace {

constexpr Duration busy_max{100};

}  // namespace

SimLoop::SimLoop(World& world, std::string process, std::string role)
    : inside_(std::shared_ptr<Inside>(new Inside{.world = world, .process = std::move(process), .role = std::move(role)})) {}

bus::TimerId SimLoop::after(Duration delay, std::function<void()> work) {
    const auto id = ++inside_->last_timer;
    inside_->timers.insert(id);
    inside_->world.after(inside_->process, std::max(delay, Duration{0}), [self = inside_, id, work = std::move(work)]() mutable {
        if (!self->over && self->timers.erase(id) > 0) Inside::enter(self, std::move(work));
    });
    return id;
}

bus::TimerId SimLoop::every(Duration period, std::function<void()> work) {
    const auto id = ++inside_->last_timer;
    inside_->timers.insert(id);
    Inside::repeat(inside_, id, period, work);
    return id;
}

void SimLoop::Inside::repeat(const std::shared_ptr<Inside>& self, bus::TimerId id, Duration period, const std::function<void()>& work) {
    self->world.after(self->process, period, [self, id, period, work] {
        if (self->over || !self->timers.contains(id)) return;
        repeat(self, id, period, work);
        enter(self, work);
    });
}

void SimLoop::post(std::function<void()> work) {
    inside_->world.after(inside_->process, Duration{0}, [self = inside_, work = std::move(work)]() mutable {
        if (!self->over) Inside::enter(self, std::move(work));
    });
}

void SimLoop::stop() {
    if (inside_->over) return;
    inside_->over = true;
    inside_->world.after({}, Duration{0}, [self = inside_] {
        if (self->stopped) self->stopped();
    });
}

void SimLoop::begin(std::function<void()> work) {
    inside_->inbox.push_back(std::move(work));
    inside_->run_round();
}

void SimLoop::Inside::enter(const std::shared_ptr<Inside>& self, std::function<void()> work) {
    if (self->over) return;
    self->inbox.push_back(std::move(work));
    if (self->round_planned) return;
    if (!self->world.strikes(self->world.faults.busy, "busy", self->process)) return self->run_round();
    self->round_planned = true;
    self->world.after(self->process, self->world.pick(Duration{0}, busy_max), [self] {
        self->round_planned = false;
        self->run_round();
    });
}

void SimLoop::Inside::run_round() {
    if (over) return;
    const auto before = std::exchange(world.running, role);
    if (round_begin && !over) round_begin();
    while (!inbox.empty() && !over) {
        const auto work = std::move(inbox.front());
        inbox.pop_front();
        work();
    }
    if (!over && round_end) round_end();
    world.running = before;
}

}  // namespace berth::sim
