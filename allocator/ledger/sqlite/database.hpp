// SPDX-License-Identifier: Apache-2.0
// The little of SQLite that the ledger needs, as values: statements that bind, step and read, and
// errors that name the file. One connection, exclusive, WAL, synchronous=FULL.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace berth::allocator {

class Statement {
public:
    Statement(sqlite3* of, std::string_view sql);   // our own text: a mistake in it is our bug
    ~Statement();
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    Statement& reset();
    Statement& bind(int at, std::int64_t value);
    Statement& bind(int at, std::string_view bytes);      // as a blob; must live until the step
    Statement& bind_text(int at, std::string_view text);
    /// SQLITE_ROW, SQLITE_DONE or an error code.
    int step();
    std::int64_t number(int column) const;
    std::string bytes(int column) const;

private:
    sqlite3_stmt* statement_ = nullptr;
};

class Database {
public:
    /// conflict: another process has it open. corrupt: it is damaged, or not a database.
    static Result<std::unique_ptr<Database>> open(const std::string& path);
    ~Database();

    Result<void> run(const char* sql);
    /// The last failure: SQLITE_FULL → unavailable, damage → corrupt, else internal.
    Error error(int code, std::string_view while_doing) const;
    sqlite3* handle() const { return handle_; }
    const std::string& path() const { return path_; }

private:
    explicit Database(std::string path) : path_(std::move(path)) {}
    Result<void> check_whole();
    std::string path_;
    sqlite3* handle_ = nullptr;
};

}  // namespace berth::allocator
