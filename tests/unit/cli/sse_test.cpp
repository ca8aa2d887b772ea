// SPDX-License-Identifier: Apache-2.0
// Server-sent events, cut wherever the network cuts them.
#include "cli/sse.hpp"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

constexpr std::string_view stream =
    ": a comment\r\n\r\n"
    "id: 7\nevent: claim.granted\ndata: {\"a\":1}\n\n"
    "data: first\ndata:second\r\n\r\n"
    "event: empty\n\n"
    "id: 9\ndata\n\n"
    "retry: 100\nunknown: x\ndata: last\n\n";

const std::vector<SseEvent> expected{{"7", "claim.granted", "{\"a\":1}"},
                                     {"7", "message", "first\nsecond"},
                                     {"9", "message", ""},
                                     {"9", "message", "last"}};

TEST(Sse, ReadsWhatTheStandardSays) {
    SseParser parser;
    const auto events = parser.feed(stream);
    ASSERT_TRUE(events);
    EXPECT_EQ(*events, expected);
    EXPECT_EQ(parser.last_id(), "9");
}

TEST(Sse, AnyCutGivesTheSame) {
    for (std::size_t first = 0; first <= stream.size(); ++first) {
        SseParser parser;
        std::vector<SseEvent> all;
        for (const auto part : {stream.substr(0, first), stream.substr(first)}) {
            const auto events = parser.feed(part);
            ASSERT_TRUE(events);
            all.insert(all.end(), events->begin(), events->end());
        }
        EXPECT_EQ(all, expected) << "cut at " << first;
    }
}

TEST(Sse, ByteByByteGivesTheSame) {
    SseParser parser;
    std::vector<SseEvent> all;
    for (const char c : stream) {
        const auto events = parser.feed({&c, 1});
        ASSERT_TRUE(events);
        all.insert(all.end(), events->begin(), events->end());
    }
    EXPECT_EQ(all, expected);
}

TEST(Sse, AnEndlessEventIsRefused) {
    SseParser parser;
    const std::string line = "data: " + std::string(64 * 1024, 'x') + "\n";
    Result<std::vector<SseEvent>> last;
    for (std::size_t sent = 0; last && sent < 4 * SseParser::event_bytes_max; sent += line.size()) last = parser.feed(line);
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().kind, ErrorKind::limit);
}

TEST(Sse, AnEventWithoutItsBlankLineIsNotGiven) {
    SseParser parser;
    const auto events = parser.feed("data: half");
    ASSERT_TRUE(events);
    EXPECT_TRUE(events->empty());
}

}  // namespace
}  // namespace berth::cli
