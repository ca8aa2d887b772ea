// SPDX-License-Identifier: Apache-2.0
// The configuration that all processes of this machine read: the user's file, and over it what the
// flags of `berth up` say. Written to <state>/berth.toml, with a note of where it came from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/up/plan.hpp"

namespace berth::cli {

/// `origin` is the name of the user's file, or empty when there is none.
Result<std::string> effective_config(std::string_view user_toml, const std::string& origin,
                                     const std::vector<Setting>& settings);

/// The number at section.key, or `fallback`.
std::int64_t number_in(std::string_view toml, const std::string& section, const std::string& key, std::int64_t fallback);
std::string text_in(std::string_view toml, const std::string& section, const std::string& key,
                    const std::string& fallback);

}  // namespace berth::cli
