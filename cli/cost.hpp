// SPDX-License-Identifier: Apache-2.0
// What hosts cost, from the ledger's facts: when each was there, and what its provider said that it costs. Pure.
#pragma once

#include <string>
#include <vector>

#include "aws/prices.hpp"
#include "base/time.hpp"
#include "cli/table.hpp"

namespace berth::cli {

struct HostCost {
    std::string host;
    std::string pool;
    std::string type;                     // as priced last; empty: nobody ever said a price
    bool spot = false;
    bool there = true;                    // it is not gone
    Duration ran{0};                      // since then
    aws::Microdollars per_hour = 0;       // as of the last
    aws::Microdollars cost = 0;           // since then
};
/// Of all hosts that were there after `since`, by name; `facts` are in order, as the gateway lists them. A host is there from its
/// registration until it is gone; a price holds from there, too, when it is the first that was said.
std::vector<HostCost> costs_of(const Json& facts, Instant since, Instant now);

struct UseCost {
    std::string user;                     // empty: slots that nobody had
    std::string project;
    Duration leased{0};
    aws::Microdollars cost = 0;
};
/// The same money by who had it: each slot of a host costs its part, from its lease until it was wiped; the rest is nobody's.
std::vector<UseCost> use_costs_of(const Json& facts, Instant since, Instant now);

}  // namespace berth::cli
