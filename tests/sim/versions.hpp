// SPDX-License-Identifier: Apache-2.0
// The same message as another version of its sender would have sent it: the next one, which says more
// than its receivers know, or the last one, which leaves out what may be absent.
#pragma once

#include "tests/sim/parcel.hpp"

namespace berth::sim {

BERTH_ENUM(Version, current, newer, older)

Parcel restate(Parcel parcel, Version version);

}  // namespace berth::sim
