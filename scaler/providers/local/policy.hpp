// SPDX-License-Identifier: Apache-2.0
// Numbers of the provider that makes hosts of processes: [provider.local] in the configuration.
#pragma once

#include <cstdint>
#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::scaler {

struct LocalPolicy {
    std::string agent_program;                 // empty: berth-hostagent beside this program
    std::uint32_t proxy_port_first = 12'000;   // one per host, on 127.0.0.1; below the kernel's own range
    std::uint32_t proxy_port_count = 8'000;
    std::uint32_t hosts_max = 200;             // over all pools
    Duration agent_stop{5'000};                // from SIGTERM to SIGKILL
    Duration killed_within{3'000};             // after SIGKILL
    Duration environments_stop{60'000};        // of `--end-environments`
    Duration revive_pause{1'000};              // before an agent that died is started again; doubles …
    Duration revive_pause_max{60'000};         // … up to this, until one lived so long
    Duration ended_memory{86'400'000};         // how long an ended host is listed as terminated
    std::uint32_t ended_max = 1'000;
    std::uint32_t log_bytes_max = 8'388'608;   // of an agent's log, at its start; then it becomes .log.1

    BERTH_FIELDS(LocalPolicy, agent_program, proxy_port_first, proxy_port_count, hosts_max, agent_stop, killed_within,
                 environments_stop, revive_pause, revive_pause_max, ended_memory, ended_max, log_bytes_max)
};

}  // namespace berth::scaler
