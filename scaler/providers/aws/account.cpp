// SPDX-License-Identifier: Apache-2.0
#include "scaler/providers/aws/account.hpp"

namespace berth::scaler {

AwsAccount::AwsAccount(const Clock& clock, AwsPolicy policy, aws::Environment environment, std::function<void(Duration)> pause)
    : clock_(clock), policy_(std::move(policy)), environment_(environment), pause_(std::move(pause)),
      chain_(clock, {.environment = std::move(environment), .profile = policy_.profile, .region = policy_.region}) {}

Provided<std::string> AwsAccount::region_of(const std::string& wanted) {
    if (!wanted.empty()) return wanted;
    if (!policy_.region.empty()) return policy_.region;
    auto found = chain_.find_region();
    if (!found) return refused(found.error());
    return policy_.region = std::move(*found);
}

Provided<aws::Client*> AwsAccount::client(const aws::Service& service, const std::string& region) {
    auto& made = clients_[fmt::format("{} {}", service.name, region)];
    if (made) return made.get();
    auto endpoint = aws::endpoint_of(service, region, environment_);
    if (!endpoint) return refused(endpoint.error());
    made = std::make_unique<aws::Client>(clock_, &chain_,
                                         aws::Setup{.service = service, .region = region, .endpoint = std::move(*endpoint), .deadline = policy_.call_deadline, .pause = pause_});
    return made.get();
}

ProviderError to_provider_error(const aws::Fault& fault) {
    switch (fault.kind) {
        case aws::FaultClass::throttle:
        case aws::FaultClass::contention: return {LaunchFailure::throttle, fault.text};
        case aws::FaultClass::permission:
        case aws::FaultClass::skew: return {LaunchFailure::permission, fault.text};
        case aws::FaultClass::quota: return {LaunchFailure::quota, fault.text};
        case aws::FaultClass::capacity: return {LaunchFailure::capacity, fault.text};
        case aws::FaultClass::configuration:
        case aws::FaultClass::missing: return {LaunchFailure::configuration, fault.text};
        case aws::FaultClass::unreachable:
        case aws::FaultClass::broken: break;
    }
    return {LaunchFailure::lost, fault.text};
}

tl::unexpected<ProviderError> refused(const aws::Fault& fault) { return tl::make_unexpected(to_provider_error(fault)); }
tl::unexpected<ProviderError> refused(const Error& error) { return tl::make_unexpected(ProviderError{LaunchFailure::configuration, error.text}); }

}  // namespace berth::scaler
