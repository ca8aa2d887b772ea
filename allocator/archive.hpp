// SPDX-License-Identifier: Apache-2.0
// A ledger as text: one JSON object per line, the first of which names the ledger. For backups,
// moves between stores, and people with `jq`. An import takes positions and reasons as they are. And how
// an old copy becomes a ledger that hosts can trust again (docs/restore.md).
#pragma once

#include <iosfwd>

#include "allocator/ledger.hpp"

namespace berth::allocator {

/// Writes facts from `from` on; returns the last position.
Result<Position> export_ledger(Ledger& ledger, Position from, std::ostream& to);
/// Into an empty ledger only. invalid: names the line, and nothing was written.
Result<Position> import_ledger(Ledger& ledger, std::istream& from);
/// Goes on as another ledger, at a position after all that the lost part can have had. Returns the fact
/// that says so. corrupt: the copy itself is damaged.
Result<FactRecord> recover_ledger(Ledger& ledger, Instant now);

}  // namespace berth::allocator
