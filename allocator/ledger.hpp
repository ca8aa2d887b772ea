// SPDX-License-Identifier: Apache-2.0
// Where facts last. The expected position is the fence (I4): whoever appends to a ledger that has
// moved on has lost, learns it by that one error, and must end. Implementations: ledger/stored.hpp on any
// store (ledger/store.hpp); in tests a simulated one (tests/sim/sim_ledger.hpp). All calls but append()
// block; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "allocator/policy.hpp"
#include "base/result.hpp"
#include "events/view.hpp"

namespace berth::allocator {

class Ledger {
public:
    virtual ~Ledger() = default;

    virtual const std::string& id() const = 0;
    virtual Position head() const = 0;
    /// Nobody else can write as long as it is open. Else an answer that appends nothing has to be confirmed, or it
    /// may be one of the past (I4).
    virtual bool exclusive() const = 0;

    /// `done` is called once, on the loop's thread, now or later: the facts are durable, or not. One at a time:
    /// nothing else is appended until then. `facts` begin at expected + 1 and have no gaps; none: it is confirmed
    /// that the head is still `expected`. fenced: the head is another. Any other error: what is on disk is not
    /// known; end, and read it again.
    virtual void append(const std::vector<FactRecord>& facts, Position expected, std::function<void(Result<void>)> done) = 0;

    /// At most `limit` facts from `from` on, in order. corrupt: names the first bad position.
    virtual Result<std::vector<FactRecord>> read(Position from, std::uint32_t limit) = 0;
    /// The same of those that are about `subject` (subjects_of).
    virtual Result<std::vector<FactRecord>> read_about(const std::string& subject, Position from,
                                                       std::uint32_t limit) = 0;

    virtual Result<void> save_snapshot(const View& view) = 0;
    virtual Result<std::optional<View>> load_snapshot() = 0;

    /// What is best done while nobody waits; bounded. Tells how much room is left.
    virtual Result<Storage> tidy() = 0;

    // ---- offline

    /// Every record's checksum and the whole chain; returns the head. corrupt: names the position.
    virtual Result<Position> verify() = 0;
    /// An empty ledger takes the id of the one that it is a copy of.
    virtual Result<void> adopt_id(const std::string& id) = 0;
    /// `fact` holds a LedgerRecovered, at any later position: from here on this is that ledger.
    virtual Result<void> go_on_as(const FactRecord& fact) = 0;
};

/// For who has no loop: of a ledger that was opened without one.
Result<void> append_now(Ledger& ledger, const std::vector<FactRecord>& facts, Position expected);

/// The latest snapshot and every fact since: what this ledger says is so (I19).
/// `known`: what it said up to there, in place of a snapshot.
Result<View> replay(Ledger& ledger, const std::function<void(Position)>& progress = {}, std::optional<View> known = {});

}  // namespace berth::allocator
