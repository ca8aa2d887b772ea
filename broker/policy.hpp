// SPDX-License-Identifier: Apache-2.0
// Every number that the broker goes by, and where it listens. [broker] in the configuration.
#pragma once

#include <cstdint>
#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::broker {

struct Policy {
    // A port of * is chosen once, written to <state>/bus.toml and kept for every later start.
    std::string events_in = "tcp://127.0.0.1:*";
    std::string events_out = "tcp://127.0.0.1:*";
    std::string requests = "tcp://127.0.0.1:*";
    std::string requests_allocator = "tcp://127.0.0.1:*";  // admits the allocator alone: larger messages
    std::string requests_hosts;                            // for hosts on other machines, "tcp://0.0.0.0:9094"; empty: none
    std::string advertise_host;                            // stands in bus.toml instead of what was bound

    Duration deadline_default{30'000};                     // of a request that names none
    Duration deadline_max{600'000};                        // a later one is brought forward to it
    Duration clock_skew_max{10'000};                       // so far behind ours a host's clock may be
    Duration beat_period{1'000};
    Duration worker_silence_max{3'000};                    // then a worker counts as dead
    std::uint32_t pending_max = 131'072;                   // requests without a reply yet
    std::uint32_t pending_per_peer_max = 65'536;

    BERTH_FIELDS(Policy, events_in, events_out, requests, requests_allocator, requests_hosts, advertise_host,
                 deadline_default, deadline_max, clock_skew_max, beat_period, worker_silence_max, pending_max, pending_per_peer_max)
};

inline constexpr std::size_t topic_bytes_max = 128;
inline constexpr std::size_t envelope_bytes_max = 1024 * 1024;
inline constexpr std::size_t trusted_envelope_bytes_max = 64 * 1024 * 1024;  // a reply of the allocator
inline constexpr std::size_t tag_bytes_max = 128;
inline constexpr std::size_t id_bytes_max = 512;
inline constexpr std::size_t depth_max = 16;
inline constexpr std::uint32_t items_max = 8'192;                            // of one array or map
inline constexpr std::size_t expired_per_tick_max = 4'096;
inline constexpr Duration host_silence_max{15'000};                          // of them there are many: they beat more rarely
inline constexpr Duration tick_period{50};
inline constexpr Duration bind_patience{3'000};
inline constexpr Duration bind_pause{50};
inline constexpr Duration peers_period{1'000};
inline constexpr Duration barred_for{600'000};                               // after a flood of subscriptions

}  // namespace berth::broker
