// SPDX-License-Identifier: Apache-2.0
// Pools as the configuration names them, and those that it names no more. A retired pool keeps its facts:
// nothing new lands there, its hosts are ended like any other (endings.cpp), and naming it again undoes
// what is not sealed yet.
#include <fmt/format.h>

#include <algorithm>

#include "allocator/turn.hpp"

namespace berth::allocator {

void configure(Turn& turn, const PoolDefined& pool) {
    const auto at = turn.state.view.pools.find(pool.pool);
    if (at != turn.state.view.pools.end() && at->second == pool && !turn.state.view.is_retired(pool.pool)) return;
    turn.record(pool, "the configuration names it so");
}

void keep_pool_of(Turn& turn, const HostId& id) {
    const auto& host = turn.state.view.hosts.at(id);
    if (host.liveness == Liveness::gone) return;
    const HostRef ref{host.host, host.incarnation};
    if (turn.state.view.is_retired(host.pool)) {
        if (host.ending) return;
        turn.record(HostEnding{.host = ref, .cause = EndCause::pool_retired},
                    fmt::format("pool '{}' is configured no more", host.pool.value));
        return drive_ending(turn, id);
    }
    const bool undone = host.ending && host.ending->cause == EndCause::pool_retired && !host.ending->sealing &&
                        host.admission != Admission::draining;
    if (!undone) return;
    const auto why = fmt::format("pool '{}' is configured again", host.pool.value);
    if (host.ending->closed && host.admission == Admission::cordoned) turn.record(HostUncordoned{ref}, why);
    turn.record(HostEndWithdrawn{ref}, why);
}

void configure(Turn& turn, const PoolsConfigured& all) {
    std::vector<PoolName> left_out;
    for (const auto& [name, pool] : turn.state.view.pools) {
        const bool named = std::find(all.pools.begin(), all.pools.end(), name) != all.pools.end();
        if (!named && !turn.state.view.is_retired(name)) left_out.push_back(name);
    }
    for (const auto& name : left_out) turn.record(PoolRetired{name}, "the configuration names it no more");
    for (const auto& [id, host] : turn.state.view.hosts) keep_pool_of(turn, id);
}

}  // namespace berth::allocator
