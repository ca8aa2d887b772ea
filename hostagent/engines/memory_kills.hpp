// SPDX-License-Identifier: Apache-2.0
// Which processes the kernel ended because their container had used up its memory. The kernel says it in
// its log alone, with the process and its cgroup, whose path holds the container's id; a container that
// goes on without one of its processes shows nothing else.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"
#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth {

struct MemoryKill {
    std::string cgroup;                   // of the ended process
    std::string program;
    std::int64_t at_us = 0;               // since the machine's boot
    BERTH_FIELDS(MemoryKill, cgroup, program, at_us)
};

/// One record of /dev/kmsg; nothing when it tells of something else, or makes no sense.
std::optional<MemoryKill> read_kill(std::string_view record);

inline constexpr std::size_t kills_cgroups_max = 1'000;   // remembered; then the oldest goes

class MemoryKills {
public:
    struct Count {
        std::uint32_t count = 0;
        std::string program;              // the last
        Instant at;
        std::int64_t order = 0;
    };
    MemoryKills();
    /// Reads on to the end of the log. What was logged before this process began counts too. Nothing where
    /// the log may not be read: then there are no counts.
    void read();
    void add(const MemoryKill& kill, Instant booted_at);
    /// Of that container, by its full id.
    const Count* of(std::string_view container_id) const;

private:
    Descriptor log_;
    std::map<std::string, Count, std::less<>> by_cgroup_;
};

}  // namespace berth
