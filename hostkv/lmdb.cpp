// SPDX-License-Identifier: Apache-2.0
#include "hostkv/lmdb.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/hash.hpp"

namespace berth::lmdb {

namespace {

namespace files = std::filesystem;

constexpr std::size_t map_bytes_max = 64 * 1024 * 1024;
constexpr unsigned readers_max = 126;
constexpr off_t reserved_bytes = 1024 * 1024;   // some ten times what a full host writes

/// Opens what is there and reads every key and value. True: all of it could be read.
bool walk_everything(const std::string& dir) {
    Environment env;
    Transaction txn;
    if (env.open(dir, MDB_RDONLY) != 0 || txn.begin(env.get(), MDB_RDONLY) != 0) return false;
    constexpr MDB_dbi free_pages = 0;   // LMDB's own table; read at each later write
    for (std::size_t i = 0; i <= table_count; ++i) {
        MDB_dbi table = free_pages;
        const int opened = i == table_count ? 0 : mdb_dbi_open(txn.get(), table_names[i], 0, &table);
        if (opened == MDB_NOTFOUND) continue;
        Cursor cursor;
        if (opened != 0 || cursor.open(txn, table) != 0) return false;
        MDB_val key{};
        MDB_val value{};
        int code = mdb_cursor_get(cursor.get(), &key, &value, MDB_FIRST);
        for (; code == 0; code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) {
            if (i < table_count && i != link_end_table && !open_value(as_text(value))) return false;
        }
        if (code != MDB_NOTFOUND) return false;
    }
    return true;
}

}  // namespace

Error kv_error(int code, std::string_view what, const std::string& dir) {
    auto kind = ErrorKind::internal;
    std::string todo = "see the system's log";
    switch (code) {
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_INVALID:
        case MDB_VERSION_MISMATCH:
        case MDB_BAD_TXN:
            kind = ErrorKind::corrupt;
            todo = "this host has to be ended or its state folder removed";
            break;
        case MDB_MAP_FULL:
        case MDB_DBS_FULL:
        case MDB_READERS_FULL:
            kind = ErrorKind::limit;
            todo = "a stated bound was reached";
            break;
        case MDB_BAD_VALSIZE:
            kind = ErrorKind::invalid;
            todo = "the name is empty or too long";
            break;
        case ENOSPC:
        case EDQUOT:
            kind = ErrorKind::unavailable;
            todo = "the disk is full: make room";
            break;
        default: break;
    }
    return {kind, fmt::format("{} in the host's memory {}: {}; {}", what, dir, mdb_strerror(code), todo)};
}

Error system_error(int code, std::string_view what, const std::string& path) {
    const auto kind = code == ENOSPC || code == EDQUOT ? ErrorKind::unavailable : ErrorKind::internal;
    return {kind, fmt::format("{} {}: {}", what, path, std::generic_category().message(code))};
}

Environment::~Environment() {
    if (env_ != nullptr) mdb_env_close(env_);
}

int Environment::open(const std::string& dir, unsigned flags) {
    if (const int code = mdb_env_create(&env_)) return code;
    mdb_env_set_mapsize(env_, map_bytes_max);
    mdb_env_set_maxdbs(env_, table_count);
    mdb_env_set_maxreaders(env_, readers_max);
    return mdb_env_open(env_, dir.c_str(), MDB_NOTLS | flags, 0600);
}

Transaction::~Transaction() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
}

int Transaction::commit() {
    const int code = mdb_txn_commit(txn_);
    txn_ = nullptr;
    return code;
}

Cursor::~Cursor() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

std::string big_endian(std::uint64_t number, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>((number >> (8 * i)) & 0xff);
    return text;
}
Result<std::string_view> open_value(std::string_view stored) {
    if (stored.size() < 4 || big_endian(crc32c(stored.substr(4)), 4) != stored.substr(0, 4)) {
        return fail(ErrorKind::corrupt, "a value does not match its checksum");
    }
    return stored.substr(4);
}

Result<void> refuse_damaged(const std::string& dir) {
    const auto path = dir + "/data.mdb";
    std::error_code missing;
    if (files::file_size(path, missing) == 0 || missing) return {};
    const pid_t child = ::fork();
    if (child < 0) return fail(system_error(errno, "cannot start the check of", path));
    if (child == 0) {
        for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGTERM, SIGINT}) ::signal(signal, SIG_DFL);
        const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
        ::_exit(walk_everything(dir) ? 0 : 1);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return fail(ErrorKind::corrupt,
                "{} is damaged; what this host holds is not known: end the host, or stop its environments "
                "and remove its state folder",
                path);
}

Result<void> reserve_room(const std::string& dir) {
    const auto path = dir + "/data.mdb";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(system_error(errno, "cannot open", path));
    const int code = ::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, reserved_bytes) == 0 ? 0 : errno;
    ::close(fd);
    if (code == ENOSPC || code == EDQUOT) return fail(system_error(code, "cannot reserve room for", path));
    return {};
}

}  // namespace berth::lmdb
