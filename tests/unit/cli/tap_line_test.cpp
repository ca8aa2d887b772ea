// SPDX-License-Identifier: Apache-2.0
// One event as one line; gaps counted per source; filters.
#include "cli/tap_line.hpp"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

Json event(const std::string& source, std::uint64_t sequence) {
    return {{"type", "io.berth.host.heartbeat.v1"}, {"source", source}, {"sequence", std::to_string(sequence)}};
}

TEST(TapLine, SaysWhenWhereWhatAndWhy) {
    const Json granted = {{"type", "io.berth.claim.granted.v1"},
                          {"time", "2026-11-21T10:00:00.250Z"},
                          {"position", "12"},
                          {"data", {{"workspace", "w-1"}, {"host", "h-1"}, {"epoch", "2"}}},
                          {"reason", {{"why", "healthy"}}}};
    EXPECT_EQ(tap_line("claim.granted", granted, TimeShown::clock, false),
              "10:00:00.250     #12  claim.granted           w-1 on h-1 epoch 2  (healthy)");
    EXPECT_EQ(tap_line("claim.granted", granted, TimeShown::none, false).rfind("   #12", 0), 0u);
    EXPECT_EQ(tap_line("claim.granted", granted, TimeShown::full, false).rfind("2026-11-21T10:00:00.250Z", 0), 0u);
}

TEST(TapLine, IsAlwaysOneLineWithoutEscapes) {
    const Json odd = {{"type", "a\nb"}, {"time", "\033[2J"}, {"data", {{"text", "x\ny\033]0;t\a"}}}, {"reason", {{"why", "l1\nl2"}}}};
    const auto line = tap_line("message", odd, TimeShown::clock, false);
    EXPECT_EQ(line.find_first_of("\n\033\a"), std::string::npos);
}

TEST(GapCounter, CountsWhatASourceSkipped) {
    GapCounter gaps;
    EXPECT_EQ(gaps.note(event("a", 5)), 0u);   // the first of a source tells nothing
    EXPECT_EQ(gaps.note(event("a", 6)), 0u);
    EXPECT_EQ(gaps.note(event("b", 1)), 0u);
    EXPECT_EQ(gaps.note(event("a", 9)), 2u);
    EXPECT_EQ(gaps.note(event("a", 9)), 0u);   // a repeat is no gap
    EXPECT_EQ(gaps.note(event("a", 8)), 0u);
    EXPECT_EQ(gaps.note(event("a", 10)), 0u);
    EXPECT_EQ(gaps.note(Json::object()), 0u);
    EXPECT_EQ(gaps.missed(), 2u);
    EXPECT_EQ(gaps.seen(), 8u);
}

TEST(TapFilter, ByNameAndByAnyId) {
    const Json body = {{"subject", "w-1"}, {"data", {{"workspace", "w-1"}, {"host", "h-1"}}}};
    EXPECT_TRUE((TapFilter{{}, ""}).accepts("claim.granted", body));
    EXPECT_TRUE((TapFilter{{"claim."}, ""}).accepts("claim.granted", body));
    EXPECT_FALSE((TapFilter{{"host."}, ""}).accepts("claim.granted", body));
    EXPECT_TRUE((TapFilter{{"host.", "claim."}, "h-1"}).accepts("claim.granted", body));
    EXPECT_FALSE((TapFilter{{}, "w-2"}).accepts("claim.granted", body));
    EXPECT_FALSE((TapFilter{{}, "w-2"}).accepts("claim.granted", Json::object()));
}

}  // namespace
}  // namespace berth::cli
