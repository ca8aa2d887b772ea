// SPDX-License-Identifier: Apache-2.0
// The host's memory on LMDB. Every value is a checksum and a msgpack value (events/wire.hpp).
// Before the environment is used it is read from end to end in a child process: LMDB trusts its
// pages, so a damaged file can end whoever reads it, and that must be the child.
//
// Last activity stands beside the environment, one file of one line per workspace: it is written
// often and need not be durable, and LMDB's unsynced commits could take the durable data with them.
#include "hostagent/local_kv.hpp"

#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "base/rng.hpp"
#include "events/wire.hpp"

namespace berth {
namespace {

namespace files = std::filesystem;

constexpr std::size_t map_bytes_max = 64 * 1024 * 1024;
constexpr unsigned readers_max = 126;
constexpr std::size_t value_bytes_max = 64 * 1024;
/// Used links are kept longer than they live, so that a clock that steps back revives none.
constexpr Duration link_kept{3'600'000};
constexpr int links_dropped_at_once = 64;
constexpr std::size_t activity_bytes = 24;   // RFC 3339 with milliseconds

enum Table : std::size_t { slot_table, route_table, link_table, link_end_table, meta_table, table_count };
constexpr std::array<const char*, table_count> table_names{"slot", "route", "link", "link_end", "meta"};

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

class Environment {
public:
    ~Environment() {
        if (env_ != nullptr) mdb_env_close(env_);
    }
    int open(const std::string& dir, unsigned flags) {
        if (const int code = mdb_env_create(&env_)) return code;
        mdb_env_set_mapsize(env_, map_bytes_max);
        mdb_env_set_maxdbs(env_, table_count);
        mdb_env_set_maxreaders(env_, readers_max);
        return mdb_env_open(env_, dir.c_str(), MDB_NOTLS | flags, 0600);
    }
    MDB_env* get() const { return env_; }

private:
    MDB_env* env_ = nullptr;
};

/// One transaction; aborted unless committed.
class Transaction {
public:
    ~Transaction() {
        if (txn_ != nullptr) mdb_txn_abort(txn_);
    }
    int begin(MDB_env* env, unsigned flags) { return mdb_txn_begin(env, nullptr, flags, &txn_); }
    int commit() {
        const int code = mdb_txn_commit(txn_);
        txn_ = nullptr;
        return code;
    }
    MDB_txn* get() const { return txn_; }

private:
    MDB_txn* txn_ = nullptr;
};

class Cursor {
public:
    ~Cursor() {
        if (cursor_ != nullptr) mdb_cursor_close(cursor_);
    }
    int open(const Transaction& txn, MDB_dbi table) { return mdb_cursor_open(txn.get(), table, &cursor_); }
    MDB_cursor* get() const { return cursor_; }

private:
    MDB_cursor* cursor_ = nullptr;
};

MDB_val as_val(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
std::string_view as_text(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

std::string big_endian(std::uint64_t number, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>((number >> (8 * i)) & 0xff);
    return text;
}
std::string slot_key(std::uint32_t slot) { return big_endian(slot, 4); }
std::string link_end_key(Instant expires_at, const std::string& id) {
    return big_endian(static_cast<std::uint64_t>(expires_at.time_since_epoch().count()), 8) + id;
}

template <class T>
std::string seal_value(const T& value) {
    const auto bytes = wire::to_bytes(value);
    return big_endian(crc32c(bytes), 4) + bytes;
}

Result<std::string_view> open_value(std::string_view stored) {
    if (stored.size() < 4 || big_endian(crc32c(stored.substr(4)), 4) != stored.substr(0, 4)) {
        return fail(ErrorKind::corrupt, "a value does not match its checksum");
    }
    return stored.substr(4);
}

template <class T>
Result<T> read_value_of(std::string_view stored) {
    auto value = wire::from_bytes<T>(TRY(open_value(stored)), DecodeLimits{.bytes = value_bytes_max});
    if (!value) return fail(ErrorKind::corrupt, "a value is not what this version wrote: {}", value.error().text);
    return value;
}

/// In a child: opens what is there and reads every key and value. True = all of it could be read.
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

Result<void> make_private_folder(const std::string& dir) {
    std::error_code code;
    files::create_directories(dir, code);
    if (code) return fail(system_error(code.value(), "cannot make the folder", dir));
    files::permissions(dir, files::perms::owner_all, code);
    if (code) return fail(system_error(code.value(), "cannot make private the folder", dir));
    return {};
}

Result<void> sync_folder(const std::string& dir) {
    const int fd = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail(system_error(errno, "cannot open the folder", dir));
    const int code = ::fsync(fd) == 0 ? 0 : errno;
    ::close(fd);
    if (code != 0) return fail(system_error(code, "cannot sync the folder", dir));
    return {};
}

/// A workspace's id becomes a file name, so it has to be one label.
Result<void> check_label(const WorkspaceId& workspace) {
    const auto& id = workspace.value;
    const bool good = !id.empty() && id.size() <= 63 &&
                      id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
    if (!good) return fail(ErrorKind::invalid, "'{}' is no workspace id", id.substr(0, 63));
    return {};
}

}  // namespace

struct LocalKv::Inside {
    std::string dir;
    Environment env;
    std::array<MDB_dbi, table_count> tables{};
    std::string secret;

    Error error(int code, std::string_view what) const { return kv_error(code, what, dir); }
    std::string activity_path(const WorkspaceId& workspace) const { return dir + "/activity/" + workspace.value; }

    Result<std::optional<std::string>> read(const Transaction& txn, Table table, std::string_view key) const {
        auto key_val = as_val(key);
        MDB_val value{};
        const int code = mdb_get(txn.get(), tables[table], &key_val, &value);
        if (code == MDB_NOTFOUND) return std::nullopt;
        if (code != 0) return fail(error(code, "cannot read"));
        return std::string{as_text(value)};
    }
    template <class T>
    Result<std::optional<T>> read_as(const Transaction& txn, Table table, std::string_view key) const {
        const auto stored = TRY(read(txn, table, key));
        if (!stored) return std::nullopt;
        return std::optional<T>{TRY(read_value_of<T>(*stored))};
    }
    template <class T>
    Result<std::optional<T>> get(Table table, std::string_view key) const {
        Transaction txn;
        if (const int code = txn.begin(env.get(), MDB_RDONLY)) return fail(error(code, "cannot begin to read"));
        return read_as<T>(txn, table, key);
    }
    template <class T>
    Result<std::vector<T>> all(Table table) const {
        Transaction txn;
        Cursor cursor;
        if (const int code = txn.begin(env.get(), MDB_RDONLY)) return fail(error(code, "cannot begin to read"));
        if (const int code = cursor.open(txn, tables[table])) return fail(error(code, "cannot begin to list"));
        std::vector<T> values;
        MDB_val key{};
        MDB_val value{};
        int code = mdb_cursor_get(cursor.get(), &key, &value, MDB_FIRST);
        for (; code == 0; code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) {
            values.push_back(TRY(read_value_of<T>(as_text(value))));
        }
        if (code != MDB_NOTFOUND) return fail(error(code, "cannot list"));
        return values;
    }

    Result<void> write(const Transaction& txn, Table table, std::string_view key, std::string_view bytes) const {
        auto key_val = as_val(key);
        auto value = as_val(bytes);
        if (const int code = mdb_put(txn.get(), tables[table], &key_val, &value, 0)) return fail(error(code, "cannot write"));
        return {};
    }
    Result<void> erase(const Transaction& txn, Table table, std::string_view key) const {
        auto key_val = as_val(key);
        const int code = mdb_del(txn.get(), tables[table], &key_val, nullptr);
        if (code != 0 && code != MDB_NOTFOUND) return fail(error(code, "cannot remove"));
        return {};
    }
    /// `work` inside one durable transaction; nothing of it stays when it fails.
    template <class Work>
    auto change(Work&& work) const -> decltype(work(std::declval<const Transaction&>())) {
        Transaction txn;
        if (const int code = txn.begin(env.get(), 0)) return fail(error(code, "cannot begin to write"));
        auto outcome = work(txn);
        if (!outcome) return outcome;
        if (const int code = txn.commit()) return fail(error(code, "cannot make durable a change"));
        return outcome;
    }

    Result<void> open_tables() {
        return change([&](const Transaction& txn) -> Result<void> {
            for (std::size_t i = 0; i < table_count; ++i) {
                if (const int code = mdb_dbi_open(txn.get(), table_names[i], MDB_CREATE, &tables[i])) {
                    return fail(error(code, "cannot open a table"));
                }
            }
            auto known = TRY(read_as<std::string>(txn, meta_table, "secret"));
            if (!known) {
                known = random_hex(32);
                TRY(write(txn, meta_table, "secret", seal_value(*known)));
            }
            secret = *known;
            return {};
        });
    }
    Result<void> drop_old_links(const Transaction& txn, Instant now) const {
        Cursor cursor;
        if (const int code = cursor.open(txn, tables[link_end_table])) return fail(error(code, "cannot list links"));
        const auto oldest_kept = link_end_key(now - link_kept, "");
        for (int i = 0; i < links_dropped_at_once; ++i) {
            MDB_val key{};
            MDB_val value{};
            const int code = mdb_cursor_get(cursor.get(), &key, &value, MDB_FIRST);
            if (code == MDB_NOTFOUND || (code == 0 && as_text(key) >= oldest_kept)) return {};
            if (code != 0) return fail(error(code, "cannot list links"));
            const std::string id{as_text(key).substr(8)};
            if (const int removed = mdb_cursor_del(cursor.get(), 0)) return fail(error(removed, "cannot remove a link"));
            TRY(erase(txn, link_table, id));
        }
        return {};
    }
};

LocalKv::LocalKv(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
LocalKv::~LocalKv() = default;

Result<std::unique_ptr<LocalKv>> LocalKv::open(const std::string& dir) {
    TRY(make_private_folder(dir));
    TRY(make_private_folder(dir + "/activity"));
    TRY(refuse_damaged(dir));
    auto inside = std::make_unique<Inside>();
    inside->dir = dir;
    if (const int code = inside->env.open(dir, 0)) return fail(kv_error(code, "cannot open", dir));
    int dead = 0;
    mdb_reader_check(inside->env.get(), &dead);
    TRY(inside->open_tables());
    TRY(sync_folder(dir));
    return std::unique_ptr<LocalKv>{new LocalKv(std::move(inside))};
}

Result<std::vector<SlotRecord>> LocalKv::slots() const { return inside_->all<SlotRecord>(slot_table); }

Result<void> LocalKv::put_slot(const SlotRecord& record) {
    return inside_->change([&](const Transaction& txn) -> Result<void> {
        const auto known = TRY(inside_->read_as<SlotRecord>(txn, slot_table, slot_key(record.slot)));
        if (known && record.epoch < known->epoch) {
            return fail(ErrorKind::fenced, "slot {} held epoch {}; {} is older", record.slot, known->epoch.value,
                        record.epoch.value);
        }
        return inside_->write(txn, slot_table, slot_key(record.slot), seal_value(record));
    });
}

Result<std::optional<RouteRecord>> LocalKv::route(const WorkspaceId& workspace) const {
    return inside_->get<RouteRecord>(route_table, workspace.value);
}
Result<std::vector<RouteRecord>> LocalKv::routes() const { return inside_->all<RouteRecord>(route_table); }
Result<void> LocalKv::put_route(const RouteRecord& record) {
    TRY(check_label(record.workspace));
    return inside_->change([&](const Transaction& txn) {
        return inside_->write(txn, route_table, record.workspace.value, seal_value(record));
    });
}
Result<void> LocalKv::drop_route(const WorkspaceId& workspace) {
    return inside_->change([&](const Transaction& txn) { return inside_->erase(txn, route_table, workspace.value); });
}

Result<Term> LocalKv::term() const {
    return TRY(inside_->get<Term>(meta_table, "term")).value_or(Term{});
}
Result<void> LocalKv::put_term(Term term) {
    return inside_->change([&](const Transaction& txn) -> Result<void> {
        const auto known = TRY(inside_->read_as<Term>(txn, meta_table, "term")).value_or(Term{});
        if (term < known) {
            return fail(ErrorKind::fenced, "term {} was seen; {} is older", known.value, term.value);
        }
        return inside_->write(txn, meta_table, "term", seal_value(term));
    });
}
Result<std::optional<std::string>> LocalKv::meta(const std::string& name) const {
    return inside_->get<std::string>(meta_table, name);
}
Result<void> LocalKv::put_meta(const std::string& name, const std::string& value) {
    check(name != "term" && name != "secret", "term and secret have writers of their own");
    return inside_->change([&](const Transaction& txn) {
        return inside_->write(txn, meta_table, name, seal_value(value));
    });
}
const std::string& LocalKv::secret() const { return inside_->secret; }

Result<bool> LocalKv::use_link(const std::string& id, Instant expires_at, Instant now) {
    if (expires_at <= now) return false;
    return inside_->change([&](const Transaction& txn) -> Result<bool> {
        if (TRY(inside_->read(txn, link_table, id))) return false;
        TRY(inside_->drop_old_links(txn, now));
        TRY(inside_->write(txn, link_table, id, seal_value(expires_at)));
        TRY(inside_->write(txn, link_end_table, link_end_key(expires_at, id), ""));
        return true;
    });
}

Result<std::optional<Instant>> LocalKv::activity(const WorkspaceId& workspace) const {
    TRY(check_label(workspace));
    const int fd = ::open(inside_->activity_path(workspace).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return std::nullopt;
    if (fd < 0) return fail(system_error(errno, "cannot open", inside_->activity_path(workspace)));
    std::array<char, activity_bytes> text{};
    const auto got = ::pread(fd, text.data(), text.size(), 0);
    ::close(fd);
    if (got != static_cast<ssize_t>(text.size())) return std::nullopt;   // a writer has only just made it
    const auto at = from_rfc3339({text.data(), text.size()});
    if (!at) return fail(ErrorKind::corrupt, "{} holds no instant", inside_->activity_path(workspace));
    return std::optional{*at};
}

Result<void> LocalKv::put_activity(const WorkspaceId& workspace, Instant at) {
    TRY(check_label(workspace));
    const auto path = inside_->activity_path(workspace);
    const auto text = to_rfc3339(at);
    if (text.size() != activity_bytes) return fail(ErrorKind::invalid, "{} is no instant of this age", text);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(system_error(errno, "cannot open", path));
    const auto put = ::pwrite(fd, text.data(), text.size(), 0);
    const int code = put == static_cast<ssize_t>(text.size()) ? 0 : (put < 0 ? errno : ENOSPC);
    ::close(fd);
    if (code != 0) return fail(system_error(code, "cannot write", path));
    return {};
}

Result<void> LocalKv::drop_activity(const WorkspaceId& workspace) {
    TRY(check_label(workspace));
    const auto path = inside_->activity_path(workspace);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(system_error(errno, "cannot remove", path));
    return {};
}

}  // namespace berth
