// SPDX-License-Identifier: Apache-2.0
// The container engine of this machine, as `berth up` and `berth doctor` look for it.
#pragma once

#include <string>

#include "cli/up/plan.hpp"
#include "docker/client.hpp"

namespace berth::cli {

/// Who answers there within that time, and in which version; a socket that is not there is a plain "absent".
EngineAnswer ask_engine(const docker::Client& engine, Duration within);

}  // namespace berth::cli
