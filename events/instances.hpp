// SPDX-License-Identifier: Apache-2.0
// Which instance of a provider a host of the ledger is. Scaler and reaper must mean the same: the one
// ends what the other names.
#pragma once

#include <string>

#include "events/pool.hpp"
#include "events/view.hpp"

namespace berth {

/// The provider's id of the machine that this host runs on.
inline const std::string& instance_of(const HostView& host) { return host.instance.empty() ? host.host.value : host.instance; }

/// The provider that this host's machine is of, by what its registration said; of older ledgers and of
/// hosts that nobody launched, that of its pool. Whether it truly has the machine, its listing says.
inline std::string provider_of(const View& view, const HostView& host) {
    if (host.provider && !host.is_static()) return *host.provider;
    const auto pool = view.pools.find(host.pool);
    return pool == view.pools.end() ? std::string{} : pool->second.provider;
}

/// A provider that can not tell one life of an instance from the next says none.
inline bool is_life_of(const Instance& instance, const HostIncarnation& incarnation) {
    return instance.incarnation.empty() || instance.incarnation == incarnation;
}

}  // namespace berth
