// SPDX-License-Identifier: Apache-2.0
// What the local provider remembers, as files that are written whole or not at all:
//
//   <state>/hosts/<host id>/instance.json    a host of ours, from before anything of it is started
//   <state>/ended_hosts/<host id>.json       that it ended: its launch is never launched again
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "events/pool.hpp"

namespace berth::scaler {

struct LocalInstance {
    std::string host;                     // host id, provider's instance id and key name in one
    LaunchId launch;
    HostIncarnation incarnation;
    PoolName pool;
    std::uint32_t slots = 0;
    std::string address;                  // 127.x.y.z, nobody else's
    std::uint32_t proxy_port = 0;         // on 127.0.0.1, where <workspace>.localhost leads
    InstanceState state = InstanceState::running;
    bool protected_from_scale_in = true;
    Instant launched_at;
    std::optional<Instant> ended_at;
    friend bool operator==(const LocalInstance&, const LocalInstance&) = default;
};

/// `not_found` when there is none, `corrupt` when it cannot be read.
Result<LocalInstance> read_instance(const std::string& path);
Result<void> write_instance(const std::string& path, const LocalInstance& instance);

Instance to_instance(const LocalInstance& instance);

}  // namespace berth::scaler
