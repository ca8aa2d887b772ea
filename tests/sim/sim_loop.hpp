// SPDX-License-Identifier: Apache-2.0
// Twin of a process's loop: time is the world's, and whatever comes to the process comes in rounds. A busy
// process finds several things in one round, so that what they decided is kept and let out together. One
// loop is one life: when it is over, nothing that was planned on it happens.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "bus/loop.hpp"
#include "tests/sim/world.hpp"

namespace berth::sim {

class SimLoop final : public bus::Loop {
public:
    /// `role` names the process in the world's marks: "host", "reaper".
    SimLoop(World& world, std::string process, std::string role);

    Instant now() const override { return inside_->world.now_of(inside_->process); }
    bus::TimerId after(Duration delay, std::function<void()> work) override;
    bus::TimerId every(Duration period, std::function<void()> work) override;
    void cancel(bus::TimerId id) override { inside_->timers.erase(id); }
    void post(std::function<void()> work) override;
    void after_each_round(std::function<void()> work) override { inside_->round_end = std::move(work); }
    void stop() override;

    /// Something comes from outside, now: it is part of this round, or of the next one.
    void deliver(std::function<void()> work) { inside_->enter(inside_, std::move(work)); }
    bool over() const { return inside_->over; }
    void end() { inside_->over = true; }
    /// A round of its own, at once: a process begins.
    void begin(std::function<void()> work);
    /// The process itself ended its loop.
    void on_stop(std::function<void()> work) { inside_->stopped = std::move(work); }
    /// Before the first piece of work of each round.
    void on_round(std::function<void()> work) { inside_->round_begin = std::move(work); }
    World& world() const { return inside_->world; }
    const std::string& process() const { return inside_->process; }

private:
    struct Inside {                       // outlives the loop while the world has something planned for it
        World& world;
        std::string process;
        std::string role;
        bool over = false;
        bool round_planned = false;
        bus::TimerId last_timer = 0;
        std::set<bus::TimerId> timers;
        std::deque<std::function<void()>> inbox;
        std::function<void()> round_begin, round_end, stopped;

        static void enter(const std::shared_ptr<Inside>& self, std::function<void()> work);
        static void repeat(const std::shared_ptr<Inside>& self, bus::TimerId id, Duration period, const std::function<void()>& work);
        void run_round();
    };
    std::shared_ptr<Inside> inside_;
};

}  // namespace berth::sim
