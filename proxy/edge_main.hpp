// SPDX-License-Identifier: Apache-2.0
// berth-proxy --edge: what the front door is made of.
#pragma once

#include <string>

#include "base/result.hpp"

namespace berth::proxy {

struct EdgeOptions {
    std::string config;
    std::string bus;                      // bus.toml of the broker
    std::string keys;                     // with <name>.key and broker.pub; the role is tap
    std::string name = "edge";
};

/// Serves until SIGTERM.
Result<void> run_edge(const EdgeOptions& options);

}  // namespace berth::proxy
