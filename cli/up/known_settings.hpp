// SPDX-License-Identifier: Apache-2.0
// Every setting that some process reads, as deploy/berth.toml lists them with their defaults (a test
// compares that file with the policies). So `berth up` refuses a wrong key or value at once and names
// the user's own file and line, before anything was started.
#pragma once

#include <string_view>
#include <vector>

#include "base/config.hpp"

namespace berth::cli {

/// deploy/berth.toml as it was when this program was built.
std::string_view example_config();

/// An error that names the first key of these sections that no process knows, or whose value is not
/// of its default's kind (a number, a length of time, true or false).
Result<void> check_settings(const Config& config, const std::vector<std::string>& sections);

}  // namespace berth::cli
