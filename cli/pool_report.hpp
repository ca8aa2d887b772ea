// SPDX-License-Identifier: Apache-2.0
// What a pool's provider says of it, for people: machines that did not come, and what is unsafe about its group.
#pragma once

#include <string>
#include <vector>

#include "cli/table.hpp"

namespace berth::cli {

struct Said {
    std::string text;
    std::string way_out;                  // may be empty: the text has it
};
/// Of a pool as the gateway shows it; the newest trouble first.
std::vector<Said> provider_says(const Json& pool);

}  // namespace berth::cli
