// SPDX-License-Identifier: Apache-2.0
// Who we are to Amazon, and its clients by region. For one thread: a provider's worker's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "aws/chain.hpp"
#include "scaler/provider.hpp"
#include "scaler/providers/aws/policy.hpp"

namespace berth::scaler {

class AwsAccount {
public:
    /// `pause` waits between the tries of a call; empty: the thread sleeps.
    AwsAccount(const Clock& clock, AwsPolicy policy, aws::Environment environment, std::function<void(Duration)> pause);

    const Clock& clock() const { return clock_; }
    const AwsPolicy& policy() const { return policy_; }
    const aws::Environment& environment() const { return environment_; }

    /// The region of a template, of the policy, or of the chain.
    Provided<std::string> region_of(const std::string& wanted);
    Provided<aws::Client*> autoscaling(const std::string& region) { return client(aws::autoscaling, region); }
    Provided<aws::Client*> ec2(const std::string& region) { return client(aws::ec2, region); }

private:
    Provided<aws::Client*> client(const aws::Service& service, const std::string& region);

    const Clock& clock_;
    AwsPolicy policy_;
    aws::Environment environment_;
    std::function<void(Duration)> pause_;
    aws::Chain chain_;
    std::map<std::string, std::unique_ptr<aws::Client>> clients_;    // "ec2 us-east-1"
};

ProviderError to_provider_error(const aws::Fault& fault);
tl::unexpected<ProviderError> refused(const aws::Fault& fault);
tl::unexpected<ProviderError> refused(const Error& error);

}  // namespace berth::scaler
