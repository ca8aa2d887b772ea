// SPDX-License-Identifier: Apache-2.0
// Twin of a container engine: each call takes time, may fail, may be done and yet fail, and goes on
// when the agent that made it is dead. Answers of calls by a dead agent are heard by nobody.
#pragma once

#include <functional>
#include <string>

#include "hostagent/engine.hpp"
#include "hostagent/step.hpp"
#include "tests/sim/truth.hpp"
#include "tests/sim/world.hpp"

namespace berth::sim {

class SimEngine {
public:
    using Answer = std::function<void(const hostagent::Input&)>;

    SimEngine(World& world, Truth& truth, std::string process, std::string machine, Rng rng);

    /// Carries out one operation of the host; `answer` is called once, later, on its process.
    /// What its own threads do ends with it: nothing of that happens once `same_life` is false.
    void operate(const hostagent::Operation& operation, Answer answer, std::function<bool()> same_life);
    std::vector<FoundContainer> list() const;
    Duration usual_start{150};            // of an environment

private:
    void prepare(const PrepareOrder& order, const Answer& answer);
    void bind(const EngineBind& order, const Answer& answer);
    void remove(const hostagent::RemoveOrder& order, const Answer& answer);
    void erase(const hostagent::EraseOrder& order, const Answer& answer);
    void list(const hostagent::ListOrder& order, const Answer& answer);
    void read(const hostagent::ReadActivity& order, const Answer& answer);
    // The twin of an archiver (sim_archiver.cpp).
    using SameLife = std::function<bool()>;
    void restore(const hostagent::RestoreOrder& order, const Answer& answer, const SameLife& same_life);
    void save(const hostagent::SaveOrder& order, const Answer& answer, const SameLife& same_life);
    void drop(const hostagent::DropOrder& order, const Answer& answer, const SameLife& same_life);
    void check_homes(const hostagent::CheckHomesOrder& order, const Answer& answer);
    bool archive_fails();
    Duration time_of(Duration usual, Duration deadline);

    World& world_;
    Truth& truth_;
    std::string process_;
    std::string machine_;
    Rng rng_;
};

}  // namespace berth::sim
