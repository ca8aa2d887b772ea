// SPDX-License-Identifier: Apache-2.0
// Numbers of the shell, which no decision depends on: [ledger] in the configuration.
#pragma once

#include <cstdint>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::allocator {

struct ShellPolicy {
    Duration tick{100};                   // deadlines are met to within this
    Duration beacon{1'000};               // `ledger.head`
    Duration tidy_every{5'000};           // checkpoint, index, free space
    std::uint64_t snapshot_facts = 10'000;  // facts since the last snapshot that call for a new one
    std::uint64_t ballast_mib = 64;       // freed when the disk is full
    BERTH_FIELDS(ShellPolicy, tick, beacon, tidy_every, snapshot_facts, ballast_mib)
};

}  // namespace berth::allocator
