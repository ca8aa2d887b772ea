// SPDX-License-Identifier: Apache-2.0
// The names by which forerunners of berth were configured (a `.env` beside an Auto Scaling group and a Node service):
// who comes from one starts with the same file. They count only together with ASG_NAME, since a PORT is in many
// environments; what the configuration file or a flag says goes before. Requirement 22. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/up/plan.hpp"

namespace berth::cli {

/// What they become, each from the variable that it names. An error for a number that is none.
Result<std::vector<Setting>> seed_settings(const std::function<std::string(const char*)>& environment, std::string_view user_toml);

}  // namespace berth::cli
