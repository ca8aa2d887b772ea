// SPDX-License-Identifier: Apache-2.0
// "What would these numbers do?": a day of a fleet without faults, played by the real cores under
// real periods. People come by an hourly pattern, work for a while, and forget to stop. What comes
// out is how long they waited and what the hosts cost.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "events/pool.hpp"
#include "tests/sim/cluster.hpp"

namespace berth::sim {

struct FleetPlan {
    std::uint64_t seed = 1;
    std::uint32_t hosts = 10;             // at the beginning
    std::uint32_t people = 100;
    Duration from{0};                     // since midnight
    Duration span{24 * 3'600'000LL};
    Duration period{15'000};              // of heartbeats, of readings of activity, of looks at the engine
    Duration stay{45 * 60'000};           // mean time at work, of one visit
    double visits = 2;                    // of one person in a day
    PoolDefined pool;
};

struct FleetReport {
    std::uint64_t visits = 0, granted = 0, refused = 0;
    std::vector<Duration> waits;          // sorted
    double host_hours = 0;
    double lease_hours = 0;
    double used_hours = 0;                // somebody worked
    std::map<std::string, std::uint64_t> stopped;          // by why
    std::uint64_t launches = 0, ended = 0;
    std::uint64_t most_hosts = 0;
    double seconds = 0;                   // of a processor

    Duration wait_at(double share) const;
};

FleetReport play(const FleetPlan& plan);
std::string text_of(const FleetReport& report, const FleetPlan& plan);

}  // namespace berth::sim
