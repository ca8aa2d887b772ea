// SPDX-License-Identifier: Apache-2.0
#include "scaler/providers/aws/account.hpp"

namespace berth::scaler {

AwsAccount::AwsAccount(const Clock& clock, AwsPolicy policy, aws::Environment environment, std::function<void(Duration)> pause)
    : policy_(std::move(policy)),
      account_(clock, {.environment = std::move(environment), .profile = policy_.profile, .region = policy_.region, .call_deadline = policy_.call_deadline, .pause = std::move(pause)}) {}

Provided<std::string> AwsAccount::region_of(const std::string& wanted) {
    auto found = account_.region_of(wanted);
    if (!found) return refused(found.error());
    return std::move(*found);
}

Provided<aws::Client*> AwsAccount::client(const aws::Service& service, const std::string& region) {
    const auto made = account_.client(service, region);
    if (!made) return refused(made.error());
    return *made;
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
