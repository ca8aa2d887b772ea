// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger/redis/store.hpp"

#include <algorithm>
#include <charconv>
#include <thread>

namespace berth::allocator {

namespace {

constexpr Duration pause_first{20};
constexpr Duration pause_most{500};
constexpr std::uint32_t tail_looks_max = 100;             // while others write, each look sees another end

// Checks all before it writes anything: what a script wrote is not undone when it fails.
constexpr const char* append_script = R"(
local head = redis.call('HGET', KEYS[1], 'head')
if not head then return {'gone', ''} end
if head ~= ARGV[1] then return {'moved', head} end
if head ~= '0' and redis.call('EXISTS', KEYS[2]) == 0 then return {'gone', head} end
redis.call('XADD', KEYS[2], ARGV[3] .. '-0', 'first', ARGV[2], 'records', ARGV[4], 'crc', ARGV[5], 'chain', ARGV[6], 'writer', ARGV[7])
redis.call('HSET', KEYS[1], 'head', ARGV[3])
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'id', ARGV[8]) end
return {'done', ARGV[3]}
)";

std::uint64_t number_of(std::string_view text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}
std::string text_of(Position position) { return std::to_string(position.value); }

redis::Access access_of(const RedisPolicy& policy) {
    return {.user = policy.user, .password_file = policy.password_file, .section = "ledger.redis", .connect = policy.connect, .answer = policy.answer};
}

/// An entry of the stream. What it lacks stays empty, and its checksum tells.
Row row_of(const redis::Reply& entry) {
    Row row;
    if (entry.list.size() != 2) return row;
    row.last.value = number_of(entry.list[0].text);
    const auto& fields = entry.list[1].list;
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
        const auto& name = fields[i].text;
        const auto& value = fields[i + 1].text;
        if (name == "first") row.first.value = number_of(value);
        if (name == "records") row.records = value;
        if (name == "crc") row.crc = static_cast<std::uint32_t>(number_of(value));
        if (name == "chain") row.chain = value;
        if (name == "writer") row.writer = value;
    }
    return row;
}

}  // namespace

Result<std::unique_ptr<Store>> RedisStore::open(const RedisPlan& plan) {
    std::unique_ptr<RedisStore> store{new RedisStore(plan)};
    const auto connected = store->insist([&]() -> Result<redis::Reply> {
        TRY(store->connect());
        return redis::Reply{};
    });
    if (!connected) return fail(connected.error());
    const auto type = TRY(store->ask({"TYPE", store->key("meta")})).text;
    if (type != "none" && type != "hash") {
        return fail(ErrorKind::conflict, "{}: the key {} is a {} of somebody else; choose another prefix in [ledger] store", plan.place.name,
                    store->key("meta"), type);
    }
    const bool begun = !TRY(store->ask({"HGET", store->key("meta"), "head"})).is_nil();
    if (!begun) {
        if (TRY(store->ask({"EXISTS", store->key("log")})).number != 0) return store->gone();
        TRY(store->ask({"HSETNX", store->key("meta"), "head", "0"}));
    }
    return store;
}

Result<void> RedisStore::connect() {
    if (connection_ && connection_->is_open()) return {};
    connection_ = TRY(redis::Connection::open(plan_.place, access_of(plan_.policy)));
    const auto prepare = [&]() -> Result<void> {
        TRY(audit());                     // also after a failover, which may lead to another server
        script_ = TRY(connection_->ask({"SCRIPT", "LOAD", append_script})).text;
        return {};
    };
    auto prepared = prepare();
    if (!prepared) connection_.reset();
    return prepared;
}

Result<RedisFacts> RedisStore::audit() {
    const auto info = parse_redis_info(TRY(connection_->ask({"INFO"})).text);
    RedisFacts config;
    for (const auto* name : {"appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory", "maxmemory-policy"}) {
        const auto pair = TRY(connection_->ask({"CONFIG", "GET", name})).list;
        if (pair.size() == 2) config[pair[0].text] = pair[1].text;
    }
    TRY(audit_redis(info, config, plan_.place.name));
    return info;
}

