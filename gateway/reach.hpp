// SPDX-License-Identifier: Apache-2.0
// Tries each enrolled host's proxy at the address that its links will name, from a thread of its own. What
// this machine can not reach, a browser elsewhere may; so it is said, and nothing is decided by it.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace berth::gateway {

struct ReachTarget {
    HostId host;
    std::string address;                  // of its proxy: "10.0.0.2:9480"
};

class ReachWatch {
public:
    /// `tell` is called on this thread: why a target was not reached, empty when it was.
    using Tell = std::function<void(HostId host, std::string why)>;
    ReachWatch(Duration timeout, Tell tell);
    ~ReachWatch();
    ReachWatch(const ReachWatch&) = delete;
    ReachWatch& operator=(const ReachWatch&) = delete;

    /// Tries these; whoever waits from an earlier call is dropped.
    void look_at(std::vector<ReachTarget> targets);

private:
    void run();
    void try_all(const std::vector<ReachTarget>& targets);

    const Duration timeout_;
    const Tell tell_;
    std::mutex guard_;
    std::condition_variable changed_;
    std::optional<std::vector<ReachTarget>> wanted_;   // under guard_
    bool ending_ = false;                              // under guard_
    std::thread thread_;
};

}  // namespace berth::gateway
