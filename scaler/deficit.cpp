// SPDX-License-Identifier: Apache-2.0
#include "scaler/deficit.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace berth::scaler {

namespace {

std::int64_t hosts_for(std::int64_t slots, std::uint32_t slots_per_host) {
    const std::int64_t each = std::max<std::uint32_t>(1, slots_per_host);
    return slots <= 0 ? 0 : (slots + each - 1) / each;
}

}  // namespace

Need need_of(const PoolDefined& pool, const Level& level) {
    const bool in_hosts = pool.buffer_unit == BufferUnit::hosts;
    const std::int64_t each = in_hosts ? 1 : std::max<std::uint32_t>(1, pool.slots_per_host);
    const std::int64_t waiting = level.waiting;
    // Claims are placed on hosts in use first, so only those beyond them take whole hosts.
    const auto demand = in_hosts ? hosts_for(waiting - level.slots_shared, pool.slots_per_host) : waiting;
    const std::int64_t target = pool.buffer + demand;
    const std::int64_t ready = in_hosts ? level.hosts_ready : level.slots_ready;
    const std::int64_t launching = level.launching * each;
    const std::int64_t promised = level.asked * each + (in_hosts ? level.hosts_wiping : level.slots_wiping);

    Need need{.missing = target - (ready + launching + promised)};
    const std::int64_t exist = level.hosts + level.launching + level.asked;
    const auto wanted = std::max({std::int64_t{0}, in_hosts ? need.missing : hosts_for(need.missing, pool.slots_per_host),
                                  pool.hosts_min - exist});
    const auto room = std::max<std::int64_t>(0, pool.hosts_max - exist);
    need.launch = static_cast<std::uint32_t>(std::min(wanted, room));
    need.refused = static_cast<std::uint32_t>(wanted) - need.launch;
    const auto unit = to_string(pool.buffer_unit);
    need.evidence = {fmt::format("target {} {}: buffer {}, waiting claims {}", target, unit, pool.buffer, level.waiting),
                     fmt::format("ready {}, launching {}, promised {}", ready, launching, promised),
                     fmt::format("hosts {} and {} on the way, least {}, most {}", level.hosts, level.launching + level.asked,
                                 pool.hosts_min, pool.hosts_max)};
    return need;
}

bool can_spare(const PoolDefined& pool, const Level& level, std::uint32_t slots) {
    if (level.waiting + level.launching + level.asked > 0) return false;
    if (level.hosts < level.leaving + pool.hosts_min + 1) return false;
    if (pool.buffer_unit == BufferUnit::hosts) return level.hosts_ready >= pool.buffer + 1;
    return level.slots_ready >= pool.buffer + slots;
}

}  // namespace berth::scaler
