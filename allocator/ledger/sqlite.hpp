// SPDX-License-Identifier: Apache-2.0
// The embedded ledger: one SQLite file. One row per group commit, so that a round of many claims is
// one row and one fsync; each row carries a CRC32C and the hash of the row before it (I20). What
// `berth why` looks up by is indexed in idle gaps, never while a claim waits.
//
//   batches   first → last, records (msgpack of the facts), crc, chain = SHA-256(chain before ‖ records)
//   subjects  (subject, position); complete up to meta.indexed
//   snapshots position → view (msgpack), crc; the last two are kept
#pragma once

#include <memory>
#include <string>

#include "allocator/ledger.hpp"
#include "allocator/ledger/ballast.hpp"
#include "allocator/ledger/database.hpp"

namespace berth::allocator {

struct SqlitePlan {
    std::string path;
    std::uint64_t ballast_bytes = 64ULL << 20;
};

class SqliteLedger final : public Ledger {
public:
    static Result<std::unique_ptr<SqliteLedger>> open(const SqlitePlan& plan);
    ~SqliteLedger() override;

    const std::string& id() const override { return id_; }
    Position head() const override { return head_; }
    /// Done before it returns: with one disk nothing is gained by a thread of its own.
    void append(const std::vector<FactRecord>& facts, Position expected, std::function<void(Result<void>)> done) override { done(append(facts, expected)); }
    Result<void> append(const std::vector<FactRecord>& facts, Position expected);
    Result<std::vector<FactRecord>> read(Position from, std::uint32_t limit) override;
    Result<std::vector<FactRecord>> read_about(const std::string& subject, Position from, std::uint32_t limit) override;
    Result<void> save_snapshot(const View& view) override;
    Result<std::optional<View>> load_snapshot() override;
    Result<Storage> tidy() override;

    /// Every row's CRC and the whole chain; returns the head. For `verify`, and after an import.
    Result<Position> verify();
    /// An empty ledger takes the id of the one that it is a copy of.
    Result<void> adopt_id(const std::string& id);
    /// `fact` holds a LedgerRecovered, at any later position: from here on this is that ledger.
    Result<void> go_on_as(const FactRecord& fact);

private:
    struct Statements;
    SqliteLedger(std::unique_ptr<Database> database, const SqlitePlan& plan);
    Result<void> prepare();
    Result<void> insert(const std::vector<FactRecord>& facts, const std::string& records, const std::string& chain,
                        const std::string& new_id = {});
    Result<bool> index_some();
    Result<std::vector<FactRecord>> row_facts(Statement& row) const;
    Result<void> set_meta(std::string_view key, std::string_view value);

    std::unique_ptr<Database> database_;
    std::unique_ptr<Statements> sql_;
    Ballast ballast_;
    std::string id_;
    Position head_;
    Position indexed_;
    std::string chain_;
};

}  // namespace berth::allocator
