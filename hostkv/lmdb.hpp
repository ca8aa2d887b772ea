// SPDX-License-Identifier: Apache-2.0
// LMDB as the host's memory uses it: handles that close themselves, errors that say what to do, and
// what is done with the file before it is trusted. Only local_kv.cpp includes this.
#pragma once

#include <lmdb.h>

#include <array>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace berth::lmdb {

enum Table : std::size_t { slot_table, route_table, link_table, link_end_table, meta_table, table_count };
constexpr std::array<const char*, table_count> table_names{"slot", "route", "link", "link_end", "meta"};

Error kv_error(int code, std::string_view what, const std::string& dir);
Error system_error(int code, std::string_view what, const std::string& path);

class Environment {
public:
    Environment() = default;
    ~Environment();
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    int open(const std::string& dir, unsigned flags);
    MDB_env* get() const { return env_; }

private:
    MDB_env* env_ = nullptr;
};

/// One transaction; aborted unless committed.
class Transaction {
public:
    Transaction() = default;
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    int begin(MDB_env* env, unsigned flags) { return mdb_txn_begin(env, nullptr, flags, &txn_); }
    int commit();
    MDB_txn* get() const { return txn_; }

private:
    MDB_txn* txn_ = nullptr;
};

class Cursor {
public:
    Cursor() = default;
    ~Cursor();
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;
    int open(const Transaction& txn, MDB_dbi table) { return mdb_cursor_open(txn.get(), table, &cursor_); }
    MDB_cursor* get() const { return cursor_; }

private:
    MDB_cursor* cursor_ = nullptr;
};

inline MDB_val as_val(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
inline std::string_view as_text(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }
std::string big_endian(std::uint64_t number, int bytes);

/// What is stored begins with a checksum of the rest; returns the rest.
Result<std::string_view> open_value(std::string_view stored);

/// Reads everything, in a child process: LMDB trusts its pages, so a damaged file can end whoever
/// reads it. `corrupt` when it does. Nothing is there yet: all is well.
Result<void> refuse_damaged(const std::string& dir);

/// Blocks of the disk for the file to grow into, so that a disk which others filled does not end the
/// host: it can still write down that something stops. Does nothing where the disk can not promise.
Result<void> reserve_room(const std::string& dir);

}  // namespace berth::lmdb
