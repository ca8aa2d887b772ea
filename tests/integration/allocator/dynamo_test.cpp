// SPDX-License-Identifier: Apache-2.0
// The ledger in a DynamoDB table, against what speaks as DynamoDB does at AWS_ENDPOINT_URL_DYNAMODB (with_dynamo.py
// starts it): the suite that every ledger passes, and what a table alone can do to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "allocator/ledger/dynamodb/store.hpp"
#include "allocator/ledger/open.hpp"
#include "allocator/move.hpp"
#include "base/rng.hpp"
#include "tests/integration/allocator/ledger_suite.hpp"
#include "tests/integration/dynamodb/amazon.hpp"
#include "tests/support/folder.hpp"

namespace berth::allocator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using berth::testing::Amazon;
using berth::testing::dynamo_endpoint;
using berth::testing::Folder;
using berth::testing::Variable;
using berth::testing::variable;
using Json = nlohmann::json;

/// The table as somebody else changes it.
class Table {
public:
    explicit Table(std::string name) : name_(std::move(name)) {}
    Json get(std::uint64_t at) { return amazon_.call("GetItem", {{"TableName", name_}, {"Key", key(at)}}).at("Item"); }
    void put(const Json& item) { amazon_.call("PutItem", {{"TableName", name_}, {"Item", item}}); }
    void remove(std::uint64_t at) { amazon_.call("DeleteItem", {{"TableName", name_}, {"Key", key(at)}}); }

private:
    static Json key(std::uint64_t at) { return {{"part", {{"S", "log"}}}, {"at", {{"N", std::to_string(at)}}}}; }
    std::string name_;
    Amazon amazon_;
};

std::string new_table(const std::string& kind = "ledger") {
    const auto name = kind + "-" + random_hex(6);
    const auto made = DynamoStore::init({.table = name});
    if (!made) throw std::runtime_error(made.error().text);
    return name;
}

// ---- the suite

class DynamoPlace final : public StorePlace {
public:
    Result<std::unique_ptr<Store>> open_store() override { return DynamoStore::open({.table = name_}); }
    void damage_row(Position first) override {
        auto item = table_.get(first.value);
        item["records"] = {{"B", aws::to_base64("\x90")}};
        table_.put(item);
    }
    void take_row_away(Position first) override { table_.remove(first.value); }
    bool rewrite_row(Position first, Position as) override {
        auto item = table_.get(first.value);
        const auto other = table_.get(as.value);
        item["records"] = other.at("records");
        item["crc"] = other.at("crc");
        table_.put(item);
        return true;
    }

private:
    std::string name_ = new_table();
    Table table_{name_};
};
INSTANTIATE_TEST_SUITE_P(Dynamo, LedgerSuite, ::testing::Values(PlaceMaker{"table", [] { return std::make_unique<DynamoPlace>(); }}), name_of_place);

Result<std::unique_ptr<StoredLedger>> open(const DynamoPlan& plan, StoredLedger::Plan how = {}) {
    return StoredLedger::open(TRY(DynamoStore::open(plan)), std::move(how));
}
std::unique_ptr<StoredLedger> opened(const DynamoPlan& plan, StoredLedger::Plan how = {}) {
    auto ledger = open(plan, std::move(how));
    if (!ledger) throw std::runtime_error(ledger.error().text);
    return std::move(*ledger);
}
Error refusal_of(const DynamoPlan& plan, StoredLedger::Plan how = {}) {
    const auto ledger = open(plan, std::move(how));
    return ledger ? Error{ErrorKind::internal, "it opened"} : ledger.error();
}

