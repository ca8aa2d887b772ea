// SPDX-License-Identifier: Apache-2.0
// The account of aws/, with its faults in the words of a provider. For one thread: a provider's worker's.
#pragma once

#include <functional>
#include <string>

#include "aws/account.hpp"
#include "scaler/provider.hpp"
#include "scaler/providers/aws/policy.hpp"

namespace berth::scaler {

class AwsAccount {
public:
    /// `pause` waits between the tries of a call; empty: the thread sleeps.
    AwsAccount(const Clock& clock, AwsPolicy policy, aws::Environment environment, std::function<void(Duration)> pause);

    const Clock& clock() const { return account_.clock(); }
    const AwsPolicy& policy() const { return policy_; }
    const aws::Environment& environment() const { return account_.environment(); }

    /// The region of a template, of the policy, or of the chain.
    Provided<std::string> region_of(const std::string& wanted);
    Provided<aws::Client*> autoscaling(const std::string& region) { return client(aws::autoscaling, region); }
    Provided<aws::Client*> ec2(const std::string& region) { return client(aws::ec2, region); }
    std::vector<std::string> actions() const { return account_.actions(); }

private:
    Provided<aws::Client*> client(const aws::Service& service, const std::string& region);

    AwsPolicy policy_;
    aws::Account account_;
};

ProviderError to_provider_error(const aws::Fault& fault);
tl::unexpected<ProviderError> refused(const aws::Fault& fault);
tl::unexpected<ProviderError> refused(const Error& error);

}  // namespace berth::scaler
