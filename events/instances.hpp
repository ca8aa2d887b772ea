// SPDX-License-Identifier: Apache-2.0
// Which instance of a provider a host of the ledger is. Scaler and reaper must mean the same: the one
// ends what the other names.
#pragma once

#include "events/pool.hpp"
#include "events/view.hpp"

namespace berth {

/// The provider's id of the machine that this host runs on.
inline const std::string& instance_of(const HostView& host) { return host.instance.empty() ? host.host.value : host.instance; }

/// A provider that can not tell one life of an instance from the next says none.
inline bool is_life_of(const Instance& instance, const HostIncarnation& incarnation) {
    return instance.incarnation.empty() || instance.incarnation == incarnation;
}

}  // namespace berth
