// SPDX-License-Identifier: Apache-2.0
// Numbers of the shell, which no decision depends on: [ledger] in the configuration.
#pragma once

#include <cstdint>
#include <string>

#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth::allocator {

struct ShellPolicy {
    std::string store = "sqlite:ledger.sqlite";   // ledger/open.hpp
    Duration tick{100};                   // deadlines are met to within this
    Duration beacon{1'000};               // `ledger.head`
    Duration tidy_every{5'000};           // checkpoint, index, free space
    Duration beat{500};                   // in a store that several allocators reach: here is who serves
    Duration beat_silence{2'000};         // then a standby takes over
    std::uint64_t snapshot_facts = 10'000;  // facts since the last snapshot that call for a new one
    std::uint64_t ballast_mib = 64;       // freed when the disk is full
    BERTH_FIELDS(ShellPolicy, store, tick, beacon, tidy_every, beat, beat_silence, snapshot_facts, ballast_mib)
};

}  // namespace berth::allocator
