// SPDX-License-Identifier: Apache-2.0
#include "allocator/ledger/dynamodb/store.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/diagnostics.hpp"

namespace berth::allocator {

using Json = nlohmann::json;

namespace {

constexpr std::size_t table_min = 3, table_max = 255, prefix_max = 64;
constexpr std::size_t piece_bytes = 350'000;          // of a snapshot's view
constexpr std::uint32_t snapshots_kept = 2, snapshots_max = 100;
constexpr std::size_t writes_at_once = 25;            // of BatchWriteItem
constexpr std::size_t read_bytes_max = 16ULL << 20;   // of one call of rows()
constexpr std::uint32_t unprocessed_tries_max = 20;
constexpr Duration unprocessed_pause{50};             // longer each time
constexpr std::uint32_t tries_max = 100;              // give_up comes first
constexpr std::uint32_t active_tries_max = 240;       // while a new table is made
constexpr Duration active_pause{500};
constexpr Duration slow_worth_telling{500};
constexpr const char* only_new = "attribute_not_exists(#part)";
constexpr std::string_view scheme = "dynamodb://", query_sign = "?prefix=";

Json number(std::uint64_t value) { return {{"N", std::to_string(value)}}; }
Json binary(std::string_view bytes) { return {{"B", aws::to_base64(bytes)}}; }
Json text(const std::string& value) { return {{"S", value}}; }

const Json* attribute(const Json& item, const char* name, const char* type) {
    const auto at = item.find(name);
    if (at == item.end() || !at->is_object() || !at->contains(type) || !at->at(type).is_string()) return nullptr;
    return &at->at(type);
}
std::uint64_t number_in(const Json& item, const char* name) {
    const auto* value = attribute(item, name, "N");
    return value ? std::strtoull(value->get_ref<const std::string&>().c_str(), nullptr, 10) : 0;
}
std::string binary_in(const Json& item, const char* name) {
    const auto* value = attribute(item, name, "B");
    return value ? aws::from_base64(value->get_ref<const std::string&>()) : std::string{};
}
std::string text_in(const Json& item, const char* name) {
    const auto* value = attribute(item, name, "S");
    return value ? value->get<std::string>() : std::string{};
}

/// What it lacks stays empty, and its checksum tells.
Row row_of(const Json& item) {
    return {Position{number_in(item, "first")}, Position{number_in(item, "last")}, binary_in(item, "records"),
            static_cast<std::uint32_t>(number_in(item, "crc")), binary_in(item, "chain"), text_in(item, "writer")};
}

bool is_name(std::string_view of, std::size_t least, std::size_t most) {
    const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'; };
    return of.size() >= least && of.size() <= most && std::all_of(of.begin(), of.end(), fits);
}

}  // namespace

Result<DynamoPlan> read_dynamo_address(const std::string& address) {
    DynamoPlan plan;
    auto rest = std::string_view{address};
    if (rest == "dynamodb" || rest == "dynamodb:" || rest == scheme) return plan;
    const auto bad = [&](std::string_view why) { return fail(ErrorKind::invalid, "'{}': {}; it is dynamodb://TABLE, with ?prefix=NAME if need be", address, why); };
    if (!rest.starts_with(scheme)) return bad("it is no address of DynamoDB");
    rest.remove_prefix(scheme.size());
    if (const auto question = rest.find('?'); question != std::string_view::npos) {
        const auto given = rest.substr(question);
        if (!given.starts_with(query_sign)) return bad("after ? comes prefix=NAME");
        plan.prefix = std::string{given.substr(query_sign.size())};
        if (!is_name(plan.prefix, 1, prefix_max)) return bad("a prefix is of letters, digits, and - _ .");
        rest = rest.substr(0, question);
    }
    if (!is_name(rest, table_min, table_max)) return bad("a table's name has 3 to 255 letters, digits, and - _ .");
    plan.table = std::string{rest};
    return plan;
}

DynamoStore::DynamoStore(DynamoPlan plan)
    : plan_(std::move(plan)), name_("dynamodb://" + plan_.table + (plan_.prefix.empty() ? "" : "?prefix=" + plan_.prefix)),
      chain_(clock_, {.profile = plan_.policy.profile, .region = plan_.policy.region}) {
    if (!plan_.prefix.empty()) plan_.prefix += '/';
}

Result<void> DynamoStore::connect() {
    const auto region = plan_.policy.region.empty() ? TRY(chain_.find_region()) : plan_.policy.region;
    TRY(aws::check_region(region));
    aws::Setup setup{.service = aws::dynamodb, .region = region, .endpoint = TRY(aws::endpoint_of(aws::dynamodb, region, aws::own_environment())),
                     .retry = {.tries_max = tries_max, .pause = Duration{50}, .pause_throttled = Duration{100}, .pause_max = Duration{2'000}, .token_cost = 0},
                     .deadline = plan_.policy.answer, .give_up = plan_.policy.give_up};
    setup.pause = [this](Duration wait) {
        if (wait >= slow_worth_telling) log_warn("ledger.slow", {{"store", name_}, {"pause_ms", wait.count()}, {"why", "throttled, or no answer"}});
        std::this_thread::sleep_for(wait);
    };
    client_ = std::make_unique<aws::JsonClient>(clock_, &chain_, std::move(setup));
    return {};
}

Error DynamoStore::error_of(const aws::Fault& fault) const {
    if (fault.code == "ResourceNotFoundException") {
        return {ErrorKind::not_found, fmt::format("no table {} in {}: make it with `berth-allocator init --store {}`, or mend [ledger] store and "
                                                  "[ledger.dynamodb] region", plan_.table, client_->setup().region, name_)};
    }
    return {aws::to_error(fault).kind, fmt::format("{}: {}", name_, fault.text)};
}

Result<Json> DynamoStore::call(const std::string& action, const Json& body) {
    auto answer = client_->call(action, body);
    if (!answer) return fail(error_of(answer.error()));
    return std::move(*answer);
}

Result<std::string> DynamoStore::check_table() {
    const auto table = TRY(call("DescribeTable", {{"TableName", plan_.table}})).value("Table", Json::object());
    auto types = Json::object();
    for (const auto& one : table.value("AttributeDefinitions", Json::array())) types[one.value("AttributeName", "")] = one.value("AttributeType", "");
    auto key = Json::object();
    for (const auto& one : table.value("KeySchema", Json::array())) key[one.value("AttributeName", "")] = one.value("KeyType", "");
    if (key != Json{{"part", "HASH"}, {"at", "RANGE"}} || types.value("part", "") != "S" || types.value("at", "") != "N") {
        return fail(ErrorKind::conflict, "the table {} in {} has another key than part (S) and at (N): it is somebody else's, name another in [ledger] store",
                    plan_.table, client_->setup().region);
    }
    return table.value("TableStatus", "");
}

Result<std::unique_ptr<Store>> DynamoStore::open(const DynamoPlan& plan) {
    std::unique_ptr<DynamoStore> store{new DynamoStore(plan)};
    TRY(store->connect());
    if (const auto status = TRY(store->check_table()); status != "ACTIVE" && status != "UPDATING") {
        return fail(ErrorKind::unavailable, "the table {} is {}: wait until it is ACTIVE", plan.table, status);
    }
    return store;
}

Result<std::string> DynamoStore::init(const DynamoPlan& plan) {
    DynamoStore store(plan);
    TRY(store.connect());
    const auto made = store.client_->call("CreateTable", {
        {"TableName", plan.table}, {"BillingMode", "PAY_PER_REQUEST"},
        {"AttributeDefinitions", {{{"AttributeName", "part"}, {"AttributeType", "S"}}, {{"AttributeName", "at"}, {"AttributeType", "N"}}}},
        {"KeySchema", {{{"AttributeName", "part"}, {"KeyType", "HASH"}}, {{"AttributeName", "at"}, {"KeyType", "RANGE"}}}}});
    if (!made && made.error().code != "ResourceInUseException") return fail(store.error_of(made.error()));
    for (std::uint32_t tries = 1; TRY(store.check_table()) != "ACTIVE"; ++tries) {
        if (tries == active_tries_max) return fail(ErrorKind::timeout, "the table {} is still being made; look again later", plan.table);
        std::this_thread::sleep_for(active_pause);
    }
    const auto recovery = store.client_->call("UpdateContinuousBackups", {{"TableName", plan.table}, {"PointInTimeRecoverySpecification", {{"PointInTimeRecoveryEnabled", true}}}});
    return fmt::format("the table {} in {} {}; point-in-time recovery is {}", plan.table, store.client_->setup().region, made ? "was made" : "was there",
                       recovery ? "on" : "off (" + recovery.error().text + ")");
}

// ---- items

Json DynamoStore::key(const std::string& part, std::uint64_t at) const { return {{"part", text(plan_.prefix + part)}, {"at", number(at)}}; }

Result<Json> DynamoStore::get(const std::string& part, std::uint64_t at) {
    const auto answer = TRY(call("GetItem", {{"TableName", plan_.table}, {"Key", key(part, at)}, {"ConsistentRead", true}}));
    return answer.value("Item", Json{});
}

Result<void> DynamoStore::put_item(const Json& item) {
    TRY(call("PutItem", {{"TableName", plan_.table}, {"Item", item}}));
    return {};
}

Result<bool> DynamoStore::put_new(const Json& item) {
    const auto put = client_->call("PutItem", {{"TableName", plan_.table}, {"Item", item}, {"ConditionExpression", only_new},
                                               {"ExpressionAttributeNames", {{"#part", "part"}}}});
    if (!put && put.error().code != "ConditionalCheckFailedException") return fail(error_of(put.error()));
    return put.has_value();
}

Result<void> DynamoStore::write_batch(Json wanted) {
    std::size_t next = 0;
    auto left = Json::array();
    for (std::uint32_t idle = 0; next < wanted.size() || !left.empty();) {
        while (left.size() < writes_at_once && next < wanted.size()) left.push_back(std::move(wanted[next++]));
        const auto asked = left.size();
        const auto answer = TRY(call("BatchWriteItem", {{"RequestItems", {{plan_.table, left}}}}));
        left = answer.value("UnprocessedItems", Json::object()).value(plan_.table, Json::array());
        idle = left.size() < asked ? 0 : idle + 1;
        if (idle == unprocessed_tries_max) return fail(ErrorKind::unavailable, "{} takes no more items now: it is throttled", name_);
        if (!left.empty()) std::this_thread::sleep_for(unprocessed_pause * (idle + 1));
    }
    return {};
}

Result<std::vector<Json>> DynamoStore::query(const std::string& part, const std::string& condition, std::uint64_t at, bool forward, std::uint32_t limit) {
    std::vector<Json> items;
    std::size_t bytes = 0;
    Json body{{"TableName", plan_.table}, {"ConsistentRead", true}, {"ScanIndexForward", forward},
              {"KeyConditionExpression", "#part = :part AND #at " + condition + " :at"},
              {"ExpressionAttributeNames", {{"#part", "part"}, {"#at", "at"}}},
              {"ExpressionAttributeValues", {{":part", text(plan_.prefix + part)}, {":at", number(at)}}}};
    while (items.size() < limit && bytes < read_bytes_max) {
        body["Limit"] = limit - items.size();
        auto answer = TRY(call("Query", body));
        for (auto& item : answer["Items"]) {
            if (const auto* records = attribute(item, "records", "B")) bytes += records->get_ref<const std::string&>().size();
            items.push_back(std::move(item));
        }
        const auto last = answer.find("LastEvaluatedKey");
        if (last == answer.end() || last->is_null()) break;
        body["ExclusiveStartKey"] = *last;
    }
    return items;
}

// ---- named values

Result<std::string> DynamoStore::value(const std::string& key_) { return text_in(TRY(get("value#" + key_, 0)), "value"); }

Result<void> DynamoStore::set_value(const std::string& key_, const std::string& value) {
    auto item = key("value#" + key_, 0);
    item["value"] = text(value);
    return put_item(item);
}

Result<std::string> DynamoStore::first_value(const std::string& key_, const std::string& value_) {
    if (auto stands = TRY(value(key_)); !stands.empty()) return stands;
    auto item = key("value#" + key_, 0);
    item["value"] = text(value_);
    TRY(put_new(item));
    return value(key_);
}

// ---- rows

Result<std::optional<Tail>> DynamoStore::tail() {
    const auto items = TRY(query("log", ">=", 0, false, 1));
    if (items.empty()) return std::nullopt;
    // A new id that its writer did not come to set.
    if (const auto id = text_in(items.front(), "new_id"); !id.empty() && TRY(value("id")) != id) TRY(set_value("id", id));
    auto row = row_of(items.front());
    Tail tail{row.last, std::move(row.chain)};
    if (!known_ || tail.last >= known_->last) {
        known_ = tail;
        known_at_ = number_in(items.front(), "at");
    }
    return tail;
}

Result<void> DynamoStore::put(const Row& row, Position expected, const std::string& new_id) {
    const auto at = expected.value + 1;
    auto item = key("log", at);
    item.update({{"first", number(row.first.value)}, {"last", number(row.last.value)}, {"records", binary(row.records)}, {"crc", number(row.crc)},
                 {"chain", binary(row.chain)}, {"writer", text(row.writer)}});
    if (!new_id.empty()) item["new_id"] = text(new_id);
    if (!TRY(put_new(item))) {
        // An earlier try, whose answer was lost, may have put it: what stands there says whose it is.
        const auto stands = row_of(TRY(get("log", at)));
        if (stands.writer != row.writer || stands.chain != row.chain) {
            return fail(ErrorKind::fenced, "append to {} at {}, but there is an item after it: another allocator wrote it", name_, expected.value);
        }
    }
    if (!new_id.empty()) TRY(set_value("id", new_id));
    known_ = {row.last, row.chain};
    known_at_ = at;
    return {};
}

Result<void> DynamoStore::confirm(Position expected) {
    const auto next = TRY(get("log", expected.value + 1));
    if (next.is_null()) return {};
    return fail(ErrorKind::fenced, "{} does not end at {} any more: another allocator wrote it", name_, expected.value);
}

// A row's key is the position after the row before, and where a row ends the next one's key begins.
Result<std::vector<Row>> DynamoStore::rows(Position from, std::uint32_t limit) {
    auto items = TRY(query("log", ">=", from.value, true, limit));
    if ((items.empty() || number_in(items.front(), "at") != from.value) && from.value > 1) {
        auto before = TRY(query("log", "<", from.value, false, 1));
        if (!before.empty() && number_in(before.front(), "last") >= from.value) items.insert(items.begin(), std::move(before.front()));
    }
    std::vector<Row> found;
    for (const auto& item : items) {
        if (found.size() < limit) found.push_back(row_of(item));
    }
    return found;
}

// ---- snapshots and index

// The head is there before and after the pieces, so that of one that broke off the pieces are found again.
Result<void> DynamoStore::put_snapshot(const StoredSnapshot& snapshot) {
    const auto part = "snapshot#" + std::to_string(snapshot.position.value);
    auto head = key("snapshot", snapshot.position.value);
    head["crc"] = number(snapshot.crc);
    head["parts"] = number((snapshot.view.size() + piece_bytes - 1) / piece_bytes);
    head["whole"] = number(0);
    TRY(put_item(head));
    for (std::size_t at = 0; at < snapshot.view.size(); at += piece_bytes) {
        auto item = key(part, at / piece_bytes);
        item["view"] = binary(std::string_view{snapshot.view}.substr(at, piece_bytes));
        TRY(put_item(item));
    }
    head["whole"] = number(1);
    TRY(put_item(head));
    std::uint32_t whole = 0;
    for (const auto& other : TRY(query("snapshot", ">=", 0, false, snapshots_max))) {
        if (number_in(other, "at") > snapshot.position.value) continue;
        whole += number_in(other, "whole") == 1 ? 1 : 0;
        if (number_in(other, "whole") == 0 || whole > snapshots_kept) TRY(remove_snapshot(other));
    }
    return {};
}

Result<void> DynamoStore::remove_snapshot(const Json& head) {
    const auto at = number_in(head, "at");
    auto wanted = Json::array();
    const auto remove = [&](const Json& of) { wanted.push_back({{"DeleteRequest", {{"Key", of}}}}); };
    for (std::uint64_t piece = 0; piece < number_in(head, "parts"); ++piece) remove(key("snapshot#" + std::to_string(at), piece));
    TRY(write_batch(std::move(wanted)));
    wanted = Json::array();
    remove(key("snapshot", at));
    return write_batch(std::move(wanted));
}

Result<std::vector<StoredSnapshot>> DynamoStore::snapshots() {
    std::vector<StoredSnapshot> found;
    for (const auto& head : TRY(query("snapshot", ">=", 0, false, snapshots_max))) {
        if (number_in(head, "whole") == 0) continue;
        StoredSnapshot snapshot{Position{number_in(head, "at")}, {}, static_cast<std::uint32_t>(number_in(head, "crc"))};
        const auto part = "snapshot#" + std::to_string(snapshot.position.value);
        for (std::uint64_t piece = 0; piece < number_in(head, "parts"); ++piece) snapshot.view += binary_in(TRY(get(part, piece)), "view");
        found.push_back(std::move(snapshot));
        if (found.size() == snapshots_kept) break;
    }
    return found;
}

Result<void> DynamoStore::index(const std::vector<Subject>& subjects, Position upto) {
    std::set<std::pair<std::string, std::uint64_t>> keys;     // no key twice in one call
    for (const auto& [subject, position] : subjects) keys.emplace(subject, position.value);
    auto wanted = Json::array();
    for (const auto& [subject, position] : keys) wanted.push_back({{"PutRequest", {{"Item", key("about#" + subject, position)}}}});
    TRY(write_batch(std::move(wanted)));
    return set_value("indexed", std::to_string(upto.value));
}

Result<std::vector<Position>> DynamoStore::about(const std::string& subject, Position from, std::uint32_t limit) {
    std::vector<Position> positions;
    for (const auto& item : TRY(query("about#" + subject, ">=", from.value, true, limit))) positions.push_back(Position{number_in(item, "at")});
    return positions;
}

// The fence does not see that what is before it was deleted, or that the table was put back to an older state: this
// does, by the end that it saw the last time.
Result<Storage> DynamoStore::tidy() {
    const auto gone = [&](Position end, Position written) {
        return fail(ErrorKind::corrupt, "{} ends at {}, though {} was written: its items were deleted, or it is an old copy (docs/restore.md)", name_,
                    end.value, written.value);
    };
    if (looked_at_) {
        const auto stands = row_of(TRY(get("log", looked_at_key_)));
        if (stands.last != looked_at_->last || stands.chain != looked_at_->chain) {
            return fail(ErrorKind::corrupt, "{} does not hold position {} any more as it was written: its items were deleted, or it is an old copy (docs/restore.md)",
                        name_, looked_at_->last.value);
        }
    }
    const auto known = known_;
    const auto end = TRY(tail());
    if (known && (!end || end->last < known->last)) return gone(end ? end->last : Position{}, known->last);
    looked_at_ = known_;
    looked_at_key_ = known_at_;
    return Storage::ample;
}

}  // namespace berth::allocator
