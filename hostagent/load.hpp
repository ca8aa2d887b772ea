// SPDX-License-Identifier: Apache-2.0
// How busy this machine is, for the heartbeat. What can not be read is 0.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.hpp"
#include "events/host.hpp"

namespace berth::hostagent {

class LoadReader {
public:
    explicit LoadReader(std::string disk) : disk_(std::move(disk)) {}

    /// Without the count of containers. The processor's share is that since the last reading at
    /// least half a second ago.
    HostLoad read(Instant now);

private:
    std::string disk_;                    // a folder on the disk that counts
    Instant cpu_at_;
    std::uint64_t busy_ = 0;
    std::uint64_t total_ = 0;
    double cpu_ = 0;
};

}  // namespace berth::hostagent