TEST(Dynamo, ALedgerThatOthersRead) {          // with boto3, when this program has ended
    const auto ledger = opened({.table = new_table("ledger-whole")});
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 3), {0}));
    ASSERT_TRUE(append_now(*ledger, facts_at(4, 4), {3}));
    ASSERT_TRUE(append_now(*ledger, facts_at(5, 2'000), {4}));
}

// ---- addresses, and what is wrong with a place

TEST(Dynamo, AnAddressNamesATableAndNothingElse) {
    EXPECT_EQ(read_dynamo_address("dynamodb")->table, "berth-ledger");
    EXPECT_EQ(read_dynamo_address("dynamodb://mine?prefix=a")->table, "mine");
    EXPECT_EQ(read_dynamo_address("dynamodb://mine?prefix=a")->prefix, "a");
    for (const auto* wrong : {"dynamodb:mine", "dynamodb://ab", "dynamodb://a table", "dynamodb://us-east-1/mine", "dynamodb://mine?region=x", "dynamodb://mine?prefix="}) {
        SCOPED_TRACE(wrong);
        const auto plan = read_dynamo_address(wrong);
        ASSERT_FALSE(plan);
        EXPECT_EQ(plan.error().kind, ErrorKind::invalid);
        EXPECT_THAT(plan.error().text, HasSubstr("dynamodb://TABLE"));
    }
}

TEST(Dynamo, ATableThatIsNotThereIsToldWithTheCommandThatMakesIt) {
    const auto refused = refusal_of({.table = "none-such"});
    EXPECT_EQ(refused.kind, ErrorKind::not_found);
    EXPECT_THAT(refused.text, AllOf(HasSubstr("berth-allocator init --store dynamodb://none-such"), HasSubstr("us-east-1")));
}

TEST(Dynamo, ARegionThatIsNoneAndKeysThatAreNotThereAreNamed) {
    const auto name = new_table();
    EXPECT_THAT(refusal_of({.table = name, .policy = {.region = "us-east-1a"}}).text, HasSubstr("us-east-1a"));
    const Variable no_key("AWS_ACCESS_KEY_ID", nullptr), no_secret("AWS_SECRET_ACCESS_KEY", nullptr);
    const auto refused = refusal_of({.table = name});
    EXPECT_EQ(refused.kind, ErrorKind::denied) << refused.text;
    EXPECT_THAT(refused.text, AllOf(HasSubstr("dynamodb:DescribeTable was not tried"), HasSubstr("credentials")));
}

TEST(Dynamo, AServerThatDoesNotAnswerIsGivenUpInTime) {
    const Variable nobody(dynamo_endpoint, "http://127.0.0.1:9");
    const auto refused = refusal_of({.table = "any", .policy = {.give_up = Duration{300}}});
    EXPECT_EQ(refused.kind, ErrorKind::unavailable) << refused.text;
    EXPECT_THAT(refused.text, AllOf(HasSubstr("dynamodb://any"), HasSubstr("got no answer")));
}

TEST(Dynamo, MakingItAgainLeavesItAsItIs) {
    const auto name = new_table();
    ASSERT_TRUE(append_now(*opened({.table = name}), facts_at(1, 3), {0}));
    EXPECT_THAT(*DynamoStore::init({.table = name}), HasSubstr("was there"));
    EXPECT_EQ(opened({.table = name})->head().value, 3U);
}

TEST(Dynamo, ATableOfSomebodyElseIsRefused) {
    const auto name = "theirs-" + random_hex(6);
    Amazon().call("CreateTable", {{"TableName", name}, {"BillingMode", "PAY_PER_REQUEST"},
                                                             {"AttributeDefinitions", Json::array({{{"AttributeName", "id"}, {"AttributeType", "S"}}})},
                                                             {"KeySchema", Json::array({{{"AttributeName", "id"}, {"KeyType", "HASH"}}})}});
    const auto refused = refusal_of({.table = name});
    EXPECT_EQ(refused.kind, ErrorKind::conflict) << refused.text;
    EXPECT_EQ(DynamoStore::init({.table = name}).error().kind, ErrorKind::conflict);
}

TEST(Dynamo, TwoPrefixesAreTwoLedgersInOneTable) {
    const auto name = new_table();
    const auto one = opened({.table = name, .prefix = "a"}), other = opened({.table = name, .prefix = "b"});
    ASSERT_TRUE(append_now(*one, facts_at(1, 3), {0}));
    ASSERT_TRUE(append_now(*other, facts_at(1, 2), {0}));
    EXPECT_NE(one->id(), other->id());
    EXPECT_EQ(one->verify()->value, 3U);
}

TEST(Dynamo, TheLedgerOfAnotherClusterIsRefused) {
    const auto name = new_table();
    ASSERT_TRUE(open({.table = name}, {.cluster = "c-1"}));
    const auto refused = refusal_of({.table = name}, {.cluster = "c-2"});
    EXPECT_EQ(refused.kind, ErrorKind::conflict);
    EXPECT_THAT(refused.text, AllOf(HasSubstr("cluster c-1"), HasSubstr("berth-allocator adopt")));
}

// ---- what a table can do to a ledger

TEST(Dynamo, ItemsThatWereDeletedBehindItsBackAreNoticed) {
    const auto name = new_table();
    const auto ledger = opened({.table = name});
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 3), {0}));
    ASSERT_TRUE(append_now(*ledger, facts_at(4, 5), {3}));
    Table(name).remove(4);
    const auto tidied = ledger->tidy();
    ASSERT_FALSE(tidied);
    EXPECT_EQ(tidied.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(tidied.error().text, HasSubstr("ends at 3, though 5 was written"));
}

