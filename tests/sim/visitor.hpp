// SPDX-License-Identifier: Apache-2.0
// A person of fleet.hpp: comes, claims, works, leaves without a word. More come in the morning and
// after noon than at night.
#pragma once

#include <functional>
#include <string>

#include "tests/sim/truth.hpp"
#include "tests/sim/world.hpp"

namespace berth::sim {

struct Visit {
    bool granted = false;
    Duration wait{0};
    Duration stay{0};
};

class Visitor final : public Actor {
public:
    Visitor(World& world, Truth& truth, std::string name, Duration mean_stay, double visits_a_day);

    void begin() { come_later(); }
    void receive(const LetterPtr&) override {}
    const std::string& name() const { return name_; }
    std::function<void(const Visit&)> on_visit;

private:
    void come_later();
    void come();
    void work(const WorkspaceId& workspace, Instant until);

    World& world_;
    Truth& truth_;
    std::string name_;
    Duration mean_stay_;
    double visits_a_day_;
    Rng rng_;
    std::uint64_t last_key_ = 0;
};

}  // namespace berth::sim
