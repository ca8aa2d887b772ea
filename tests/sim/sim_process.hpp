// SPDX-License-Identifier: Apache-2.0
// A real process in the world, life after life: each is its process.cpp on a loop and an endpoint of its own.
// It may be killed between any two effects (F1, F2, F8), and begins anew a little later, as its supervisor or
// provider would have it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "tests/sim/sim_bus.hpp"

namespace berth::sim {

class SimProcess : public Actor {
public:
    struct Plan {
        std::string process;              // its name in the world
        std::string address;              // on the bus; several processes may have one
        std::string role;                 // in marks: "reaper", "host"
        double Faults::*crash = nullptr;  // at each effect
        Duration down_least{50};          // how long it is down after a death
        Duration down_most{2'000};
    };

    SimProcess(World& world, Plan plan);

    /// A life begins; one that still was is over.
    void begin();
    void receive(const LetterPtr& letter) override;
    void crash();                         // dies now, and begins again a little later
    void end(bool noticed = true);        // dies, until begin(); noticed: its connection is seen to end
    void fence();                         // ends, and never begins again
    bool up() const { return up_; }
    bool fenced() const { return fenced_; }
    const std::string& process() const { return plan_.process; }

protected:
    /// Builds the process on this life's edges; an error is one that begins again later, or `fenced`: never.
    virtual Result<void> open(SimLoop& loop, SimBus& bus) = 0;
    /// What open() built goes.
    virtual void close() = 0;
    /// Why it stopped its loop by itself.
    virtual const std::optional<Error>& failure() const = 0;

    /// At every effect: is this life over, or does it end here?
    bool dies();
    World& world() const { return world_; }
    SimLoop& loop() { return *loop_; }

private:
    void give_up(const Error& error);

    World& world_;
    Plan plan_;
    std::unique_ptr<SimLoop> loop_;
    std::unique_ptr<SimBus> bus_;
    bool open_ = false;
    bool up_ = false;
    bool fenced_ = false;
    std::uint64_t life_ = 0;
};

}  // namespace berth::sim
