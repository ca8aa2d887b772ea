// SPDX-License-Identifier: Apache-2.0
// Where instances with a time to live are made, found, extended and ended. It keeps nothing: whatever happens to it, the
// tags on EC2 say what it knew. For one thread; calls block.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "aws/account.hpp"
#include "aws/surroundings.hpp"
#include "instances/rental.hpp"

namespace berth::instances {

struct Order {
    std::string instance_type;            // each empty one: the policy's
    std::string availability_zone;
    std::string image;
    std::string ssh_user;
    std::string security_group;           // an id or a name; empty: berth makes one
    std::string name;
    std::optional<Duration> duration;
    std::optional<aws::PublicKey> key;
    bool spot = false;
    bool encrypt = false;
    std::string created_by;
    std::string token;                    // the same again is the same instance
};

class Desk {
public:
    /// What is being done, for who waits; may be asked to `give_up` in between.
    struct Watcher {
        std::function<void(const std::string& phase)> tell = [](const std::string&) {};
        std::function<bool()> give_up = [] { return false; };
        std::function<void(Duration)> pause;   // empty: the thread sleeps
    };

    Desk(const Clock& clock, aws::Environment environment, Policy policy, Watcher watcher);

    /// Launched, with its tags; it boots then.
    Result<Rental> create(const Order& order);
    /// Until it runs and has an address. `timeout`: it goes on without us.
    Result<Rental> wait_until_up(Rental rental);
    /// Ours of these regions (none: those that the policy, the environment and `hints` name), those that are over as long as EC2 lists them.
    Result<std::vector<Rental>> list(std::vector<std::string> regions = {});
    Result<Rental> find(const std::string& id);
    Result<Rental> extend(const Rental& rental, Duration by);
    Result<void> start(const Rental& rental);
    Result<void> stop(const Rental& rental);
    Result<void> terminate(const Rental& rental);
    Result<void> mark(const Deed& deed);
    /// Removes what berth made and nothing uses any more; what it was.
    Result<std::vector<std::string>> tidy(const std::string& region);
    /// Regions where something was made before, to look at too.
    void hint(std::vector<std::string> regions) { hints_ = std::move(regions); }

    const Policy& policy() const { return policy_; }
    /// Every IAM action that was used.
    std::vector<std::string> actions() const { return account_.actions(); }

private:
    Result<aws::Client*> ec2(const std::string& region);
    std::vector<std::string> regions();
    Result<aws::Machines> machines_of(const std::string& region);
    Result<void> check_room(std::uint32_t price);
    Result<aws::Machine> launch(aws::Client& cloud, const Order& order, aws::Recipe recipe);

    const Clock& clock_;
    Policy policy_;
    Watcher watcher_;
    aws::Account account_;
    std::vector<std::string> hints_;
};

}  // namespace berth::instances
