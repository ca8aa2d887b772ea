// SPDX-License-Identifier: Apache-2.0
#include "scaler/providers/aws/spot_prices.hpp"

#include <charconv>
#include <cmath>
#include <set>
#include <vector>

#include "base/diagnostics.hpp"

namespace berth::scaler {

namespace {

constexpr Duration ask_every{600'000};
constexpr double dollars_max = 1'000;          // per hour; more is no price

std::optional<std::uint32_t> microdollars(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !(value > 0) || value > dollars_max) return std::nullopt;
    return static_cast<std::uint32_t>(std::llround(value * 1e6));
}

}  // namespace

void SpotPrices::renew(aws::Client& ec2, const std::map<std::string, Machine>& machines, Instant now) {
    std::set<std::string> types;
    bool unknown = false;
    for (const auto& [id, machine] : machines) {
        if (!machine.spot) continue;
        types.insert(machine.type);
        unknown = unknown || !by_type_and_zone_.contains({machine.type, machine.zone});
    }
    if (types.empty() || (asked_at_ != Instant{} && now < asked_at_ + (unknown ? ask_every / 10 : ask_every))) return;
    asked_at_ = now;
    aws::Parameters parameters{{"StartTime", to_rfc3339(now)}, {"ProductDescription.1", "Linux/UNIX"}};
    aws::add_list(parameters, "InstanceType", std::vector<std::string>(types.begin(), types.end()));
    std::map<std::pair<std::string, std::string>, std::pair<Instant, std::uint32_t>> newest;
    const auto done = ec2.pages("DescribeSpotPriceHistory", std::move(parameters), [&](aws::Node page) {
        for (const auto one : aws::list_of(page, "spotPriceHistorySet")) {
            const auto price = microdollars(aws::text_of(one, "spotPrice"));
            if (!price) continue;
            const auto at = aws::time_of(one, "timestamp").value_or(Instant{});
            auto& known = newest[{aws::text_of(one, "instanceType"), aws::text_of(one, "availabilityZone")}];
            if (known.second == 0 || at > known.first) known = {at, *price};
        }
    });
    if (!done) return log_warn("aws.spot_prices_unknown", {{"why", to_provider_error(done.error()).text + "; spot machines are counted as on demand"}});
    for (const auto& [key, price] : newest) by_type_and_zone_[key] = price.second;
}

HostPrice SpotPrices::of(const Machine& machine, const std::string& region, const AwsPolicy& policy) const {
    HostPrice price{machine.type, machine.zone, machine.spot, aws::price_of(region, machine.type, policy.prices).value_or(0)};
    const auto said = machine.spot ? by_type_and_zone_.find({machine.type, machine.zone}) : by_type_and_zone_.end();
    if (said != by_type_and_zone_.end()) price.microdollars_per_hour = said->second;
    return price;
}

}  // namespace berth::scaler