TEST(Dynamo, AnOldCopyInItsPlaceIsNoticedThoughItWasWrittenSince) {
    const auto name = new_table();
    const auto ledger = opened({.table = name});
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 3), {0}));
    ASSERT_TRUE(append_now(*ledger, facts_at(4, 5), {3}));
    ASSERT_TRUE(ledger->tidy());
    Table(name).remove(4);
    ASSERT_TRUE(append_now(*ledger, facts_at(6, 7), {5})) << "the fence alone does not see it";
    const auto tidied = ledger->tidy();
    ASSERT_FALSE(tidied);
    EXPECT_EQ(tidied.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(tidied.error().text, HasSubstr("position 5"));
}

TEST(Dynamo, ALargeSnapshotIsKeptInPiecesAndOneThatBrokeOffIsClearedAway) {
    const auto name = new_table();
    auto store = DynamoStore::open({.table = name}).value();
    std::string view(900'000, 'x');
    for (std::size_t i = 0; i < view.size(); ++i) view[i] = static_cast<char>('a' + i % 23);
    Amazon amazon;
    const auto part = [](const char* text) { return Json{{"S", text}}; };
    amazon.call("PutItem", {{"TableName", name}, {"Item", {{"part", part("snapshot")}, {"at", {{"N", "2"}}}, {"parts", {{"N", "1"}}}, {"whole", {{"N", "0"}}}}}});
    amazon.call("PutItem", {{"TableName", name}, {"Item", {{"part", part("snapshot#2")}, {"at", {{"N", "0"}}}}}});
    EXPECT_TRUE(store->snapshots()->empty());
    for (std::uint64_t at = 3; at <= 5; ++at) ASSERT_TRUE(store->put_snapshot({{at}, view + std::to_string(at), 7}));
    const auto found = store->snapshots();
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ(found->front().position.value, 5U);
    EXPECT_EQ(found->front().view, view + "5");
    int items = 0;
    for (Json body{{"TableName", name}, {"ProjectionExpression", "part"}, {"ConsistentRead", true}}; ;) {
        const auto page = amazon.call("Scan", body);
        items += page.at("Count").get<int>();
        if (!page.contains("LastEvaluatedKey")) break;
        body["ExclusiveStartKey"] = page.at("LastEvaluatedKey");
    }
    EXPECT_EQ(items, 2 * (1 + 3)) << "two heads with three pieces each, and nothing of the others";
}

class ByAListener : public ::testing::Test {
protected:
    DynamoPlan plan{.table = new_table(), .policy = {.answer = Duration{2'000}, .give_up = Duration{600}}};
    Amazon between{variable("BERTH_DYNAMO_BETWEEN")};
    Variable there{dynamo_endpoint, variable("BERTH_DYNAMO_BETWEEN").c_str()};
    void refuse(const std::string& action, const std::string& code, int times) { between.call("Refuse", {{"action", action}, {"code", code}, {"times", times}}); }
    void lose(const std::string& action, int times) { between.call("Lose", {{"action", action}, {"times", times}}); }
};

TEST_F(ByAListener, ThrottlingIsWaitedFor) {
    plan.policy.give_up = Duration{15'000};
    const auto ledger = opened(plan);
    refuse("PutItem", "ProvisionedThroughputExceededException", 4);
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 3), {0}));
    refuse("PutItem", "ThrottlingException", 4);
    ASSERT_TRUE(append_now(*ledger, facts_at(4, 6), {3}));
    EXPECT_EQ(ledger->verify()->value, 6U);
}

TEST_F(ByAListener, ThrottlingWithoutEndIsGivenUpAndWhatWasWrittenStays) {
    const auto ledger = opened(plan);
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 3), {0}));
    refuse("PutItem", "ProvisionedThroughputExceededException", 1'000'000);
    const auto refused = append_now(*ledger, facts_at(4, 6), {3});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::unavailable);
    EXPECT_THAT(refused.error().text, AllOf(HasSubstr("dynamodb:PutItem"), HasSubstr("ProvisionedThroughputExceeded")));
    refuse("PutItem", "", 0);
    const auto again = opened(plan);
    ASSERT_TRUE(append_now(*again, facts_at(4, 6), {3}));
    EXPECT_EQ(again->verify()->value, 6U);
}

