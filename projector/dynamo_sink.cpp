// SPDX-License-Identifier: Apache-2.0
#include "projector/dynamo_sink.hpp"

#include <nlohmann/json.hpp>
#include <thread>

namespace berth::projector {

using Json = nlohmann::json;

namespace {

constexpr std::size_t writes_at_once = 25;            // of BatchWriteItem
constexpr std::uint32_t unprocessed_tries_max = 20;
constexpr std::uint32_t pages_max = 10'000;
constexpr std::uint32_t active_tries_max = 240;       // while a new table is made
constexpr Duration active_pause{500};
constexpr const char* status_index = "status";
constexpr Duration answer{5'000}, give_up{10'000};   // of one try, of all of one call

Json text(const std::string& value) { return {{"S", value}}; }

Json item_of(const std::string& key, const Fields& fields) {
    Json item{{"instanceId", text(key)}, {"managedBy", text("berth")}};
    for (const auto& [name, value] : fields) item[name] = text(value);
    return item;
}

}  // namespace

DynamoSink::DynamoSink(const Policy& policy)
    : policy_(policy), chain_(clock_, {.profile = policy.dynamodb_profile, .region = policy.dynamodb_region}) {}

Result<void> DynamoSink::connect() {
    if (client_) return {};
    const auto region = policy_.dynamodb_region.empty() ? TRY(chain_.find_region()) : policy_.dynamodb_region;
    auto endpoint = TRY(aws::endpoint_of(aws::dynamodb, region, aws::own_environment()));
    client_ = std::make_unique<aws::JsonClient>(clock_, &chain_, aws::Setup{.service = aws::dynamodb, .region = region, .endpoint = std::move(endpoint),
                                                                             .deadline = answer, .give_up = give_up});
    return {};
}

Result<Json> DynamoSink::call(const std::string& action, const Json& body) {
    TRY(connect());
    auto came = client_->call(action, body);
    if (!came) return fail(error_of(came.error()));
    return std::move(*came);
}

Error DynamoSink::error_of(const aws::Fault& fault) const {
    if (fault.code != "ResourceNotFoundException") return aws::to_error(fault);
    return {ErrorKind::not_found, fmt::format("no table {} in {}: make it with `berth-projector init`", policy_.dynamodb, client_->setup().region)};
}

Result<void> DynamoSink::scan(Json body, const std::function<void(const Json& item)>& take) {
    body.update({{"TableName", policy_.dynamodb}, {"ConsistentRead", true}});
    for (std::uint32_t page = 0; page < pages_max; ++page) {
        const auto items = TRY(call("Scan", body));
        for (const auto& item : items.value("Items", Json::array())) take(item);
        const auto last = items.find("LastEvaluatedKey");
        if (last == items.end() || last->is_null()) return {};
        body["ExclusiveStartKey"] = *last;
    }
    return fail(ErrorKind::limit, "the table {} has more than {} pages", policy_.dynamodb, pages_max);
}

Result<std::vector<std::string>> DynamoSink::keys() {
    std::vector<std::string> found;
    TRY(scan({{"ProjectionExpression", "instanceId"}, {"FilterExpression", "managedBy = :berth"}, {"ExpressionAttributeValues", {{":berth", text("berth")}}}},
             [&](const Json& item) { found.push_back(item.value("instanceId", Json::object()).value("S", "")); }));
    return found;
}

Result<Picture> DynamoSink::read_all() {
    Picture machines;
    TRY(scan(Json::object(), [&](const Json& item) {
        auto& fields = machines[item.value("instanceId", Json::object()).value("S", "")];
        for (const auto& [name, value] : item.items()) {
            for (const auto* type : {"S", "N"}) {
                if (name != "instanceId" && value.contains(type)) fields[name] = value.at(type).get<std::string>();
            }
        }
    }));
    return machines;
}

Result<bool> DynamoSink::add_foreign(const std::string& key, const Fields& fields) {
    auto item = item_of(key, fields);
    item.erase("managedBy");
    TRY(connect());
    const auto put = client_->call("PutItem", {{"TableName", policy_.dynamodb}, {"Item", item}, {"ConditionExpression", "attribute_not_exists(managedBy)"}});
    if (!put && put.error().code != "ConditionalCheckFailedException") return fail(error_of(put.error()));
    return put.has_value();
}

Result<void> DynamoSink::write(const Write& wanted) {
    Json all = Json::array();
    for (const auto& [key, fields] : wanted.set) all.push_back({{"PutRequest", {{"Item", item_of(key, fields)}}}});
    for (const auto& key : wanted.removed) all.push_back({{"DeleteRequest", {{"Key", {{"instanceId", text(key)}}}}}});
    std::size_t next = 0;
    Json left = Json::array();
    for (std::uint32_t idle = 0; next < all.size() || !left.empty();) {
        while (left.size() < writes_at_once && next < all.size()) left.push_back(std::move(all[next++]));
        const auto asked = left.size();
        const auto came = TRY(call("BatchWriteItem", {{"RequestItems", {{policy_.dynamodb, left}}}}));
        left = came.value("UnprocessedItems", Json::object()).value(policy_.dynamodb, Json::array());
        idle = left.size() < asked ? 0 : idle + 1;
        if (idle == unprocessed_tries_max) return fail(ErrorKind::unavailable, "the table {} takes no more items now", policy_.dynamodb);
        if (!left.empty()) std::this_thread::sleep_for(Duration{50 * (idle + 1)});
    }
    return {};
}

// What is there belongs to somebody else, unless its key is ours.
Result<void> DynamoSink::check_key() {
    const auto table = TRY(call("DescribeTable", {{"TableName", policy_.dynamodb}})).value("Table", Json::object());
    const auto key = table.value("KeySchema", Json::array());
    if (key.size() == 1 && key[0].value("AttributeName", "") == "instanceId") return {};
    return fail(ErrorKind::conflict, "the table {} in {} has another key than instanceId: it is somebody else's, name another in [projector] dynamodb",
                policy_.dynamodb, client_->setup().region);
}

Result<std::string> DynamoSink::init() {
    TRY(connect());
    const auto made = client_->call("CreateTable", {
        {"TableName", policy_.dynamodb}, {"BillingMode", "PAY_PER_REQUEST"},
        {"AttributeDefinitions", {{{"AttributeName", "instanceId"}, {"AttributeType", "S"}}, {{"AttributeName", "status"}, {"AttributeType", "S"}}}},
        {"KeySchema", Json::array({{{"AttributeName", "instanceId"}, {"KeyType", "HASH"}}})},
        {"GlobalSecondaryIndexes", Json::array({{{"IndexName", status_index}, {"KeySchema", Json::array({{{"AttributeName", "status"}, {"KeyType", "HASH"}}})},
                                                 {"Projection", {{"ProjectionType", "ALL"}}}}})}});
    if (!made && made.error().code != "ResourceInUseException") return fail(aws::to_error(made.error()));
    for (std::uint32_t tries = 1;; ++tries) {
        const auto table = TRY(call("DescribeTable", {{"TableName", policy_.dynamodb}}));
        if (table.value("Table", Json::object()).value("TableStatus", "") == "ACTIVE") break;
        if (tries == active_tries_max) return fail(ErrorKind::timeout, "the table {} is still being made; look again later", policy_.dynamodb);
        std::this_thread::sleep_for(active_pause);
    }
    TRY(check_key());
    return fmt::format("the table {} in {} {}", policy_.dynamodb, client_->setup().region, made ? "was made, with an index on status" : "was there");
}

}  // namespace berth::projector
