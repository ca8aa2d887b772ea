// SPDX-License-Identifier: Apache-2.0
// A ledger goes from one store to another, fact by fact, while no allocator serves it. What is there already is
// gone on from, so a move that broke off is begun again; at the end both are read as a whole and compared.
#pragma once

#include <cstdint>
#include <functional>

#include "allocator/ledger.hpp"

namespace berth::allocator {

struct Moved {
    Position head;
    std::uint64_t copied = 0;             // facts; the rest was there
    std::uint64_t state = 0;              // state_hash of both
};

/// conflict: the target holds something else, or the source was written meanwhile. corrupt: they differ at the end,
/// or one of them is damaged.
Result<Moved> move_ledger(Ledger& from, Ledger& to, const std::function<void(Position)>& progress = {});

/// Facts in order into a ledger that ends before the first of them; a LedgerRecovered among them makes it that ledger.
Result<void> append_all(Ledger& to, const std::vector<FactRecord>& facts);

}  // namespace berth::allocator
