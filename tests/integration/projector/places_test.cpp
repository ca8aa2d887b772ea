// SPDX-License-Identifier: Apache-2.0
// The two places on their own servers: what is written is there, what is of others stays, what was lost is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.hpp"
#include "projector/dynamo_sink.hpp"
#include "projector/machines_file.hpp"
#include "projector/redis_sink.hpp"
#include "tests/integration/dynamodb/amazon.hpp"
#include "tests/support/redis_server.hpp"

namespace berth::projector {
namespace {

using berth::testing::Amazon;
using berth::testing::RedisServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Json = nlohmann::json;

std::unique_ptr<Sink> opened(const Policy& policy) {
    auto sink = RedisSink::open(policy);
    if (!sink) throw std::runtime_error(sink.error().text);
    return std::move(*sink);
}

TEST(RedisPlace, ReplacesEntriesAsAWholeAndLeavesWhatIsOfOthers) {
    RedisServer server;
    server.say({"SET", "mine:other", "x"});
    server.say({"SET", "{mine}:host:ledger", "x"});
    server.say({"SET", "mine:host:left", "a string where a hash should be"});
    const auto sink = opened({.redis = "redis+unix://" + server.socket() + "?prefix=mine"});
    EXPECT_THAT(*sink->keys(), UnorderedElementsAre("host:left"));
    ASSERT_TRUE(sink->write({.set = {{"host:h-1", {{"state", "idle"}, {"cpu", "0.1"}}}, {"picture", {{"version", "1"}}}}, .removed = {"host:left"}}));
    ASSERT_TRUE(sink->write({.set = {{"host:h-1", {{"state", "used"}}}}}));
    EXPECT_EQ(server.say({"HGETALL", "mine:host:h-1"}), "state used") << "no field of before is left";
    EXPECT_THAT(*sink->keys(), UnorderedElementsAre("host:h-1", "picture"));
    EXPECT_EQ(server.say({"GET", "mine:other"}), "x");
    EXPECT_EQ(server.say({"GET", "{mine}:host:ledger"}), "x");
}

TEST(RedisPlace, EntriesLiveForTheirTimeUnlessTheyAreRenewedAndALostOneIsTold) {
    RedisServer server;
    const auto sink = opened({.redis = "redis+unix://" + server.socket(), .lifetime = Duration{60'000}});
    ASSERT_TRUE(sink->write({.set = {{"host:h-1", {{"state", "idle"}}}, {"host:h-2", {{"state", "idle"}}}}}));
    EXPECT_GT(std::stoi(server.say({"PTTL", "berth:host:h-1"})), 50'000);
    server.say({"PEXPIRE", "berth:host:h-1", "20000"});
    ASSERT_TRUE(sink->write({.renewed = {"host:h-1", "host:h-2"}}));
    EXPECT_GT(std::stoi(server.say({"PTTL", "berth:host:h-1"})), 50'000);
    server.say({"DEL", "berth:host:h-2"});
    const auto lost = sink->write({.renewed = {"host:h-1", "host:h-2"}});
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().kind, ErrorKind::conflict);
}

TEST(RedisPlace, APrefixIsNoPattern) {
    RedisServer server;
    server.say({"HSET", "ab:host:h-1", "state", "idle"});
    EXPECT_TRUE(opened({.redis = "redis+unix://" + server.socket() + "?prefix=a*"})->keys()->empty());
}

TEST(RedisPlace, ComesBackWithItsServer) {
    RedisServer server;
    const auto sink = opened({.redis = "redis+unix://" + server.socket()});
    ASSERT_TRUE(sink->write({.set = {{"host:h-1", {{"state", "idle"}}}}}));
    server.kill();
    EXPECT_FALSE(sink->write({.set = {{"host:h-1", {{"state", "used"}}}}}));
    EXPECT_FALSE(sink->keys());
    server.start();
    ASSERT_TRUE(berth::testing::eventually([&] { return sink->write({.set = {{"host:h-1", {{"state", "used"}}}}}).has_value(); })) << "it may be loading for a while";
    EXPECT_EQ(server.say({"HGET", "berth:host:h-1", "state"}), "used");
}

TEST(RedisPlace, AnAddressThatIsNoneIsRefused) {
    const auto sink = RedisSink::open({.redis = "http://x"});
    ASSERT_FALSE(sink);
    EXPECT_THAT(sink.error().text, AllOf(HasSubstr("[projector] redis"), HasSubstr("redis://HOST")));
}

TEST(DynamoPlace, HoldsMachinesByInstanceWithAnIndexOnStatusAndLeavesWhatIsOfOthers) {
    const auto table = "pool-" + random_hex(6);
    DynamoSink sink({.dynamodb = table});
    const auto before = sink.keys();
    ASSERT_FALSE(before);
    EXPECT_EQ(before.error().kind, ErrorKind::not_found);
    EXPECT_THAT(before.error().text, AllOf(HasSubstr("berth-projector init"), HasSubstr("us-east-1")));
    EXPECT_THAT(*sink.init(), HasSubstr("was made"));
    EXPECT_THAT(*sink.init(), HasSubstr("was there"));

    Amazon amazon;
    amazon.call("PutItem", {{"TableName", table}, {"Item", {{"instanceId", {{"S", "i-theirs"}}}, {"status", {{"S", "idle"}}}}}});
    Write write{.place = PlaceKind::dynamodb};
    for (int i = 0; i < 60; ++i) write.set[fmt::format("i-{}", i)] = {{"status", i % 3 == 0 ? "used" : "idle"}, {"publicIp", "1.2.3.4"}};   // more than one call's 25
    ASSERT_TRUE(sink.write(write));
    ASSERT_TRUE(sink.write({.place = PlaceKind::dynamodb, .removed = {"i-59", "i-58", "i-none"}}));
    EXPECT_EQ(sink.keys()->size(), 58U) << "that of somebody else is not ours";
    const auto used = amazon.call("Query", {{"TableName", table}, {"IndexName", "status"}, {"KeyConditionExpression", "#s = :used"},
                                            {"ExpressionAttributeNames", {{"#s", "status"}}}, {"ExpressionAttributeValues", {{":used", {{"S", "used"}}}}}});
    EXPECT_EQ(used.at("Count").get<int>(), 20);
}

TEST(DynamoPlace, MachinesOfAFileAreAddedAndThoseOfBerthAreLeft) {
    const auto table = "pool-" + random_hex(6);
    DynamoSink sink({.dynamodb = table});
    ASSERT_TRUE(sink.init());
    ASSERT_TRUE(sink.write({.place = PlaceKind::dynamodb, .set = {{"i-ours", {{"status", "used"}, {"userId", "ada"}}}}}));
    const auto machines = read_machines_file(R"([{"instanceId":"i-old","status":"idle","publicIp":"1.2.3.4"},{"instanceId":"i-ours","status":"idle"}])");
    ASSERT_TRUE(machines) << machines.error().text;
    EXPECT_TRUE(*sink.add_foreign("i-old", machines->at("i-old")));
    EXPECT_FALSE(*sink.add_foreign("i-ours", machines->at("i-ours")));
    const auto all = sink.read_all();
    ASSERT_TRUE(all) << all.error().text;
    EXPECT_EQ(all->at("i-ours").at("userId"), "ada");
    EXPECT_EQ(read_machines_file(to_machines_file(*all))->at("i-old"), machines->at("i-old"));
    EXPECT_EQ(sink.keys()->size(), 1U) << "and the next write does not remove it";
}

TEST(MachinesFile, IsReadInBothShapesAndRefusedByTheMachineThatIsWrong) {
    const auto list = read_machines_file(R"([{"instanceId":"i-1","status":"idle","lastHeartbeat":1700000000,"userId":null,"publicIp":""}])");
    ASSERT_TRUE(list) << list.error().text;
    EXPECT_EQ(list->at("i-1"), (Fields{{"status", "idle"}, {"lastHeartbeat", "1700000000"}}));
    EXPECT_EQ(*read_machines_file(R"({"i-1":{"status":"idle","lastHeartbeat":1700000000}})"), *list);
    const std::pair<const char*, const char*> wrong[] = {{"", "no list"}, {"7", "no list"}, {"[7]", "machine 1 is no object"}, {R"([{"status":"idle"}])", "no instanceId"},
                                                         {R"([{"instanceId":"i-1"}])", "'i-1' has no status"}, {R"({"i-1":{"instanceId":"i-2","status":"x"}})", "says that it is 'i-2'"},
                                                         {R"([{"instanceId":"i-1","status":"x"},{"instanceId":"i-1","status":"x"}])", "twice"},
                                                         {R"([{"instanceId":"i-1","status":{}}])", "status is no text"}};
    for (const auto& [text, said] : wrong) {
        const auto read = read_machines_file(text);
        ASSERT_FALSE(read) << text;
        EXPECT_THAT(read.error().text, HasSubstr(said)) << text;
    }
}

TEST(DynamoPlace, ATableOfSomebodyElseIsRefused) {
    const auto table = "theirs-" + random_hex(6);
    Amazon().call("CreateTable", {{"TableName", table}, {"BillingMode", "PAY_PER_REQUEST"}, {"AttributeDefinitions", Json::array({{{"AttributeName", "id"}, {"AttributeType", "S"}}})},
                                  {"KeySchema", Json::array({{{"AttributeName", "id"}, {"KeyType", "HASH"}}})}});
    const auto made = DynamoSink({.dynamodb = table}).init();
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, ErrorKind::conflict) << made.error().text;
}

}  // namespace
}  // namespace berth::projector
