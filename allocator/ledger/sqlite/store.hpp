// SPDX-License-Identifier: Apache-2.0
// The embedded store: one SQLite file, whose exclusive lock is the fence.
//
//   batches   first → last, records, crc, chain
//   subjects  (subject, position); complete up to meta.indexed
//   snapshots position → view, crc
#pragma once

#include <memory>
#include <string>

#include "allocator/ledger/sqlite/ballast.hpp"
#include "allocator/ledger/sqlite/database.hpp"
#include "allocator/ledger/store.hpp"

namespace berth::allocator {

struct SqlitePlan {
    std::string path;
    std::uint64_t ballast_bytes = 64ULL << 20;
};

class SqliteStore final : public Store {
public:
    static Result<std::unique_ptr<Store>> open(const SqlitePlan& plan);
    ~SqliteStore() override;

    const std::string& name() const override { return database_->path(); }
    StoreKind kind() const override { return StoreKind::exclusive; }
    std::size_t row_bytes_max() const override { return 512ULL << 20; }       // SQLite takes 1 GB

    Result<std::string> value(const std::string& key) override;
    Result<void> set_value(const std::string& key, const std::string& value) override;
    Result<std::string> first_value(const std::string& key, const std::string& value) override;

    Result<std::optional<Tail>> tail() override;
    Result<void> put(const Row& row, Position expected, const std::string& new_id) override;
    Result<void> confirm(Position) override { return {}; }                     // the lock says so
    Result<std::vector<Row>> rows(Position from, std::uint32_t limit) override;

    Result<void> put_snapshot(const StoredSnapshot& snapshot) override;
    Result<std::vector<StoredSnapshot>> snapshots() override;
    Result<void> index(const std::vector<Subject>& subjects, Position upto) override;
    Result<std::vector<Position>> about(const std::string& subject, Position from, std::uint32_t limit) override;
    Result<Storage> tidy() override;

private:
    struct Statements;
    SqliteStore(std::unique_ptr<Database> database, const SqlitePlan& plan);
    Result<void> insert(const Row& row, const std::string& new_id);

    std::unique_ptr<Database> database_;
    std::unique_ptr<Statements> sql_;
    Ballast ballast_;
};

}  // namespace berth::allocator
