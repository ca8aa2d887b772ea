// SPDX-License-Identifier: Apache-2.0
// "Did you mean …?"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

/// The known word that is at most two or three edits away; short words forgive less.
std::optional<std::string> nearest_word(std::string_view word, const std::vector<std::string>& known);

}  // namespace berth
