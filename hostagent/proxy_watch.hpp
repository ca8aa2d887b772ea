// SPDX-License-Identifier: Apache-2.0
// Keeps one berth-proxy alive for this host. The proxy is a session of its own: it serves on when
// the agent dies, and the next agent finds it by proxy.pid. One that dies is started again, later
// and later while it keeps dying.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "hostagent/policy.hpp"
#include "os/process.hpp"

namespace berth::hostagent {

struct ProxySetup {
    std::string program;                  // "none": there is no proxy
    std::string config;                   // may be empty
    std::string state;
    std::string host;
    std::string listen_address;
    std::uint32_t port = 0;               // 0: any; the proxy keeps that of its earlier life
    std::string log_level;
    std::string gateway_url_file = {};    // its first line leads back in who comes late, where no setting says more; may be empty
};

/// The proxy that serves this folder now.
std::optional<os::ProcessMark> find_proxy(const std::string& state);

/// Every proxy of this folder, also one that was only just started and wrote no pid yet.
std::vector<os::ProcessMark> find_all_proxies(const std::string& state);

class ProxyWatch {
public:
    ProxyWatch(ProxySetup setup, const ShellPolicy& policy) : setup_(std::move(setup)), policy_(policy) {}

    /// Looks after it; returns when to look again.
    Duration look(Instant now);
    /// 0 until it serves.
    std::uint32_t port() const { return port_; }

private:
    void start(Instant now);

    ProxySetup setup_;
    const ShellPolicy& policy_;
    std::uint32_t port_ = 0;
    bool good_ = false;                   // it was serving at the last look
    bool served_ = false;                 // the last that this agent started
    os::ProcessMark child_;                   // the last that this agent started
    Instant start_at_;
    Duration pause_{0};
    std::deque<Instant> starts_;          // of the last ten minutes
};

}  // namespace berth::hostagent
