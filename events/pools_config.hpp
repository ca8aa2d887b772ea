// SPDX-License-Identifier: Apache-2.0
// The pools of a configuration, read the same way by all who need them before the ledger can be
// asked (the allocator, which makes them facts, and `berth doctor`). Everyone else takes them from
// the view. Keys are those of the fact pool.defined; durations are text:
//
//   [pool.default]
//   provider = "local"         # where its hosts come from
//   slots_per_host = 4
//   buffer = 2                 # ready slots to keep; with buffer_unit = "hosts": idle hosts
//   buffer_unit = "slots"
//   hosts_min = 0
//   hosts_max = 4
//   standbys = 2               # prepared environments per host
//   idle_jobs = "any"          # does what a terminal still runs count as use: any, busy (when it uses something), none
//   idle_job_max_ms = "8h"     # … so long at most
//   home_place = "archive"     # where homes are between two leases: shared, host, archive (docs/homes.md)
//   home_repository = "sftp:backup@nas:/srv/homes"   # and home_password_file, home_environment_file, home_save_every_ms
//   idle_after_ms = "15m"      # and ttl_ms, ttl_max_ms, hold_max_ms, lifetime_max_ms
#pragma once

#include <vector>

#include "base/config.hpp"
#include "events/pool.hpp"

namespace berth {

/// In the order of their names; `default`, with the defaults of PoolDefined, when none is configured.
Result<std::vector<PoolDefined>> read_pools(const Config& config);

}  // namespace berth
