// SPDX-License-Identifier: Apache-2.0
// A recording is read back as it was written, or refused with its line.
#include "cli/recording.hpp"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

const Instant begun = *from_rfc3339("2026-11-27T15:00:00.000Z");

std::string three() {
    return recording_head("http://127.0.0.1:9092", begun) + recording_line({Duration{0}, "claim.accepted", {{"data", {{"claim", "c-1"}}}}}) +
           recording_line({Duration{1'250}, "claim.granted", {{"data", {{"claim", "c-1"}}}}}) + recording_line({Duration{1'250}, "gap", Json::object()});
}

std::string why_not(const std::string& text) {
    const auto read = read_recording(text, "a.ndjson");
    return read ? "read" : read.error().text;
}

TEST(Recording, IsReadAsItWasWritten) {
    const auto read = read_recording(three(), "a.ndjson").value();
    EXPECT_EQ(read.gateway, "http://127.0.0.1:9092");
    EXPECT_EQ(read.begun_at, "2026-11-27T15:00:00.000Z");
    ASSERT_EQ(read.events.size(), 3u);
    EXPECT_EQ(read.events[1].after, Duration{1'250});
    EXPECT_EQ(read.events[1].type, "claim.granted");
    EXPECT_EQ(text_at(read.events[1].event["data"], "claim"), "c-1");
    EXPECT_TRUE(read_recording(recording_head("g", begun), "a.ndjson")->events.empty()) << "nothing happened";
}

TEST(Recording, ThatIsDamagedIsRefusedWithItsLine) {
    struct Row {
        const char* name;
        std::string text;
        const char* says;
    };
    const auto line = [](const char* text) { return three() + text + "\n"; };
    const Row rows[] = {
        {"empty", "", "a.ndjson, line 1: is missing; it is no recording"},
        {"another file", "root:x:0:0\n", "a.ndjson, line 1: says no berth_recording; it is no recording"},
        {"of a later berth", "{\"berth_recording\":2}\n", "a.ndjson, line 1: is of version 2; this berth reads 1"},
        {"cut off", three().substr(0, three().size() - 4), "a.ndjson, line 4: is cut off; `head -n 3 a.ndjson` is what is good of it"},
        {"a byte is another", line("{\"after_ms\":1300,\"type\":\"x\",\"event\":{}"), "a.ndjson, line 5: is no JSON object; `head -n 4"},
        {"a blank line", line(""), "a.ndjson, line 5: is no JSON object"},
        {"no time", line("{\"type\":\"x\",\"event\":{}}"), "line 5: has no after_ms"},
        {"a time before", line("{\"after_ms\":-1,\"type\":\"x\",\"event\":{}}"), "line 5: has no after_ms"},
        {"a time in pieces", line("{\"after_ms\":1300.5,\"type\":\"x\",\"event\":{}}"), "line 5: has no after_ms"},
        {"back in time", line("{\"after_ms\":1249,\"type\":\"x\",\"event\":{}}"), "line 5: is earlier than the line before"},
        {"no type", line("{\"after_ms\":1300,\"type\":\"\",\"event\":{}}"), "line 5: has no type"},
        {"no event", line("{\"after_ms\":1300,\"type\":\"x\",\"event\":[]}"), "line 5: has no event"},
        {"a list", line("[]"), "line 5: is no JSON object"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_NE(why_not(row.text).find(row.says), std::string::npos) << why_not(row.text);
    }
}

}  // namespace
}  // namespace berth::cli
