// SPDX-License-Identifier: Apache-2.0
// The switch of planted bugs: at most one is on. Only copies made by plant.py ask.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace berth::sim {

struct PlantedBug {
    std::string_view name;
    std::string_view about;
    std::string_view often;               // a fault that its hunt makes likely, or nothing
    bool stale;                           // its snippet no longer fits its source
};

const std::vector<PlantedBug>& planted_bugs();
void plant(std::size_t bug);
bool planted(std::size_t bug);

}  // namespace berth::sim
