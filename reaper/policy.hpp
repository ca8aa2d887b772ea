// SPDX-License-Identifier: Apache-2.0
// Every number that the reaper's decisions depend on: [reaper] in the configuration. How long a
// workspace may be quiet, and how long it may live, are the pool's (events/pool.hpp).
#pragma once

#include <cstdint>
#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::reaper {

/// A listing whose time is further ahead is by a wrong clock, and is not read.
inline constexpr Duration clock_skew_max{10'000};

struct Policy {
    std::string version = "1";
    Duration tick{500};
    Duration heartbeat{15'000};            // what hosts were told; default: [allocator] heartbeat
    Duration activity{15'000};             // how often a host reads its signals
    double periods_max = 2.2;              // more of them in silence: a host is unknown, a reading stale
    Duration beacon_silence{5'000};        // no ledger.head for so long: it is we who are cut off
    Duration objection{30'000};            // from an intent to its stop_at
    Duration intent_grace{15'000};         // after stop_at, until the intent is taken for lost; doubles …
    Duration intent_grace_max{300'000};    // … up to this
    Duration retry{1'000};                 // after a refused or unanswered request; doubles …
    Duration retry_max{60'000};            // … up to this
    Duration settle{5'000};                // from a good answer until its fact must have come
    Duration ask_timeout{10'000};
    std::uint32_t asks_open_max = 256;     // unanswered requests at once
    std::uint32_t wakes_per_tick_max = 20'000;
    Duration gone_between{60'000};         // between two complete readings without a host
    Duration orphan_grace{900'000};        // no younger instance is touched (I17)
    Duration orphan_between{60'000};
    double orphan_share_max = 0.05;        // of the fleet …
    Duration orphan_window{600'000};       // … in so long; more opens the breaker
    std::uint32_t signals_max = 32;        // of one workspace in one reading

    BERTH_FIELDS(Policy, version, tick, heartbeat, activity, periods_max, beacon_silence, objection, intent_grace,
                 intent_grace_max, retry, retry_max, settle, ask_timeout, asks_open_max, wakes_per_tick_max,
                 gone_between, orphan_grace, orphan_between, orphan_share_max, orphan_window, signals_max)

    Duration silence_max(Duration period) const {
        return Duration{static_cast<Duration::rep>(static_cast<double>(period.count()) * periods_max)};
    }
};

}  // namespace berth::reaper