TEST_F(ByAListener, AnAppendWhoseAnswerIsLostIsKnownByItsWriter) {
    plan.policy.give_up = Duration{15'000};
    const auto ledger = opened(plan);
    lose("PutItem", 1);
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 3), {0})) << "it was done, and nobody said so";
    ASSERT_TRUE(append_now(*ledger, facts_at(4, 5), {3}));
    EXPECT_EQ(ledger->verify()->value, 5U);
    const auto other = opened(plan);
    lose("PutItem", 1);
    ASSERT_TRUE(append_now(*other, facts_at(6, 6), {5}));
    const auto late = append_now(*ledger, facts_at(6, 6), {5});
    ASSERT_FALSE(late) << "the same facts, of another writer";
    EXPECT_EQ(late.error().kind, ErrorKind::fenced);
}

TEST_F(ByAListener, WhatIsNotAllowedIsNamed) {
    const auto ledger = opened(plan);
    refuse("PutItem", "AccessDeniedException", 1);
    const auto refused = append_now(*ledger, facts_at(1, 3), {0});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::denied);
    EXPECT_THAT(refused.error().text, HasSubstr("allow dynamodb:PutItem"));
    ASSERT_TRUE(append_now(*ledger, facts_at(1, 3), {0}));
}

// ---- to and from

TEST(Dynamo, MovesToAndFrom) {
    const Folder folder;
    const StoreSettings settings{.state = folder.path()};
    const auto name = new_table();
    const auto at = [&](const std::string& address) { return StoredLedger::open(open_store(address, settings).value()).value(); };
    std::string id;
    {
        const auto from = at("sqlite:a.sqlite"), to = at("dynamodb://" + name);
        ASSERT_TRUE(append_now(*from, facts_at(1, 700), {0}));
        const auto moved = move_ledger(*from, *to);
        ASSERT_TRUE(moved) << moved.error().text;
        EXPECT_EQ(moved->copied, 700U);
        id = from->id();
        EXPECT_EQ(to->id(), id);
        ASSERT_TRUE(append_now(*to, facts_at(701, 705), {700}));
    }
    const auto from = at("dynamodb://" + name), to = at("sqlite:b.sqlite");
    const auto moved = move_ledger(*from, *to);
    ASSERT_TRUE(moved) << moved.error().text;
    EXPECT_EQ(to->id(), id);
    EXPECT_EQ(*to->read({1}, 1'000), facts_at(1, 705));
}

}  // namespace
}  // namespace berth::allocator
