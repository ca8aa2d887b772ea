// SPDX-License-Identifier: Apache-2.0
// What this machine last saw of a shared store, in a small file of its state folder: so that a store that was
// emptied, or put back to an older state, is told from one that begins (F16). A hint of this machine alone; hosts
// know by themselves what they were shown.
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "events/view.hpp"

namespace berth::allocator {

struct Seen {
    std::string store;                    // its name
    std::string ledger;
    Position position;
    BERTH_FIELDS(Seen, store, ledger, position)
};

std::optional<Seen> read_seen(const std::string& file);
Result<void> write_seen(const std::string& file, const Seen& seen);
/// corrupt: the store holds less than was seen in it; says what to do.
Result<void> check_seen(const Seen& before, const Seen& now, const std::string& file);

}  // namespace berth::allocator
