// SPDX-License-Identifier: Apache-2.0
// Who somebody is on the bus: what the broker knows of a key (I23).
#pragma once

#include <string>

#include "events/envelope.hpp"

namespace berth::bus {

struct Peer {
    std::string name;         // a label: [a-zA-Z0-9-], 1 to 64
    Role role = Role::client;
};

}  // namespace berth::bus
