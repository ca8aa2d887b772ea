// SPDX-License-Identifier: Apache-2.0
// Every bound of `berth up`, by name.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace berth::cli {

struct UpPolicy {
    Duration ready_within{20'000};         // a process from its start to its .ready file
    Duration engine_answers_within{3'000}; // a container engine to GET /_ping
    Duration trial_within{90'000};         // `berth doctor`: an environment is started and removed
    Duration engine_ready_within{60'000};  // a private dockerd from its start to its first answer
    Duration image_within{10 * 60'000};    // an image import
    Duration stop_within{10'000};          // everything, from Ctrl-C on; then SIGKILL
    Duration engine_stops_within{15'000};  // a private dockerd, after everything else
    Duration hurry_within{2'000};          // the same after a second Ctrl-C
    Duration killed_within{2'000};         // from SIGKILL to the end of a process

    Duration restart_first{100};           // back-off after a death: doubles …
    Duration restart_longest{5'000};       // … up to this
    Duration restart_forgotten{60'000};    // a process that lived this long starts again at `first`

    Duration tick{20};                     // how often .ready files and pids are looked at
    Duration log_check{5'000};
    std::uint64_t log_bytes_max = 10ULL * 1024 * 1024;  // then <name>.log becomes <name>.log.1
    std::size_t config_bytes_max = 1 << 20;
    std::size_t log_lines_shown = 5;       // of a process that did not start
    std::size_t socket_path_max = 64;      // of <state>, so that dockerd's own sockets below it fit in 107
    std::uint64_t disk_free_least = 4ULL << 20;   // bytes; below it `up` does not start …
    std::uint64_t disk_free_low = 256ULL << 20;   // … and below this it warns
};

}  // namespace berth::cli
