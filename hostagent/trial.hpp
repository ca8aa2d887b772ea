// SPDX-License-Identifier: Apache-2.0
// What a claim needs of this machine, tried: an environment is started, given a home, and removed.
#pragma once

#include "hostagent/begin.hpp"

namespace berth::hostagent {

/// By the engine of the flags and settings, below `flags.state` and in a home of its own below
/// `flags.homes`, which goes again. What an earlier trial left is removed first. Blocks as long as the
/// engine does (prepare_deadline and more); the error names the step that failed.
Result<Duration> try_start(const Flags& flags, const Settings& settings);

}  // namespace berth::hostagent
