// SPDX-License-Identifier: Apache-2.0
// What spot machines cost at present, by Amazon's own word; it changes some times a day.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "aws/prices.hpp"
#include "base/clock.hpp"
#include "scaler/providers/aws/account.hpp"
#include "scaler/providers/aws/machines.hpp"

namespace berth::scaler {

class SpotPrices {
public:
    /// Asks for the spot machines among these, at most every 10 min. What can not be asked is said in the log, and
    /// counts as on demand, which it never exceeds.
    void renew(aws::Client& ec2, const std::map<std::string, Machine>& machines, Instant now);

    /// On demand by our list, or as last said for a spot machine of that type and zone.
    HostPrice of(const Machine& machine, const std::string& region, const AwsPolicy& policy) const;

private:
    Instant asked_at_;
    std::map<std::pair<std::string, std::string>, std::uint32_t> by_type_and_zone_;
};

}  // namespace berth::scaler
