// SPDX-License-Identifier: Apache-2.0
// What a machine costs, from the list that is shipped with berth (prices.tsv: on-demand, Linux, by region) and from what
// an operator says of his own contract. Pure. Of Amazon only the spot prices are asked for, by the scaler.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace berth::aws {

/// Millionths of a US dollar.
using Microdollars = std::uint64_t;

/// The day of the list: "2025-03-02".
std::string_view prices_of_day();
/// Per hour. `own` goes before the list: "t3.large=0.0912", or of one region "eu-central-1/t3.large=0.0912".
/// None: nobody knows.
std::optional<std::uint32_t> price_of(std::string_view region, std::string_view type, const std::vector<std::string>& own = {});
/// An error for one of these that can not be read.
Result<void> check_prices(const std::vector<std::string>& own);

/// "$0.0058", "$12.34": as many digits as say something.
std::string dollars(Microdollars amount);

}  // namespace berth::aws
