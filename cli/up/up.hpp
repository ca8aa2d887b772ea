// SPDX-License-Identifier: Apache-2.0
// `berth up`: the whole system on this machine, in the foreground, until Ctrl-C.
#pragma once

#include "cli/exit.hpp"
#include "cli/up/plan.hpp"

namespace berth::cli {

/// `flags.state` is absolute. Returns when everything that it started has ended.
Result<Exit> run_up(const UpFlags& flags);

}  // namespace berth::cli
