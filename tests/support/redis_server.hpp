// SPDX-License-Identifier: Apache-2.0
// A real redis-server of a test: in a temporary folder, on a unix socket and a loopback port, keeping what it
// acknowledges unless the test says otherwise. Ended by its own pid.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/child.hpp"
#include "tests/support/folder.hpp"

namespace berth::testing {

class RedisServer {
public:
    /// `more` are further lines of its configuration: {"--requirepass", "x"}.
    explicit RedisServer(std::vector<std::string> more = {});

    const std::string& socket() const { return socket_; }
    std::uint16_t port() const { return port_; }
    std::string folder() const { return folder_.path(); }
    Child& process() { return *child_; }
    /// With the same data; waits until it answers, which it may do with "loading".
    void start();
    void kill() { child_->kill(); }
    /// What redis-cli would say; throws when there is no answer. Lists are joined by spaces.
    std::string say(const std::vector<std::string>& words) const;

private:
    Folder folder_;
    std::string socket_;
    std::uint16_t port_;
    std::vector<std::string> more_;
    std::unique_ptr<Child> child_;
};

}  // namespace berth::testing
