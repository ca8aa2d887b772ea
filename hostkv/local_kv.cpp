// SPDX-License-Identifier: Apache-2.0
// The host's memory on LMDB. Every value is a checksum and a msgpack value (events/wire.hpp).
//
// Last activity stands beside the environment, one file of one line per workspace: it is written
// often and need not be durable, and LMDB's unsynced commits could take the durable data with them.
#include "hostkv/local_kv.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "base/rng.hpp"
#include "events/wire.hpp"
#include "hostkv/lmdb.hpp"
#include "hostkv/token.hpp"

namespace berth {

using namespace lmdb;

namespace {

namespace files = std::filesystem;

constexpr std::size_t value_bytes_max = 64 * 1024;
/// Used links are kept longer than a session made of one lives, and than they live, so that a clock that
/// steps back revives none.
constexpr Duration link_kept = session_lifetime + Duration{3'600'000};
constexpr int links_dropped_at_once = 64;
constexpr std::size_t activity_bytes = 24;   // RFC 3339 with milliseconds
constexpr std::size_t editors_bytes = activity_bytes + 4;   // … a blank and three digits
constexpr auto editors_suffix = ".editors";  // no workspace's id has a dot

std::string slot_key(std::uint32_t slot) { return big_endian(slot, 4); }
std::string link_end_key(Instant expires_at, const std::string& id) {
    return big_endian(static_cast<std::uint64_t>(expires_at.time_since_epoch().count()), 8) + id;
}

template <class T>
std::string seal_value(const T& value) {
    const auto bytes = wire::to_bytes(value);
    return big_endian(crc32c(bytes), 4) + bytes;
}

template <class T>
Result<T> read_value_of(std::string_view stored) {
    auto value = wire::from_bytes<T>(TRY(open_value(stored)), DecodeLimits{.bytes = value_bytes_max});
    if (!value) return fail(ErrorKind::corrupt, "a value is not what this version wrote: {}", value.error().text);
    return value;
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
    if (is_dns_label(workspace.value)) return {};
    return fail(ErrorKind::invalid, "'{}' is no workspace id", workspace.value.substr(0, 63));
}

/// A file of one line of so many bytes, written over and over. Nothing when there is none.
Result<std::optional<std::string>> read_hint(const std::string& path, std::size_t bytes) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return std::nullopt;
    if (fd < 0) return fail(system_error(errno, "cannot open", path));
    std::string text(bytes, '\0');
    const auto got = ::pread(fd, text.data(), text.size(), 0);
    ::close(fd);
    // A writer has only just made it, or the disk was full: there was use, and nobody knows when (I32).
    if (got != static_cast<ssize_t>(bytes)) return fail(ErrorKind::unavailable, "{} holds no instant yet", path);
    return std::optional{std::move(text)};
}

Result<void> write_hint(const std::string& path, const std::string& text, std::size_t bytes) {
    if (text.size() != bytes) return fail(ErrorKind::invalid, "{} is no instant of this age", text);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(system_error(errno, "cannot open", path));
    const auto put = ::pwrite(fd, text.data(), text.size(), 0);
    const int code = put == static_cast<ssize_t>(text.size()) ? 0 : (put < 0 ? errno : ENOSPC);
    ::close(fd);
    if (code != 0) return fail(system_error(code, "cannot write", path));
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
    Result<void> put(const Transaction& txn, const SlotRecord& record) const {
        const auto known = TRY(read_as<SlotRecord>(txn, slot_table, slot_key(record.slot)));
        if (known && record.epoch < known->epoch) {
            return fail(ErrorKind::fenced, "slot {} held epoch {}; {} is older", record.slot, known->epoch.value,
                        record.epoch.value);
        }
        return write(txn, slot_table, slot_key(record.slot), seal_value(record));
    }
    Result<void> put(const Transaction& txn, const RouteRecord& record) const {
        TRY(check_label(record.workspace));
        return write(txn, route_table, record.workspace.value, seal_value(record));
    }
    Result<void> put(const Transaction& txn, const DropRoute& dropped) const {
        return erase(txn, route_table, dropped.workspace.value);
    }
    Result<void> put(const Transaction& txn, Term term) const {
        const auto known = TRY(read_as<Term>(txn, meta_table, "term")).value_or(Term{});
        if (term < known) return fail(ErrorKind::fenced, "term {} was seen; {} is older", known.value, term.value);
        return write(txn, meta_table, "term", seal_value(term));
    }
    Result<void> put(const Transaction& txn, Position position) const {
        const auto known = TRY(read_as<Position>(txn, meta_table, "position")).value_or(Position{});
        if (position < known) return fail(ErrorKind::fenced, "position {} was seen; {} is older", known.value, position.value);
        return write(txn, meta_table, "position", seal_value(position));
    }
    Result<void> put(const Transaction& txn, const PutSealed&) const {
        return write(txn, meta_table, "sealed", seal_value(std::string{"1"}));
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
    TRY(reserve_room(dir));
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

Result<void> LocalKv::apply(const std::vector<KvChange>& changes) {
    const auto outcome = inside_->change([&](const Transaction& txn) -> Result<void> {
        for (const auto& change : changes) {
            TRY(std::visit([&](const auto& one) { return inside_->put(txn, one); }, change));
        }
        return {};
    });
    if (!outcome) return outcome;
    for (const auto& change : changes) {
        if (const auto* dropped = std::get_if<DropRoute>(&change)) TRY(drop_activity(dropped->workspace));
    }
    return {};
}

Result<bool> LocalKv::sealed() const { return TRY(inside_->get<std::string>(meta_table, "sealed")).has_value(); }

Result<std::optional<RouteRecord>> LocalKv::route(const WorkspaceId& workspace) const {
    return inside_->get<RouteRecord>(route_table, workspace.value);
}
Result<std::vector<RouteRecord>> LocalKv::routes() const { return inside_->all<RouteRecord>(route_table); }

Result<Term> LocalKv::term() const {
    return TRY(inside_->get<Term>(meta_table, "term")).value_or(Term{});
}
Result<Position> LocalKv::position() const {
    return TRY(inside_->get<Position>(meta_table, "position")).value_or(Position{});
}
const std::string& LocalKv::secret() const { return inside_->secret; }

Result<std::optional<std::string>> LocalKv::link_holder(const std::string& id) const {
    return inside_->get<std::string>(link_table, id);
}

Result<bool> LocalKv::use_link(const std::string& id, const std::string& holder, Instant expires_at, Instant now) {
    return inside_->change([&](const Transaction& txn) -> Result<bool> {
        const auto known = TRY(inside_->read_as<std::string>(txn, link_table, id));
        if (known || expires_at <= now) return known == holder;
        TRY(inside_->drop_old_links(txn, now));
        TRY(inside_->write(txn, link_table, id, seal_value(holder)));
        TRY(inside_->write(txn, link_end_table, link_end_key(expires_at, id), ""));
        return true;
    });
}

Result<std::optional<Instant>> LocalKv::activity(const WorkspaceId& workspace) const {
    TRY(check_label(workspace));
    const auto path = inside_->activity_path(workspace);
    const auto text = TRY(read_hint(path, activity_bytes));
    if (!text) return std::nullopt;
    const auto at = from_rfc3339(*text);
    if (!at) return fail(ErrorKind::corrupt, "{} holds no instant", path);
    return std::optional{*at};
}

Result<void> LocalKv::put_activity(const WorkspaceId& workspace, Instant at) {
    TRY(check_label(workspace));
    return write_hint(inside_->activity_path(workspace), to_rfc3339(at), activity_bytes);
}

Result<std::optional<EditorsSeen>> LocalKv::editors(const WorkspaceId& workspace) const {
    TRY(check_label(workspace));
    const auto path = inside_->activity_path(workspace) + editors_suffix;
    const auto text = TRY(read_hint(path, editors_bytes));
    if (!text) return std::nullopt;
    const auto at = from_rfc3339(text->substr(0, activity_bytes));
    EditorsSeen seen{.at = at.value_or(Instant{})};
    const auto [end, bad] = std::from_chars(text->data() + activity_bytes + 1, text->data() + text->size(), seen.windows);
    if (!at || bad != std::errc{} || end != text->data() + text->size()) return fail(ErrorKind::corrupt, "{} holds no instant and number", path);
    return std::optional{seen};
}

Result<void> LocalKv::put_editors(const WorkspaceId& workspace, const EditorsSeen& seen) {
    TRY(check_label(workspace));
    const auto text = fmt::format("{} {:03}", to_rfc3339(seen.at), std::min(seen.windows, editors_seen_max));
    return write_hint(inside_->activity_path(workspace) + editors_suffix, text, editors_bytes);
}

Result<void> LocalKv::drop_activity(const WorkspaceId& workspace) {
    TRY(check_label(workspace));
    const auto path = inside_->activity_path(workspace);
    for (const auto& one : {path, path + editors_suffix}) {
        if (::unlink(one.c_str()) != 0 && errno != ENOENT) return fail(system_error(errno, "cannot remove", one));
    }
    return {};
}

}  // namespace berth
