// SPDX-License-Identifier: Apache-2.0
// What the broker did with one message, as the wire saw it and no process does: for the rules.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::sim {

BERTH_ENUM(CarriedKind,
           asked,       // a request came to the broker
           given,       // it went on to a worker
           answered,    // its reply, or the broker's own, went to somebody
           told,        // an event went to somebody
           refused,     // a receiver could not read what came
           heard,       // a worker registered or beat
           forgot)      // the broker died, and all it knew with it

struct Carried {
    CarriedKind kind = CarriedKind::told;
    std::string_view from;
    std::string_view to;
    std::string_view topic;
    std::string_view route;      // of the connection it came or went on
    std::uint64_t id = 0;        // of the request
    Instant deadline;            // of what was asked, by its sender's clock
    Duration wait{0};            // how long its sender waits
    Instant at;
};

}  // namespace berth::sim
