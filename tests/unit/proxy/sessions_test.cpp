// SPDX-License-Identifier: Apache-2.0
// A session goes on while it is used (field report 21).
#include "proxy/sessions.hpp"

#include <gtest/gtest.h>

#include "proxy/policy.hpp"

namespace berth::proxy {
namespace {

constexpr Duration hour{3'600'000};
const Instant start{Duration{1'800'000'000'000}};
const TokenClaims session{.purpose = TokenPurpose::session, .id = "s-1", .expires_at = start + 12 * hour};

TEST(Sessions, OneGoesOnForItsLifetimeAfterTheLastUse) {
    Sessions sessions{12 * hour};
    EXPECT_EQ(sessions.end_of(session), start + 12 * hour);
    sessions.use("s-1", start);
    EXPECT_EQ(sessions.end_of(session), start + 12 * hour);
    sessions.use("s-1", start + 11 * hour);
    sessions.use("s-1", start + 10 * hour);   // a clock that stepped back takes nothing away
    EXPECT_EQ(sessions.end_of(session), start + 23 * hour);
    sessions.use("s-2", start + 20 * hour);
    EXPECT_EQ(sessions.end_of(session), start + 23 * hour);
}

TEST(Sessions, OneIsOldWhenHalfOfItsTokensLifeIsOver) {
    const Sessions sessions{12 * hour};
    EXPECT_FALSE(sessions.is_old(session, start + 6 * hour));
    EXPECT_TRUE(sessions.is_old(session, start + 6 * hour + Duration{1}));
}

TEST(Sessions, TheNextLifeOfTheProcessKnowsThem) {
    Sessions before{12 * hour};
    before.use("s-1", start + 11 * hour);
    before.use("link.s-2", start);
    Sessions after{12 * hour};
    after.read(before.text());
    EXPECT_EQ(after.end_of(session), start + 23 * hour);
    EXPECT_EQ(after.text(), before.text());

    Sessions damaged{12 * hour};
    damaged.read("s-1\n s-2 5\ns-3 x\ns-4 5x\ns-5");
    EXPECT_EQ(damaged.size(), 0u);
}

TEST(Sessions, TheyAreForgottenWhenTheyHaveEndedAndAboveABound) {
    Sessions sessions{12 * hour};
    for (std::size_t i = 0; i <= sessions_max; ++i) sessions.use("s-" + std::to_string(i), start + Duration{static_cast<std::int64_t>(i)});
    EXPECT_EQ(sessions.size(), sessions_max);
    auto first = session;
    first.id = "s-0";
    EXPECT_EQ(sessions.end_of(first), session.expires_at);
    sessions.forget_ended(start + 13 * hour);
    EXPECT_EQ(sessions.size(), 0u);
}

}  // namespace
}  // namespace berth::proxy
