// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/planted/planted.hpp"

namespace berth::sim {

namespace {
std::size_t switched_on = static_cast<std::size_t>(-1);
}  // namespace

const std::vector<PlantedBug>& planted_bugs() {
    static const std::vector<PlantedBug> bugs{
#include "names.inc"
    };
    return bugs;
}

void plant(std::size_t bug) { switched_on = bug; }
bool planted(std::size_t bug) { return bug == switched_on; }

}  // namespace berth::sim