Result<redis::Reply> RedisStore::insist(const std::function<Result<redis::Reply>()>& once, const std::function<void()>& lost) {
    const auto until = Steady::now() + plan_.policy.give_up;
    for (auto pause = pause_first;; pause = std::min(pause * 2, pause_most)) {
        auto reply = once();
        if (reply) return reply;
        const bool broken = !connection_ || !connection_->is_open();
        const bool no_use = reply.error().kind != ErrorKind::unavailable && reply.error().kind != ErrorKind::timeout;
        if (no_use || (!broken && !redis::is_passing(reply.error()))) return reply;
        if (broken && lost) lost();
        if (Steady::now() + pause >= until) return reply;
        std::this_thread::sleep_for(pause);
    }
}

Result<redis::Reply> RedisStore::ask(const redis::Words& words) {
    return insist([&]() -> Result<redis::Reply> {
        TRY(connect());
        return connection_->ask(words);
    });
}

// ---- named values

Result<std::string> RedisStore::value(const std::string& key_) { return TRY(ask({"HGET", key("meta"), key_})).text; }

Result<void> RedisStore::set_value(const std::string& key_, const std::string& value) {
    TRY(ask({"HSET", key("meta"), key_, value}));
    return {};
}

Result<std::string> RedisStore::first_value(const std::string& key_, const std::string& value_) {
    TRY(ask({"HSETNX", key("meta"), key_, value_}));
    return value(key_);
}

// ---- rows

tl::unexpected<Error> RedisStore::gone() const {
    return fail(ErrorKind::corrupt, "the keys {{{}}}:* of {} were deleted, wholly or in part (FLUSHALL?): put an export back with "
                "`berth-allocator import` (docs/restore.md)", plan_.prefix, plan_.place.name);
}

tl::unexpected<Error> RedisStore::moved(Position expected, const std::string& head) const {
    if (number_of(head) > expected.value) {
        return fail(ErrorKind::fenced, "append to {} at {}, but its head is {}: another allocator wrote it", plan_.place.name, expected.value, head);
    }
    return fail(ErrorKind::corrupt, "{} ends at {}, though {} was written: it is an old copy of the ledger, of a backup or a replica "
                "(docs/restore.md)", plan_.place.name, head, expected.value);
}

// Two questions: of what another allocator writes between them, the second tells what the first did not. Damage stays as it is.
Result<std::optional<Tail>> RedisStore::tail() {
    auto head = TRY(value("head"));
    for (std::uint32_t looks = 0;; ++looks) {
        const auto entries = TRY(ask({"XREVRANGE", key("log"), "+", "-", "COUNT", "1"})).list;
        if (entries.empty() && head == "0") return std::nullopt;
        if (!entries.empty()) {
            auto row = row_of(entries.front());
            if (text_of(row.last) == head) return Tail{row.last, std::move(row.chain)};
        }
        auto now = TRY(value("head"));
        const bool moves = now != head && looks < tail_looks_max;
        if (!moves && entries.empty()) return gone();
        if (!moves) {
            return fail(ErrorKind::corrupt, "{} was changed after position {}: its head says {}. Restore a copy (docs/restore.md)", plan_.place.name,
                        std::min(row_of(entries.front()).last.value, number_of(head)), head);
        }
        head = std::move(now);
    }
}

Result<redis::Reply> RedisStore::run_append(const Row& row, Position expected, const std::string& new_id) {
    TRY(connect());
    return connection_->ask({"EVALSHA", script_, "2", key("meta"), key("log"), text_of(expected), text_of(row.first), text_of(row.last), row.records,
                             std::to_string(row.crc), row.chain, row.writer, new_id});
}

// A try without an answer may have been done, or may still be done: so the same is tried again, which does nothing
// then, and what stands at the position says whose it is.
Result<void> RedisStore::put(const Row& row, Position expected, const std::string& new_id) {
    bool lost = false;
    const auto reply = TRY(insist([&] { return run_append(row, expected, new_id); }, [&] { lost = true; }));
    if (reply.list.size() != 2) return fail(ErrorKind::internal, "{} answered its script with something else", plan_.place.name);
    const auto& said = reply.list[0].text;
    if (said == "gone") return gone();
    bool settled = false;
    if (said == "moved") {
        settled = lost && TRY(is_ours(row));
        if (!settled) return moved(expected, reply.list[1].text);
    }
    return wait_for_replicas(settled);
}

Result<bool> RedisStore::is_ours(const Row& row) {
    const auto at = text_of(row.last) + "-0";
    const auto entries = TRY(ask({"XRANGE", key("log"), at, at})).list;
    if (entries.empty()) return false;
    const auto stands = row_of(entries.front());
    return stands.writer == row.writer && stands.chain == row.chain;
}

