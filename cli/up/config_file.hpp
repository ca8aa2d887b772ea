// SPDX-License-Identifier: Apache-2.0
// Which file `berth up` reads its settings from.
#pragma once

#include <string>

namespace berth::cli {

/// The flag, $BERTH_CONFIG, the user's file, the system's file; empty when there is none.
std::string config_file(const std::string& flag);

}  // namespace berth::cli
