// SPDX-License-Identifier: Apache-2.0
// A machine comes to a control plane that is elsewhere: makes its key, enrols it with a token, and writes
// down what its agent needs, so that every later start needs the folder alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "hostagent/begin.hpp"

namespace berth::hostagent {

struct JoinFlags {
    std::string url;
    std::string token;
    std::string token_file;
    std::string ca_file;
    std::string name;                     // empty: the machine's own
    std::string pool;                     // empty: the token's
    std::string state;                    // empty: /var/lib/berth-host, or below $HOME
    std::string homes;
    std::string engine;
    std::string public_ip;                // empty: the address toward the gateway
    std::string private_ip;
    std::uint32_t proxy_port = 9480;
    Duration wait{60'000};                // for a gateway that is not there
    std::uint32_t slots = 0;              // 0: as the pool says
    std::vector<std::string> sets;        // "section.key=value", over what the pool says
    std::string log_level = "info";
    bool run = true;
};

struct Joined {
    Flags flags;                          // with which the agent runs here from now on
    std::string url;
    std::string token;                    // opens the enrolment's state, for this machine alone
    std::string ca_file;
};

/// Asking again with the same folder is the same host.
Result<Joined> join(const JoinFlags& flags);

/// Flags as <state>/host.toml has them from an enrolment; those that were given win. Without such a file they stay.
Result<Flags> with_host_file(Flags flags);

/// Says once what became of it, by the gateway's word: registered, and whether its proxy is reached.
class JoinWatch {
public:
    explicit JoinWatch(Joined joined);
    ~JoinWatch();
    JoinWatch(const JoinWatch&) = delete;
    JoinWatch& operator=(const JoinWatch&) = delete;

private:
    void look();

    const Joined joined_;
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

}  // namespace berth::hostagent
