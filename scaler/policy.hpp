// SPDX-License-Identifier: Apache-2.0
// Every number that the scaler's decisions depend on: [scaler] in the configuration. Buffer, least
// and most hosts are the pool's (events/pool.hpp).
#pragma once

#include <cstdint>
#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::scaler {

struct Policy {
    Duration tick{500};
    Duration list_every{10'000};               // a provider's listing, and provider.snapshot
    Duration cooldown{30'000};                 // between scale calls of a pool; a waiting claim skips it
    std::uint32_t launches_per_call_max = 10;
    std::uint32_t launches_per_hour_max = 100; // of all pools: the spend cap
    Duration shrink_after{600'000};            // a surplus is given back only after so long
    Duration beacon_silence{5'000};            // no ledger.head for so long: no new victim is named
    double listings_max = 3;                   // as many list_every without a listing: neither
    Duration wipe_promise{30'000};             // a slot that is being wiped counts as ready for so long
    Duration grant_promise{30'000};            // a granted launch counts for so long without its fact
    std::uint32_t host_failures_max = 3;       // as placement: a host that failed so often …
    Duration host_failures_pause{300'000};     // … is not ready for so long
    Duration registration_grace{60'000};       // past its deadline, for a host that runs but is silent
    std::uint32_t call_tries_max = 3;          // of one launch, while the provider throttles
    Duration backoff{5'000};                   // first pause after a failed launch; doubles …
    Duration backoff_slow{60'000};             // … from here for quota, permission and configuration …
    Duration backoff_max{900'000};             // … up to this
    Duration retry{1'000};                     // after a refused or unanswered request; doubles …
    Duration retry_max{60'000};                // … up to this
    Duration ask_timeout{15'000};
    Duration phase_max{300'000};               // a victim that is not sealed by then is spared
    Duration call_max{600'000};                // of a provider's call; then the process ends, to be started anew
    std::uint32_t calls_open_max = 64;         // provider calls waiting for the worker thread
    std::uint32_t victims_max = 16;            // hosts being given back at once, over all pools

    BERTH_FIELDS(Policy, tick, list_every, cooldown, launches_per_call_max, launches_per_hour_max,
                 shrink_after, beacon_silence, listings_max, wipe_promise, grant_promise, host_failures_max, host_failures_pause, registration_grace,
                 call_tries_max, backoff, backoff_slow, backoff_max, retry, retry_max, ask_timeout, phase_max, call_max,
                 calls_open_max, victims_max)

    Duration listing_age_max() const {
        return Duration{static_cast<Duration::rep>(static_cast<double>(list_every.count()) * listings_max)};
    }
};

}  // namespace berth::scaler
