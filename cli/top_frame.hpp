// SPDX-License-Identifier: Apache-2.0
// One picture of `berth top`: how the parts are, what claims come and wait and why, pools with what they lack, hosts with
// their slots and load. Pure: from the gateway's answers to lines that fit a terminal.
#pragma once

#include <map>
#include <string>

#include "base/time.hpp"
#include "cli/table.hpp"

namespace berth::cli {

struct TopPicture {
    std::string gateway;
    Json health, totals, pools, hosts, workspaces, claims;   // as the gateway shows them
    std::map<std::string, std::string> reasons;              // of claims that wait, by the events that told
    Instant now;
};
struct TopSize {
    std::size_t columns = 80;
    std::size_t rows = 0;                 // 0: as many as there are
};

/// Lines, none wider than the size says. What does not fit is counted.
std::string top_frame(const TopPicture& picture, TopSize size);
/// The same in numbers.
Json top_numbers(const TopPicture& picture);

}  // namespace berth::cli