// WAIT counts from the last write of its own connection.
Result<void> RedisStore::wait_for_replicas(bool settled) {
    const auto wanted = plan_.policy.wait_replicas;
    if (wanted == 0) return {};
    bool fresh = settled;
    std::int64_t have = 0;
    const auto until = Steady::now() + plan_.policy.give_up;
    do {
        const auto waited = insist([&]() -> Result<redis::Reply> {
            if (!connection_ || !connection_->is_open()) fresh = true;
            TRY(connect());
            if (fresh) TRY(connection_->ask({"HSET", key("meta"), "waited", "1"}));
            fresh = false;
            TRY(connection_->be_patient(plan_.policy.answer));
            auto reply = TRY(connection_->ask({"WAIT", std::to_string(wanted), std::to_string(plan_.policy.answer.count())}));
            TRY(connection_->be_patient(Duration{0}));
            have = reply.number;
            return reply;
        });
        if (!waited) return fail(waited.error());
        if (have >= wanted) return {};
    } while (Steady::now() < until);
    return fail(ErrorKind::unavailable, "{} of {} replicas of {} have the last append ([ledger.redis] wait_replicas)", have, wanted, plan_.place.name);
}

Result<void> RedisStore::confirm(Position expected) {
    const auto head = TRY(ask({"HGET", key("meta"), "head"}));
    if (head.is_nil()) return gone();
    if (head.text != text_of(expected)) return moved(expected, head.text);
    return {};
}

Result<std::vector<Row>> RedisStore::rows(Position from, std::uint32_t limit) {
    std::vector<Row> found;
    for (const auto& entry : TRY(ask({"XRANGE", key("log"), text_of(from) + "-0", "+", "COUNT", std::to_string(limit)})).list) found.push_back(row_of(entry));
    return found;
}

// ---- snapshots and index

Result<void> RedisStore::put_snapshot(const StoredSnapshot& snapshot) {
    TRY(ask({"HSET", key("snapshots"), text_of(snapshot.position), std::to_string(snapshot.crc) + " " + snapshot.view}));
    const auto all = TRY(ask({"HKEYS", key("snapshots")})).list;
    std::vector<std::uint64_t> positions;
    for (const auto& one : all) positions.push_back(number_of(one.text));
    std::sort(positions.rbegin(), positions.rend());
    for (std::size_t i = 2; i < positions.size(); ++i) TRY(ask({"HDEL", key("snapshots"), std::to_string(positions[i])}));
    return {};
}

Result<std::vector<StoredSnapshot>> RedisStore::snapshots() {
    std::vector<StoredSnapshot> found;
    const auto pairs = TRY(ask({"HGETALL", key("snapshots")})).list;
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
        const auto& text = pairs[i + 1].text;
        const auto space = std::min(text.find(' '), text.size());
        found.push_back({Position{number_of(pairs[i].text)}, text.substr(std::min(space + 1, text.size())), static_cast<std::uint32_t>(number_of(std::string_view{text}.substr(0, space)))});
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.position > b.position; });
    return found;
}

Result<void> RedisStore::index(const std::vector<Subject>& subjects, Position upto) {
    std::vector<redis::Words> commands;
    for (const auto& [subject, position] : subjects) commands.push_back({"ZADD", key("about:" + subject), text_of(position), text_of(position)});
    commands.push_back({"HSET", key("meta"), "indexed", text_of(upto)});
    const auto indexed = insist([&]() -> Result<redis::Reply> {
        TRY(connect());
        TRY(connection_->ask_all(commands));
        return redis::Reply{};
    });
    if (!indexed) return fail(indexed.error());
    return {};
}

Result<std::vector<Position>> RedisStore::about(const std::string& subject, Position from, std::uint32_t limit) {
    std::vector<Position> positions;
    for (const auto& one : TRY(ask({"ZRANGEBYSCORE", key("about:" + subject), text_of(from), "+inf", "LIMIT", "0", std::to_string(limit)})).list) {
        positions.push_back(Position{number_of(one.text)});
    }
    return positions;
}

Result<Storage> RedisStore::tidy() {
    RedisFacts info;
    const auto looked = insist([&]() -> Result<redis::Reply> {
        TRY(connect());
        info = TRY(audit());
        return redis::Reply{};
    });
    if (!looked) return fail(looked.error());
    return redis_room(info);
}

}  // namespace berth::allocator
