// SPDX-License-Identifier: Apache-2.0
// What a person reads while a claim waits.
#include "cli/narrate.hpp"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

const Instant start{Duration{1'000'000}};

std::string phase(ClaimFollower& follower, std::string_view type, const Json& data) {
    const auto said = follower.feed(type, data);
    if (!said) return "(nothing)";
    return said->text + (said->blocked_by.empty() ? "" : " [" + said->blocked_by + "]");
}

TEST(ClaimFollower, FollowsOneClaimByItsKey) {
    ClaimFollower follower("k-1");
    EXPECT_EQ(phase(follower, "claim.accepted", {{"claim", "c-9"}, {"key", "k-2"}}), "(nothing)");
    EXPECT_EQ(phase(follower, "claim.accepted", {{"claim", "c-1"}, {"key", "k-1"}, {"workspace", "w-1"}}), "accepted as c-1");
    EXPECT_EQ(phase(follower, "claim.progress",
                    {{"claim", "c-1"}, {"state", "waiting"}, {"place", 2}, {"phase", "waiting for a host"}, {"blocked_by", "vCPU quota"}}),
              "waiting for a host, 2nd in line [vCPU quota]");
    EXPECT_EQ(phase(follower, "lease.granted", {{"workspace", "w-1"}, {"slot", 3}, {"host", "h-1"}}), "slot 3 of h-1 leased");
    EXPECT_EQ(phase(follower, "lease.granted", {{"workspace", "w-2"}, {"slot", 3}, {"host", "h-1"}}), "(nothing)");
    EXPECT_EQ(phase(follower, "workspace.failed", {{"workspace", "w-1"}, {"host", "h-1"}, {"text", "no image"}}),
              "the start on h-1 failed: no image");
    EXPECT_EQ(phase(follower, "workspace.started", {{"workspace", "w-1"}}), "the environment is healthy");
    EXPECT_FALSE(follower.granted());
    EXPECT_EQ(phase(follower, "claim.granted", {{"claim", "c-1"}, {"workspace", "w-1"}}), "(nothing)");
    EXPECT_TRUE(follower.granted());
    EXPECT_EQ(phase(follower, "claim.denied", {{"claim", "c-1"}, {"state", "failed"}, {"kind", "conflict"}, {"text", "x"}}), "failed: x");
    ASSERT_TRUE(follower.ended());
    EXPECT_EQ(follower.ended()->kind, ErrorKind::conflict);
}

TEST(ClaimFollower, SaysWhyItWasDenied) {
    ClaimFollower follower("k");
    EXPECT_EQ(phase(follower, "claim.denied", {{"key", "k"}, {"state", "expired"}, {"text", "no slot came free"}}),
              "expired: no slot came free");
}

TEST(ClaimFollower, TakesAnythingWithoutHarm) {
    ClaimFollower follower("k");
    for (const auto& odd : {Json(), Json("text"), Json::array(), Json{{"key", 5}}, Json{{"key", Json::array()}}}) {
        EXPECT_EQ(phase(follower, "claim.granted", odd), "(nothing)");
    }
    EXPECT_EQ(phase(follower, "claim.progress", {{"key", "k"}, {"place", "many"}, {"phase", Json::object()}}), "{}");
}

TEST(Narrator, SaysEachPhaseOnce) {
    Narrator narrator(start);
    EXPECT_EQ(narrator.note({"asking", ""}, start), "   0.0s  asking");
    EXPECT_EQ(narrator.note({"asking", ""}, start + Duration{500}), std::nullopt);
    EXPECT_EQ(narrator.note({"queued", "quota"}, start + Duration{1'200}), "   1.2s  queued (held up by: quota)");
    EXPECT_EQ(narrator.waiting_line(start + Duration{3'200}), "  3.2s  queued (held up by: quota) for 2.0s");
}

TEST(Narrator, CleansWhatAServerSaid) {
    Narrator narrator(start);
    EXPECT_EQ(narrator.note({"\033[2J", ""}, start)->find('\033'), std::string::npos);
}

TEST(EventName, IsTheCatalogsOwn) {
    EXPECT_EQ(event_name_of("message", {{"type", "io.berth.claim.granted.v1"}}), "claim.granted");
    EXPECT_EQ(event_name_of("claim.granted", Json::object()), "claim.granted");
}

}  // namespace
}  // namespace berth::cli
