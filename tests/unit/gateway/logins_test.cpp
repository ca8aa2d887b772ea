// SPDX-License-Identifier: Apache-2.0
// `berth login`: a code for a person, a secret for the command, a token once.
#include <gmock/gmock.h>

#include "tests/unit/gateway/scene.hpp"

namespace berth::gateway::testing {
namespace {

using ::testing::HasSubstr;

Login login(const std::string& id, const std::string& code, Duration life = Duration{60'000}) {
    return {.id = id, .secret_hash = hash_of_token("secret-" + id), .code = code, .machine = "ada on box", .remote = "192.0.2.7", .ends_at = turn.now + life};
}

TEST(Logins, a_code_is_read_as_people_type_it) {
    const auto code = login_code("0123456789abcdef0123456789abcdef");
    EXPECT_THAT(code, ::testing::MatchesRegex("[B-Z]{4}-[B-Z]{4}"));
    EXPECT_NE(code, login_code("0124456789abcdef0123456789abcdef"));
    for (const char* typed : {"BCDF-GHJK", "bcdf ghjk", " bcdfghjk ", "BCDF\xe2\x80\x93GHJK"}) EXPECT_EQ(login_code_as_kept(typed), "BCDF-GHJK") << typed;
    EXPECT_EQ(login_code_as_kept("BCDFGHJKL"), "");
}

TEST(Logins, the_token_is_given_once_to_who_knows_the_secret_and_after_a_persons_word) {
    Logins logins;
    logins.begin(login("l-1", "BCDF-GHJK"), turn.now);
    EXPECT_EQ(*logins.take("l-1", "secret-l-1", turn.now), std::nullopt) << "nobody answered";
    ASSERT_TRUE(logins.answer("bcdfghjk", UserId{"ada"}, TokenRole::user, turn.now));
    EXPECT_FALSE(logins.answer("bcdfghjk", UserId{"eve"}, TokenRole::operations, turn.now)) << "the first word counts";
    EXPECT_FALSE(logins.take("l-1", "guess", turn.now));
    const auto taken = logins.take("l-1", "secret-l-1", turn.now);
    ASSERT_TRUE(taken && *taken);
    EXPECT_EQ((*taken)->user, UserId{"ada"});
    EXPECT_THAT(logins.take("l-1", "secret-l-1", turn.now).error().text, HasSubstr("answered before"));
}

TEST(Logins, end_refused_late_or_pushed_out) {
    Logins logins;
    logins.begin(login("l-1", "BCDF-GHJK"), turn.now);
    ASSERT_TRUE(logins.answer("BCDF-GHJK", std::nullopt, TokenRole::user, turn.now));
    EXPECT_THAT(logins.take("l-1", "secret-l-1", turn.now).error().text, HasSubstr("refused"));
    logins.begin(login("l-2", "BCDF-GHJL"), turn.now);
    EXPECT_EQ(logins.of_code("BCDF-GHJL", turn.now + Duration{60'000}), nullptr);
    EXPECT_FALSE(logins.take("l-2", "secret-l-2", turn.now + Duration{60'000}));
    for (std::size_t i = 0; i < Logins::logins_max + 5; ++i) logins.begin(login(std::to_string(i), "X" + std::to_string(i), Duration{100'000 + static_cast<int>(i)}), turn.now);
    EXPECT_EQ(logins.size(), Logins::logins_max);
}

TEST(Logins, are_confirmed_as_oneself_and_seen_by_who_is_known) {
    auto picture = scene();
    picture.logins.begin(login("l-1", "BCDF-GHJK"), turn.now);
    auto look = ask("GET", "/v1/logins", ada_token);
    look.query = "code=BCDF-GHJK";
    EXPECT_THAT(std::get<HttpAnswer>(step(picture, look, turn)).body, HasSubstr("ada on box"));
    look.query = "code=BCDF-GHJX";
    EXPECT_EQ(status_of_step(step(picture, look, turn)), 404U);
    const auto word = step(picture, ask("POST", "/v1/logins/answer", bob_token, R"({"code":"BCDF-GHJK","answer":"confirm"})"), turn);
    const auto& act = std::get<LoginAnswer>(std::get<LoginWish>(word).act);
    EXPECT_EQ(act.user, UserId{"bob"});
    EXPECT_EQ(act.role, TokenRole::user);
    EXPECT_EQ(status_of_step(step(picture, ask("POST", "/v1/logins/answer", "", R"({"code":"BCDF-GHJK","answer":"confirm"})"), turn)), 401U);
}

}  // namespace
}  // namespace berth::gateway::testing
