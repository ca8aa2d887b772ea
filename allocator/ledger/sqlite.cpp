// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger/sqlite.hpp"

#include <openssl/sha.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "base/rng.hpp"
#include "events/codec.hpp"

namespace berth::allocator {

namespace {

constexpr int format_version = 1;
constexpr std::uint32_t rows_indexed_at_once = 200;
constexpr std::uint32_t chain_size = SHA256_DIGEST_LENGTH;

constexpr const char* schema = R"(
    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS batches (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, records BLOB NOT NULL,
                                        crc INTEGER NOT NULL, chain BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS subjects (subject TEXT NOT NULL, position INTEGER NOT NULL,
                                         PRIMARY KEY (subject, position)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS snapshots (position INTEGER PRIMARY KEY, view BLOB NOT NULL,
                                          crc INTEGER NOT NULL) STRICT;
)";

std::string next_chain(const std::string& before, const std::string& records) {
    const auto whole = before + records;
    std::string digest(chain_size, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(whole.data()), whole.size(),
           reinterpret_cast<unsigned char*>(digest.data()));
    return digest;
}

}  // namespace

struct SqliteLedger::Statements {
    explicit Statements(sqlite3* of)
        : begin(of, "BEGIN IMMEDIATE"), commit(of, "COMMIT"),
          insert(of, "INSERT INTO batches (first, last, records, crc, chain) VALUES (?, ?, ?, ?, ?)"),
          from(of, "SELECT first, last, records, crc, chain FROM batches WHERE first >= "
                   "(SELECT ifnull(max(first), 1) FROM batches WHERE first <= ?1) ORDER BY first"),
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

SqliteLedger::SqliteLedger(std::unique_ptr<Database> database, const SqlitePlan& plan)
    : database_(std::move(database)), ballast_(plan.path + ".ballast", plan.ballast_bytes) {}
SqliteLedger::~SqliteLedger() = default;

Result<std::unique_ptr<SqliteLedger>> SqliteLedger::open(const SqlitePlan& plan) {
    auto database = TRY(Database::open(plan.path));   // before the allocation, which a return would leak
    std::unique_ptr<SqliteLedger> ledger{new SqliteLedger(std::move(database), plan)};
    TRY(ledger->prepare());
    ledger->ballast_.restore();
    return ledger;
}

Result<void> SqliteLedger::prepare() {
    TRY(database_->run(schema));
    sql_ = std::make_unique<Statements>(database_->handle());
    const auto meta = [&](std::string_view key) {
        std::string value;
        if (sql_->meta.reset().bind_text(1, key).step() == SQLITE_ROW) value = sql_->meta.bytes(0);
        sql_->meta.reset();
        return value;
    };
    if (const auto format = meta("format"); format.empty()) {
        TRY(set_meta("format", std::to_string(format_version)));
        TRY(set_meta("id", "l-" + random_hex(8)));
    } else if (format != std::to_string(format_version)) {
        return fail(ErrorKind::invalid, "{} has format {}; this berth reads format {}. Use the version that wrote it to "
                    "export, and this one to import", database_->path(), format, format_version);
    }
    id_ = meta("id");
    const auto indexed = meta("indexed");
    indexed_.value = indexed.empty() ? 0 : std::strtoull(indexed.c_str(), nullptr, 10);
    chain_.assign(chain_size, '\0');
    const int code = sql_->last.reset().step();
    if (code == SQLITE_ROW) {
        head_.value = static_cast<std::uint64_t>(sql_->last.number(0));
        chain_ = sql_->last.bytes(1);
    } else if (code != SQLITE_DONE) {
        return fail(database_->error(code, "finding the head"));
    }
    sql_->last.reset();
    return {};
}

Result<void> SqliteLedger::append(const std::vector<FactRecord>& facts, Position expected) {
    if (facts.empty()) return {};
    if (expected != head_) {
        return fail(ErrorKind::fenced, "append to {} at {}, but its head is {}: another allocator wrote it", id_,
                    expected.value, head_.value);
    }
    for (std::size_t i = 0; i < facts.size(); ++i) {
        check(facts[i].position.value == expected.value + 1 + i, "facts are appended without gaps");
    }
    const auto records = encode(facts);
    auto chain = next_chain(chain_, records);
    auto outcome = insert(facts, records, chain);
    if (!outcome && outcome.error().kind == ErrorKind::unavailable && ballast_.drop()) {
        outcome = insert(facts, records, chain);
    }
    TRY(std::move(outcome));
    head_ = facts.back().position;
    chain_ = std::move(chain);
    return {};
}

Result<void> SqliteLedger::go_on_as(const FactRecord& fact) {
    const auto& recovered = std::get<LedgerRecovered>(fact.fact);
    check(fact.position > head_, "a recovered ledger goes on at a later position");
    const std::vector<FactRecord> facts{fact};
    const auto records = encode(facts);
    auto chain = next_chain(chain_, records);
    TRY(insert(facts, records, chain, recovered.ledger));
    id_ = recovered.ledger;
    head_ = fact.position;
    chain_ = std::move(chain);
    return {};
}

// A new id is written with the row or not at all.
Result<void> SqliteLedger::insert(const std::vector<FactRecord>& facts, const std::string& records,
                                  const std::string& chain, const std::string& new_id) {
    const auto done = [&](Statement& statement) {
        const int code = statement.step();
        statement.reset();
        return code;
    };
    int code = done(sql_->begin.reset());
    if (code == SQLITE_DONE) {
        sql_->insert.reset()
            .bind(1, static_cast<std::int64_t>(facts.front().position.value))
            .bind(2, static_cast<std::int64_t>(facts.back().position.value))
            .bind(3, std::string_view{records})
            .bind(4, std::int64_t{crc32c(records)})
            .bind(5, std::string_view{chain});
        code = done(sql_->insert);
    }
    if (code == SQLITE_DONE && !new_id.empty()) code = set_meta("id", new_id) ? SQLITE_DONE : SQLITE_ERROR;
    if (code == SQLITE_DONE) code = done(sql_->commit.reset());
    if (code == SQLITE_DONE) return {};
    const auto error = database_->error(code, "appending");
    if (sqlite3_get_autocommit(database_->handle()) == 0) std::ignore = database_->run("ROLLBACK");
    return fail(error);
}

Result<std::vector<FactRecord>> SqliteLedger::row_facts(Statement& row) const {
    const auto first = row.number(0);
    const auto records = row.bytes(2);
    if (crc32c(records) != static_cast<std::uint32_t>(row.number(3))) {
        return fail(ErrorKind::corrupt, "{} is damaged at position {}: the checksum of its row is wrong. Restore a copy (docs/restore.md)",
                    database_->path(), first);
    }
    auto facts = decode<std::vector<FactRecord>>(records, trusted_limits);
    if (!facts) {
        return fail(ErrorKind::corrupt, "{} can not be read at position {}: {}", database_->path(), first,
                    facts.error().text);
    }
    return std::move(*facts);
}

Result<std::vector<FactRecord>> SqliteLedger::read(Position from, std::uint32_t limit) {
    std::vector<FactRecord> facts;
    sql_->from.reset().bind(1, static_cast<std::int64_t>(from.value));
    int code = sql_->from.step();
    for (; code == SQLITE_ROW && facts.size() < limit; code = sql_->from.step()) {
        if (static_cast<std::uint64_t>(sql_->from.number(1)) < from.value) continue;
        auto row = row_facts(sql_->from);
        if (!row) {
            sql_->from.reset();
            return fail(row.error());
        }
        for (auto& fact : *row) {
            if (fact.position >= from && facts.size() < limit) facts.push_back(std::move(fact));
        }
    }
    sql_->from.reset();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return fail(database_->error(code, "reading"));
    return facts;
}

Result<std::vector<FactRecord>> SqliteLedger::read_about(const std::string& subject, Position from,
                                                         std::uint32_t limit) {
    while (TRY(index_some())) {
    }
    std::vector<std::uint64_t> positions;
    sql_->about.reset()
        .bind_text(1, subject)
        .bind(2, static_cast<std::int64_t>(from.value))
        .bind(3, std::int64_t{limit});
    while (sql_->about.step() == SQLITE_ROW) positions.push_back(static_cast<std::uint64_t>(sql_->about.number(0)));
    sql_->about.reset();
    std::vector<FactRecord> facts;
    for (const auto position : positions) {
        auto one = TRY(read(Position{position}, 1));
        if (!one.empty()) facts.push_back(std::move(one.front()));
    }
    return facts;
}

Result<bool> SqliteLedger::index_some() {
    if (indexed_ >= head_) return false;
    const auto facts = TRY(read(Position{indexed_.value + 1}, rows_indexed_at_once));
    if (facts.empty()) return false;
    TRY(database_->run("BEGIN IMMEDIATE"));
    for (const auto& fact : facts) {
        for (const auto& subject : subjects_of(fact.fact)) {
            sql_->index.reset().bind_text(1, subject).bind(2, static_cast<std::int64_t>(fact.position.value)).step();
        }
    }
    sql_->index.reset();
    auto outcome = set_meta("indexed", std::to_string(facts.back().position.value));
    if (outcome) outcome = database_->run("COMMIT");
    if (!outcome) {
        std::ignore = database_->run("ROLLBACK");
        return fail(outcome.error());
    }
    indexed_ = facts.back().position;
    return indexed_ < head_;
}

Result<void> SqliteLedger::save_snapshot(const View& view) {
    check(view.position == head_, "a snapshot is of what is durable");
    const auto bytes = encode(view);
    sql_->snapshot.reset()
        .bind(1, static_cast<std::int64_t>(view.position.value))
        .bind(2, std::string_view{bytes})
        .bind(3, std::int64_t{crc32c(bytes)});
    const int code = sql_->snapshot.step();
    sql_->snapshot.reset();
    if (code != SQLITE_DONE) return fail(database_->error(code, "saving a snapshot"));
    sql_->forget_snapshots.reset().step();
    sql_->forget_snapshots.reset();
    return {};
}

Result<std::optional<View>> SqliteLedger::load_snapshot() {
    std::optional<View> found;
    // A snapshot is only a shortcut: one that can not be read is passed over.
    for (sql_->snapshots.reset(); !found && sql_->snapshots.step() == SQLITE_ROW;) {
        const auto bytes = sql_->snapshots.bytes(1);
        if (crc32c(bytes) != static_cast<std::uint32_t>(sql_->snapshots.number(2))) continue;
        if (static_cast<std::uint64_t>(sql_->snapshots.number(0)) > head_.value) continue;
        if (auto view = decode<View>(bytes, trusted_limits)) found = std::move(*view);
    }
    sql_->snapshots.reset();
    return found;
}

Result<Storage> SqliteLedger::tidy() {
    const auto indexed = index_some();
    if (!indexed && indexed.error().kind != ErrorKind::unavailable) return fail(indexed.error());
    sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    ballast_.restore();
    return ballast_.disk_is_low() ? Storage::low : Storage::ample;
}

Result<Position> SqliteLedger::verify() {
    std::string chain(chain_size, '\0');
    Position at;
    int code = sql_->from.reset().bind(1, 1).step();
    for (; code == SQLITE_ROW; code = sql_->from.step()) {
        const auto facts = row_facts(sql_->from);
        if (!facts) {
            sql_->from.reset();
            return fail(facts.error());
        }
        chain = next_chain(chain, sql_->from.bytes(2));
        const auto first = static_cast<std::uint64_t>(sql_->from.number(0));
        const bool jumps = !facts->empty() && std::holds_alternative<LedgerRecovered>(facts->front().fact) && first > at.value;
        const bool follows = (jumps || first == at.value + 1) && !facts->empty() &&
                             facts->back().position.value == static_cast<std::uint64_t>(sql_->from.number(1));
        if (!follows || chain != sql_->from.bytes(4)) {
            sql_->from.reset();
            return fail(ErrorKind::corrupt, "{} was changed after position {}: {}", database_->path(), at.value,
                        follows ? "the chain of hashes breaks there" : "facts are missing");
        }
        at = facts->back().position;
    }
    sql_->from.reset();
    if (code != SQLITE_DONE) return fail(database_->error(code, "verifying"));
    return at;
}

Result<void> SqliteLedger::adopt_id(const std::string& id) {
    if (head_.value != 0) return fail(ErrorKind::conflict, "{} holds {} facts already", database_->path(), head_.value);
    TRY(set_meta("id", id));
    id_ = id;
    return {};
}

Result<void> SqliteLedger::set_meta(std::string_view key, std::string_view value) {
    const int code = sql_->set_meta.reset().bind_text(1, key).bind(2, value).step();
    sql_->set_meta.reset();
    if (code != SQLITE_DONE) return fail(database_->error(code, key));
    return {};
}

}  // namespace berth::allocator
