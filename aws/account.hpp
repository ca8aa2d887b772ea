// SPDX-License-Identifier: Apache-2.0
// Who we are, and the clients of each region, made when they are first needed. For one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "aws/chain.hpp"

namespace berth::aws {

struct AccountSetup {
    Environment environment = own_environment();
    std::string profile;                  // empty: the usual chain
    std::string region;                   // empty: the chain's
    Duration call_deadline{20'000};       // of one try
    std::function<void(Duration)> pause;  // between the tries of a call; empty: the thread sleeps
};

/// The clock outlives it.
class Account {
public:
    Account(const Clock& clock, AccountSetup setup);

    const Clock& clock() const { return clock_; }
    const Environment& environment() const { return setup_.environment; }

    /// `wanted`, the setup's, or the chain's.
    Called<std::string> region_of(const std::string& wanted);
    Called<Client*> client(const Service& service, const std::string& region);
    /// Every action that was called, as IAM names it: "ec2:RunInstances".
    std::vector<std::string> actions() const;

private:
    const Clock& clock_;
    AccountSetup setup_;
    Chain chain_;
    std::map<std::string, std::unique_ptr<Client>> clients_;    // "ec2 us-east-1"
};

}  // namespace berth::aws
