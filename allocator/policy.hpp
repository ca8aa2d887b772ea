// SPDX-License-Identifier: Apache-2.0
// Every number that the allocator's decisions depend on: [allocator] in the configuration. Pools
// have their own ([pool.<name>], events/pool.hpp). Printed at start; `version` stands in every fact.
#pragma once

#include <cstdint>
#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::allocator {

BERTH_ENUM(Storage, ample, low)           // of the ledger's disk; low: refuse new claims, go on releasing

struct Policy {
    std::string version = "1";
    Duration claim_wait{120'000};          // a claim's deadline when it names none (I7)
    Duration claim_wait_max{900'000};
    std::uint32_t claims_open_max = 10'000;
    std::uint32_t callers_per_claim_max = 64;
    Duration start_deadline{90'000};       // from lease to a healthy environment
    Duration bind_timeout{60'000};         // of one host.bind request
    Duration command_timeout{10'000};      // of the other host commands
    Duration command_retry{2'000};         // pause after a command that failed
    std::uint32_t tries_max = 3;           // starts that may fail for one claim
    std::uint32_t host_failures_max = 3;   // then placement passes the host over …
    Duration host_failures_pause{300'000}; // … for so long
    Duration heartbeat{15'000};            // told to the hosts; 2.2 of them make a host unknown
    Duration launch_deadline{300'000};
    std::uint32_t launches_in_flight_max = 50;
    std::uint32_t slots_per_host_max = 1'000;
    Duration progress_every{2'000};        // how often a waiting claim is told its place
    std::uint32_t progress_claims_max = 100;
    Duration recovery_settle{30'000};      // after `recover`: time for hosts that the old copy never knew
    Duration restore_deadline{3'600'000};  // from lease to a healthy environment, as long as its home is on its way
    Duration notice_grace{120'000};        // from the word that a machine will end, when nobody says when, to the stop of its workspaces
    Duration notice_margin{60'000};        // and before that end, when somebody does: time to stop and to save

    BERTH_FIELDS(Policy, version, claim_wait, claim_wait_max, claims_open_max, callers_per_claim_max, start_deadline,
                 bind_timeout, command_timeout, command_retry, tries_max, host_failures_max, host_failures_pause,
                 heartbeat, launch_deadline, launches_in_flight_max, slots_per_host_max, progress_every,
                 progress_claims_max, recovery_settle, restore_deadline, notice_grace, notice_margin)
};

}  // namespace berth::allocator
