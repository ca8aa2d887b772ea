// SPDX-License-Identifier: Apache-2.0
// How long a pool waits after a launch failed, by the class of failure: doubling, with jitter, up to
// a maximum. What only a person can change (quota, permission, configuration) starts slower.
#pragma once

#include <cstdint>

#include "base/rng.hpp"
#include "events/pool.hpp"
#include "scaler/policy.hpp"

namespace berth::scaler {

/// After the nth failure of that class in a row, n from 1: between half and all of the full pause.
Duration backoff(const Policy& policy, LaunchFailure failure, std::uint32_t failures, Rng& rng);

}  // namespace berth::scaler
