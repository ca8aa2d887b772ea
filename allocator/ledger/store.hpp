// SPDX-License-Identifier: Apache-2.0
// What keeps a ledger's bytes: rows in order, a few named values, snapshots, an index. ledger/stored.hpp makes a
// ledger of any store, so checksums, the chain, recovery and import are written once. To add a store, copy the
// folder of one that is there (sqlite/ for one process, redis/ for a server) and name it in open.cpp.
//
// What an implementation may do wrong: it may fail, be slow, or have written although it said that it failed. It may
// never say `durable` of what a crash could lose, nor let two writers have the same position. Calls block; one
// thread at a time, not always the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocator/policy.hpp"
#include "base/result.hpp"
#include "events/view.hpp"

namespace berth::allocator {

/// The facts of one append, as they last.
struct Row {
    Position first;
    Position last;
    std::string records;                  // msgpack of the facts
    std::uint32_t crc = 0;                // CRC32C of them
    std::string chain;                    // SHA-256 of the chain before and the records
    std::string writer;                   // the life of an allocator that wrote it; empty where only one can
};
/// What the last row says, without its records.
struct Tail {
    Position last;
    std::string chain;
};
struct StoredSnapshot {
    Position position;
    std::string view;
    std::uint32_t crc = 0;
};
struct Subject {
    std::string subject;
    Position position;
};

/// How a store is shared, and what follows for who uses it.
BERTH_ENUM(StoreKind,
           exclusive,   // open in one process alone; its calls take as long as a disk's
           shared)      // any number have it open; its calls go over a network, so a thread of its own makes them

class Store {
public:
    virtual ~Store() = default;

    /// For people, and errors; names no secret: "/var/lib/berth/ledger.sqlite", "redis://db:6379/0 (prefix berth)".
    virtual const std::string& name() const = 0;
    virtual StoreKind kind() const = 0;
    /// The records of a row may be so long.
    virtual std::size_t row_bytes_max() const = 0;
    virtual std::uint32_t facts_indexed_at_once() const { return 200; }

    // ---- named values: format, id, cluster, indexed
    virtual Result<std::string> value(const std::string& key) = 0;             // empty: none
    virtual Result<void> set_value(const std::string& key, const std::string& value) = 0;
    /// Sets it when there is none; what stands then, which of two that ask at once is the same.
    virtual Result<std::string> first_value(const std::string& key, const std::string& value) = 0;

    // ---- rows
    virtual Result<std::optional<Tail>> tail() = 0;
    /// When it returns the row is durable. fenced: the last row does not end at `expected`, and nothing was written.
    /// `new_id`, when not empty, becomes the value of "id" with the row or not at all (at the latest by tail()). A try of which nobody knows
    /// whether it was written is settled by what stands at the position (row.writer), or it is an error.
    virtual Result<void> put(const Row& row, Position expected, const std::string& new_id) = 0;
    /// The last row still ends at `expected`: fenced when not.
    virtual Result<void> confirm(Position expected) = 0;
    /// At most `limit` rows in order, beginning with the one that holds `from` or the next after it; fewer when their
    /// bytes become many, none only at the end.
    virtual Result<std::vector<Row>> rows(Position from, std::uint32_t limit) = 0;

    // ---- snapshots: the last two are kept
    virtual Result<void> put_snapshot(const StoredSnapshot& snapshot) = 0;
    virtual Result<std::vector<StoredSnapshot>> snapshots() = 0;               // the latest first

    // ---- which facts are about what
    /// With them "indexed" becomes `upto`. Again and again the same is no harm.
    virtual Result<void> index(const std::vector<Subject>& subjects, Position upto) = 0;
    virtual Result<std::vector<Position>> about(const std::string& subject, Position from, std::uint32_t limit) = 0;

    /// Checkpoints, free space, whether the server still keeps what it says that it keeps.
    virtual Result<Storage> tidy() = 0;
};

}  // namespace berth::allocator
