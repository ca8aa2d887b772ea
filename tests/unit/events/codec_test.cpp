// SPDX-License-Identifier: Apache-2.0
#include "events/codec.hpp"

#include <gtest/gtest.h>

#include "events/catalog.hpp"

namespace berth {
namespace {

TEST(Codec, EveryMessageOfTheCatalogComesBackAsItWasSent) {
    for_each_entry([](const auto& entry) {
        SCOPED_TRACE(std::string{entry.name});
        using Payload = typename std::decay_t<decltype(entry)>::Payload;
        using Reply = typename std::decay_t<decltype(entry)>::Reply;

        const auto payload = decode<Payload>(encode(Payload{}));
        const auto reply = decode<Reply>(encode(Reply{}));

        ASSERT_TRUE(payload) << payload.error().text;
        ASSERT_TRUE(reply) << reply.error().text;
        EXPECT_EQ(*payload, Payload{});
        EXPECT_EQ(*reply, Reply{});
    });
}

TEST(Codec, AnEnvelopeKeepsAllItsAttributes) {
    const Envelope sent{.id = "m-1", .source = "/berth/allocator/b1", .type = type_attribute("claim.granted"),
                        .subject = "c-1", .time = Instant{Duration{1'700'000'000'123}},
                        .data = encode(ClaimGranted{.claim = {"c-1"}, .epoch = Epoch{~0ULL}}), .sequence = 7,
                        .correlation_id = "r-1", .causation_id = "#3", .trace_parent = "00-ab-cd-01",
                        .ledger = "L", .position = Position{41}, .deadline = Instant{Duration{5}},
                        .reason = Reason{"slot 0 of h-1 was free", "allocator", "p1", {"score 3"}}};

    const auto received = decode_envelope(encode_envelope(sent));

    ASSERT_TRUE(received) << received.error().text;
    EXPECT_EQ(*received, sent);
    EXPECT_EQ(decode<ClaimGranted>(received->data)->epoch, Epoch{~0ULL});
}

TEST(Codec, BadBytesAreRefusedWithWordsAndWithoutAllocation) {
    struct Row {
        std::string name;
        std::string bytes;
        ErrorKind kind;
    };
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += '\x91';
    const std::vector<Row> rows{
        {"nothing", "", ErrorKind::invalid},
        {"a map of 2^31 entries in 5 bytes", std::string("\xdf\x7f\xff\xff\xff", 5), ErrorKind::limit},
        {"an array of 2^31 entries in 5 bytes", std::string("\xdd\x7f\xff\xff\xff", 5), ErrorKind::limit},
        {"nested 100 deep", deep, ErrorKind::limit},
        {"cut short", encode(ClaimRequest{}).substr(0, 10), ErrorKind::invalid},
        {"trailing bytes", encode(ClaimRequest{}) + "x", ErrorKind::invalid},
        {"a number, not a map", "\x07", ErrorKind::invalid},
        {"an empty map: a field is missing", "\x80", ErrorKind::invalid},
        {"a key that stands twice", std::string("\x82\xa3key\xa1" "a\xa3key\xa1" "b"), ErrorKind::invalid},
        {"text that is not UTF-8", std::string("\x81\xa3key\xa2\xc3\x28"), ErrorKind::invalid},
        {"over the size", std::string(300 * 1024, '\xc0'), ErrorKind::limit},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        const auto decoded = decode<ClaimRequest>(row.bytes);
        ASSERT_FALSE(decoded);
        EXPECT_EQ(decoded.error().kind, row.kind) << decoded.error().text;
    }
}

TEST(Codec, JsonGoesThroughMsgpackAndBack) {
    const auto bytes = from_json(R"({"key":"k","user":"ada","project":"site","wait_ms":0})");
    ASSERT_TRUE(bytes);

    const auto request = decode<ClaimRequest>(*bytes);

    ASSERT_TRUE(request) << request.error().text;
    EXPECT_EQ(request->user.value, "ada");
    EXPECT_EQ(to_json(*bytes).value(), R"({"key":"k","project":"site","user":"ada","wait_ms":0})");
    EXPECT_FALSE(from_json("{\"a\":"));
    EXPECT_EQ(from_json(std::string(40, '[') + std::string(40, ']')).error().kind, ErrorKind::limit);
}

TEST(Catalog, EveryFactHasARowAndAName) {
    for_each_entry([](const auto& entry) {
        EXPECT_FALSE(entry.meaning.empty());
        EXPECT_LE(topic_of(entry.name, std::string(64, 'h')).size(), 128U) << "libzmq 4.3.4 loses longer topics";
    });
    EXPECT_EQ(event_name<ClaimRequest>, "claim.requested");
    EXPECT_EQ(request_name<ClaimRequest>, "allocator.claim");
    static_assert(std::is_same_v<ReplyTo<ClaimRequest>, ClaimReply>);
    static_assert(std::is_same_v<ReplyTo<HostHeartbeat>, HostOrders>);
}

}  // namespace
}  // namespace berth
