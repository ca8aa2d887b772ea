// SPDX-License-Identifier: Apache-2.0
// Homes: where they are between two leases of a workspace, and what was saved of them.
//
//   shared   a folder that all hosts of the pool mount
//   host     it stays on its host, and the workspace with it
//   archive  saved to a repository when the workspace stops, brought back at the next bind on any host
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth {

BERTH_ENUM(HomePlace, shared, host, archive)

/// How hosts keep the homes of a pool. No secret stands in it: the files lie on each host.
struct HomeRule {
    HomePlace place = HomePlace::shared;
    std::string repository;               // of archives, as restic names it
    std::string password_file;            // on the host; empty: the credential home-password of its unit
    std::string environment_file;         // on the host: NAME=value lines for restic, as the keys of S3; empty: none
    Duration save_every_ms{0};            // while in use; 0: at the stop alone
    BERTH_FIELDS(HomeRule, place, repository, password_file, environment_file, save_every_ms)
};

/// A snapshot that the repository has, whole.
struct HomeArchive {
    Epoch epoch;                          // of the lease under which it was made
    HostId host;                          // that made it
    std::string snapshot;                 // the repository's id of it
    Instant at;                           // its begin: what was written later is not in it
    std::uint64_t bytes = 0;              // of the home
    bool last = false;                    // nothing could write any more when it was made
    BERTH_FIELDS(HomeArchive, epoch, host, snapshot, at, bytes, last)
};

/// With a lease: what its host does about the home.
struct HomeOrder {
    HomeRule rule;
    std::optional<HomeArchive> archive;   // brought back before the start; none: it begins empty
    std::optional<Instant> save_after;    // somebody wants an archive that is not older
    std::optional<bool> discard;          // the workspace is being destroyed: nothing is saved any more
    BERTH_FIELDS(HomeOrder, rule, archive, save_after, discard)
};

BERTH_ENUM(HomeStep, restoring, saving)

/// What is under way about the home of a slot.
struct HomeProgress {
    HomeStep step = HomeStep::saving;
    Instant since;
    std::uint64_t bytes = 0;              // done
    std::uint64_t bytes_total = 0;        // 0: not known yet
    std::uint64_t bytes_per_s = 0;
    std::uint32_t failures = 0;           // of this step, in a row
    std::string text;                     // why the last try failed; empty: none did
    BERTH_FIELDS(HomeProgress, step, since, bytes, bytes_total, bytes_per_s, failures, text)
};

}  // namespace berth
