// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger/sqlite/database.hpp"

#include <sqlite3.h>
#include <sys/vfs.h>

#include <array>
#include <filesystem>

#include "base/check.hpp"

namespace berth::allocator {

Statement::Statement(sqlite3* of, std::string_view sql) {
    const int code = sqlite3_prepare_v3(of, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &statement_, nullptr);
    check(code == SQLITE_OK, "the ledger's own SQL is right");
}
Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::reset() {
    sqlite3_reset(statement_);
    return *this;
}
Statement& Statement::bind(int at, std::int64_t value) {
    sqlite3_bind_int64(statement_, at, value);
    return *this;
}
Statement& Statement::bind(int at, std::string_view bytes) {
    sqlite3_bind_blob64(statement_, at, bytes.data(), bytes.size(), SQLITE_STATIC);
    return *this;
}
Statement& Statement::bind_text(int at, std::string_view text) {
    sqlite3_bind_text64(statement_, at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
}
int Statement::step() { return sqlite3_step(statement_); }
std::int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_, column); }
std::string Statement::bytes(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return data ? std::string{data, size} : std::string{};
}

namespace {

// A lock on these is not to be trusted, and the lock is the fence.
Result<void> refuse_network_folder(const std::string& path) {
    constexpr std::array<unsigned long, 5> remote{0x6969UL, 0xFF534D42UL, 0xFE534D42UL, 0x517BUL, 0x65735546UL};
    const auto folder = std::filesystem::absolute(path).parent_path().string();
    struct statfs found {};
    if (::statfs(folder.c_str(), &found) != 0) {
        return fail(ErrorKind::not_found, "no folder {} for the ledger; `berth up` makes it", folder);
    }
    for (const auto type : remote) {
        if ((static_cast<unsigned long>(found.f_type) & 0xFFFFFFFFUL) != type) continue;
        return fail(ErrorKind::invalid, "{} is on a network or user-space file system, whose locks may not hold: "
                    "keep the ledger on a local disk", folder);
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
    TRY(refuse_network_folder(path));
    std::unique_ptr<Database> database{new Database(path)};
    const int code = sqlite3_open_v2(path.c_str(), &database->handle_,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    if (code != SQLITE_OK) return fail(database->error(code, "opening it"));
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    TRY(database->run("PRAGMA locking_mode=EXCLUSIVE"));
    TRY(database->run("PRAGMA journal_mode=WAL"));
    TRY(database->run("PRAGMA synchronous=FULL"));
    TRY(database->run("PRAGMA wal_autocheckpoint=0"));     // tidy() does it, in idle gaps
    TRY(database->run("PRAGMA mmap_size=0"));
    TRY(database->run("BEGIN IMMEDIATE; COMMIT"));         // the lock is ours from here on
    TRY(database->check_whole());
    return database;
}

Database::~Database() { sqlite3_close_v2(handle_); }

Result<void> Database::check_whole() {
    Statement quick(handle_, "PRAGMA quick_check(1)");
    const int code = quick.step();
    if (code != SQLITE_ROW) return fail(error(code, "checking it"));
    if (const auto said = quick.bytes(0); said != "ok") {
        return fail(ErrorKind::corrupt, "{} is damaged: {}. Put a copy back (docs/restore.md), or save what is whole with "
                    "`berth-allocator --state DIR export`", path_, said);
    }
    return {};
}

Result<void> Database::run(const char* sql) {
    const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return fail(error(code, sql));
    return {};
}

Error Database::error(int code, std::string_view while_doing) const {
    const auto said = handle_ ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
    switch (code & 0xFF) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {ErrorKind::conflict,
                    fmt::format("{} is in use by another allocator; only one may write it. `fuser {}` says which", path_, path_)};
        case SQLITE_FULL:
            return {ErrorKind::unavailable, fmt::format("the disk of {} is full", path_)};
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return {ErrorKind::corrupt, fmt::format("{} is damaged ({}); restore a copy of it (docs/restore.md)", path_, said)};
        default:
            return {ErrorKind::internal, fmt::format("{}: {} (SQLite {}, {})", path_, said, code, while_doing)};
    }
}

}  // namespace berth::allocator
