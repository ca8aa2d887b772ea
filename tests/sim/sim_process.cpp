// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_process.hpp"

#include <fmt/format.h>

#include <utility>

namespace berth::sim {

SimProcess::SimProcess(World& world, Plan plan) : world_(world), plan_(std::move(plan)) {}

void SimProcess::begin() {
    if (fenced_) return;
    if (loop_) loop_->end();
    if (std::exchange(open_, false)) close();
    bus_.reset();
    ++life_;
    up_ = true;
    world_.start_clock(plan_.process);
    world_.connect(plan_.process, plan_.address, *this);
    loop_ = std::make_unique<SimLoop>(world_, plan_.process, plan_.role);
    loop_->on_stop([this, life = life_] {
        if (life == life_ && up_) give_up(failure().value_or(Error{}));
    });
    bus_ = std::make_unique<SimBus>(*loop_, bus::Peer{plan_.address, role_of(plan_.address)}, [this] { return dies(); });
    open_ = true;
    std::optional<Error> refused;
    loop_->begin([&] {
        if (const auto opened = open(*loop_, *bus_); !opened) refused = opened.error();
    });
    if (refused && up_) give_up(*refused);
}

void SimProcess::receive(const LetterPtr& letter) {
    if (up_) bus_->receive(letter);
}

void SimProcess::give_up(const Error& error) {
    if (world_.tracing) world_.note(fmt::format("{} gives up: {}", plan_.process, error.text));
    if (error.kind != ErrorKind::fenced) return crash();
    world_.mark("fenced by the ledger");
    fence();
}

void SimProcess::fence() {
    fenced_ = true;
    end();
}

void SimProcess::crash() {
    if (!up_) return;
    end();
    world_.after({}, world_.pick(plan_.down_least, plan_.down_most), [this, life = life_] {
        if (life == life_) begin();
    });
}

// What it built stays until the next life: it may be in the middle of this.
void SimProcess::end(bool noticed) {
    if (up_) world_.disconnect(plan_.process, noticed);
    up_ = false;
    ++life_;
    if (loop_) loop_->end();
}

bool SimProcess::dies() {
    if (!up_ || loop_->over()) return true;
    if (plan_.crash == nullptr || !world_.strikes(world_.faults.*plan_.crash, "crash", plan_.process)) return false;
    crash();
    return true;
}

}  // namespace berth::sim
