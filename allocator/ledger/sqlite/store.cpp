// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger/sqlite/store.hpp"

#include <sqlite3.h>

namespace berth::allocator {

namespace {

constexpr std::size_t read_bytes_max = 64ULL << 20;   // of one call of rows()

constexpr const char* schema = R"(
    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS batches (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, records BLOB NOT NULL,
                                        crc INTEGER NOT NULL, chain BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS subjects (subject TEXT NOT NULL, position INTEGER NOT NULL,
                                         PRIMARY KEY (subject, position)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS snapshots (position INTEGER PRIMARY KEY, view BLOB NOT NULL,
                                          crc INTEGER NOT NULL) STRICT;
)";

std::int64_t signed_of(Position position) { return static_cast<std::int64_t>(position.value); }

}  // namespace

struct SqliteStore::Statements {
    explicit Statements(sqlite3* of)
        : begin(of, "BEGIN IMMEDIATE"), commit(of, "COMMIT"),
          insert(of, "INSERT INTO batches (first, last, records, crc, chain) VALUES (?, ?, ?, ?, ?)"),
          from(of, "SELECT first, last, records, crc, chain FROM batches WHERE first >= "
                   "(SELECT ifnull(max(first), 1) FROM batches WHERE first <= ?1) AND last >= ?1 ORDER BY first LIMIT ?2"),
          last(of, "SELECT last, chain FROM batches ORDER BY first DESC LIMIT 1"),
          about(of, "SELECT position FROM subjects WHERE subject = ? AND position >= ? ORDER BY position LIMIT ?"),
          index(of, "INSERT OR IGNORE INTO subjects (subject, position) VALUES (?, ?)"),
          meta(of, "SELECT value FROM meta WHERE key = ?"),
          set_meta(of, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"),
          snapshot(of, "INSERT OR REPLACE INTO snapshots (position, view, crc) VALUES (?, ?, ?)"),
          forget_snapshots(of, "DELETE FROM snapshots WHERE position NOT IN "
                               "(SELECT position FROM snapshots ORDER BY position DESC LIMIT 2)"),
          snapshots(of, "SELECT position, view, crc FROM snapshots ORDER BY position DESC") {}
    Statement begin, commit, insert, from, last, about, index, meta, set_meta, snapshot, forget_snapshots, snapshots;
};

SqliteStore::SqliteStore(std::unique_ptr<Database> database, const SqlitePlan& plan)
    : database_(std::move(database)), ballast_(plan.path + ".ballast", plan.ballast_bytes) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<Store>> SqliteStore::open(const SqlitePlan& plan) {
    auto database = TRY(Database::open(plan.path));   // before the allocation, which a return would leak
    std::unique_ptr<SqliteStore> store{new SqliteStore(std::move(database), plan)};
    TRY(store->database_->run(schema));
    store->sql_ = std::make_unique<Statements>(store->database_->handle());
    store->ballast_.restore();
    return store;
}

// ---- named values

Result<std::string> SqliteStore::value(const std::string& key) {
    std::string found;
    const int code = sql_->meta.reset().bind_text(1, key).step();
    if (code == SQLITE_ROW) found = sql_->meta.bytes(0);
    sql_->meta.reset();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return fail(database_->error(code, key));
    return found;
}

Result<void> SqliteStore::set_value(const std::string& key, const std::string& value) {
    const int code = sql_->set_meta.reset().bind_text(1, key).bind(2, std::string_view{value}).step();
    sql_->set_meta.reset();
    if (code != SQLITE_DONE) return fail(database_->error(code, key));
    return {};
}

Result<std::string> SqliteStore::first_value(const std::string& key, const std::string& value) {
    auto found = TRY(this->value(key));
    if (!found.empty()) return found;
    TRY(set_value(key, value));
    return value;
}

// ---- rows

Result<std::optional<Tail>> SqliteStore::tail() {
    std::optional<Tail> found;
    const int code = sql_->last.reset().step();
    if (code == SQLITE_ROW) found = Tail{Position{static_cast<std::uint64_t>(sql_->last.number(0))}, sql_->last.bytes(1)};
    sql_->last.reset();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return fail(database_->error(code, "finding the head"));
    return found;
}

Result<void> SqliteStore::put(const Row& row, Position, const std::string& new_id) {
    auto outcome = insert(row, new_id);
    if (!outcome && outcome.error().kind == ErrorKind::unavailable && ballast_.drop()) outcome = insert(row, new_id);
    return outcome;
}

// A new id is written with the row or not at all.
Result<void> SqliteStore::insert(const Row& row, const std::string& new_id) {
    const auto done = [&](Statement& statement) {
        const int code = statement.step();
        statement.reset();
        return code;
    };
    int code = done(sql_->begin.reset());
    if (code == SQLITE_DONE) {
        sql_->insert.reset()
            .bind(1, signed_of(row.first))
            .bind(2, signed_of(row.last))
            .bind(3, std::string_view{row.records})
            .bind(4, std::int64_t{row.crc})
            .bind(5, std::string_view{row.chain});
        code = done(sql_->insert);
    }
    if (code == SQLITE_DONE && !new_id.empty()) code = set_value("id", new_id) ? SQLITE_DONE : SQLITE_ERROR;
    if (code == SQLITE_DONE) code = done(sql_->commit.reset());
    if (code == SQLITE_DONE) return {};
    const auto error = database_->error(code, "appending");
    if (sqlite3_get_autocommit(database_->handle()) == 0) std::ignore = database_->run("ROLLBACK");
    return fail(error);
}

Result<std::vector<Row>> SqliteStore::rows(Position from, std::uint32_t limit) {
    std::vector<Row> found;
    std::size_t bytes = 0;
    int code = sql_->from.reset().bind(1, signed_of(from)).bind(2, std::int64_t{limit}).step();
    for (; code == SQLITE_ROW && bytes < read_bytes_max; code = sql_->from.step()) {
        auto& row = sql_->from;
        found.push_back({Position{static_cast<std::uint64_t>(row.number(0))}, Position{static_cast<std::uint64_t>(row.number(1))}, row.bytes(2),
                         static_cast<std::uint32_t>(row.number(3)), row.bytes(4), {}});
        bytes += found.back().records.size();
    }
    sql_->from.reset();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return fail(database_->error(code, "reading"));
    return found;
}

// ---- snapshots and index

Result<void> SqliteStore::put_snapshot(const StoredSnapshot& snapshot) {
    sql_->snapshot.reset().bind(1, signed_of(snapshot.position)).bind(2, std::string_view{snapshot.view}).bind(3, std::int64_t{snapshot.crc});
    const int code = sql_->snapshot.step();
    sql_->snapshot.reset();
    if (code != SQLITE_DONE) return fail(database_->error(code, "saving a snapshot"));
    sql_->forget_snapshots.reset().step();
    sql_->forget_snapshots.reset();
    return {};
}

Result<std::vector<StoredSnapshot>> SqliteStore::snapshots() {
    std::vector<StoredSnapshot> found;
    for (sql_->snapshots.reset(); sql_->snapshots.step() == SQLITE_ROW;) {
        found.push_back({Position{static_cast<std::uint64_t>(sql_->snapshots.number(0))}, sql_->snapshots.bytes(1),
                         static_cast<std::uint32_t>(sql_->snapshots.number(2))});
    }
    sql_->snapshots.reset();
    return found;
}

Result<void> SqliteStore::index(const std::vector<Subject>& subjects, Position upto) {
    TRY(database_->run("BEGIN IMMEDIATE"));
    for (const auto& [subject, position] : subjects) sql_->index.reset().bind_text(1, subject).bind(2, signed_of(position)).step();
    sql_->index.reset();
    auto outcome = set_value("indexed", std::to_string(upto.value));
    if (outcome) outcome = database_->run("COMMIT");
    if (!outcome) std::ignore = database_->run("ROLLBACK");
    return outcome;
}

Result<std::vector<Position>> SqliteStore::about(const std::string& subject, Position from, std::uint32_t limit) {
    std::vector<Position> positions;
    sql_->about.reset().bind_text(1, subject).bind(2, signed_of(from)).bind(3, std::int64_t{limit});
    while (sql_->about.step() == SQLITE_ROW) positions.push_back(Position{static_cast<std::uint64_t>(sql_->about.number(0))});
    sql_->about.reset();
    return positions;
}

Result<Storage> SqliteStore::tidy() {
    sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    ballast_.restore();
    return ballast_.disk_is_low() ? Storage::low : Storage::ample;
}

}  // namespace berth::allocator
