// SPDX-License-Identifier: Apache-2.0
// Tokens at rest: hashed, 0600, over when they say so.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/outside_text.hpp"
#include "gateway/tokens.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace berth::gateway::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Tokens : public ::testing::Test {
protected:
    Tokens() {
        char form[] = "/tmp/berth-tokens-XXXXXX";
        state = ::mkdtemp(form);
    }
    ~Tokens() override { std::filesystem::remove_all(state); }
    std::string text_of_file(const std::string& name) const {
        std::ostringstream all;
        all << std::ifstream(state + "/" + name).rdbuf();
        return all.str();
    }
    unsigned mode_of(const std::string& name) const {
        struct stat facts {};
        return ::stat((state + "/" + name).c_str(), &facts) == 0 ? facts.st_mode & 0777U : 0;
    }
    std::string state;
};

TEST_F(Tokens, only_the_hash_is_kept) {
    const auto minted = mint_token(state, {TokenRole::user, UserId{"ada"}, "laptop", {}}, turn.now).value();
    EXPECT_EQ(minted.plain.size(), 6U + 64U);
    EXPECT_THAT(text_of_file("tokens.json"), Not(HasSubstr(minted.plain.substr(6))));
    EXPECT_THAT(text_of_file("tokens.json"), HasSubstr(hash_of_token(minted.plain)));
    EXPECT_EQ(mode_of("tokens.json"), 0600U);
    const auto table = load_tokens(state).value();
    ASSERT_NE(table.find(minted.plain, turn.now), nullptr);
    EXPECT_EQ(table.find(minted.plain, turn.now)->user, UserId{"ada"});
    EXPECT_EQ(table.find(hash_of_token(minted.plain), turn.now), nullptr) << "who reads the file can not use it";
    EXPECT_EQ(table.find("", turn.now), nullptr);
}

TEST_F(Tokens, end_in_time_and_by_revoking) {
    const auto minted = mint_token(state, {TokenRole::user, UserId{"ada"}, "", Duration{1'000}}, turn.now).value();
    const auto other = mint_token(state, {TokenRole::operations, UserId{"ops"}, "", {}}, turn.now).value();
    EXPECT_NE(load_tokens(state)->find(minted.plain, turn.now + Duration{999}), nullptr);
    EXPECT_EQ(load_tokens(state)->find(minted.plain, turn.now + Duration{1'000}), nullptr);
    ASSERT_TRUE(revoke_token(state, other.entry.id));
    EXPECT_EQ(load_tokens(state)->find(other.plain, turn.now), nullptr);
    EXPECT_EQ(revoke_token(state, other.entry.id).error().kind, ErrorKind::not_found);
}

TEST_F(Tokens, the_machines_own_token_is_minted_once) {
    ASSERT_TRUE(keep_operator_token(state, turn.now));
    const auto plain = text_of_file("token");
    EXPECT_EQ(mode_of("token"), 0600U);
    ASSERT_TRUE(keep_operator_token(state, turn.now));
    EXPECT_EQ(text_of_file("token"), plain);
    EXPECT_EQ(load_tokens(state)->entries().size(), 1U);
    std::ofstream(state + "/token") << "short\n";
    EXPECT_EQ(keep_operator_token(state, turn.now).error().kind, ErrorKind::invalid);
}

TEST_F(Tokens, a_replaced_file_ends_the_machines_old_token_field_report_4) {
    ASSERT_TRUE(keep_operator_token(state, turn.now));
    const auto old = first_line_of(state + "/token");
    const auto other = mint_token(state, {TokenRole::operations, UserId{"ops"}, std::string{machine_note}, {}}, turn.now).value();
    std::filesystem::remove(state + "/token");
    ASSERT_TRUE(keep_operator_token(state, turn.now));
    const auto renewed = first_line_of(state + "/token");
    EXPECT_EQ(load_tokens(state)->find(old, turn.now), nullptr);
    EXPECT_NE(load_tokens(state)->find(renewed, turn.now), nullptr);
    EXPECT_NE(load_tokens(state)->find(other.plain, turn.now), nullptr) << "a note that anybody may write makes no token this machine's";
    const auto by_hand = std::string(40, 'x');
    std::ofstream(state + "/token") << "\xEF\xBB\xBF" << by_hand << "\r\n";
    ASSERT_TRUE(keep_operator_token(state, turn.now));
    EXPECT_NE(load_tokens(state)->find(by_hand, turn.now), nullptr) << "field report 29";
    EXPECT_EQ(load_tokens(state)->find(renewed, turn.now), nullptr);
    EXPECT_EQ(load_tokens(state)->entries().size(), 2U);
}

TEST_F(Tokens, of_a_table_from_before_the_note_tells_which_is_the_machines) {
    ASSERT_TRUE(keep_operator_token(state, turn.now));
    const auto old = first_line_of(state + "/token");
    auto table = text_of_file("tokens.json");
    const auto cut = [&](const std::string& text, const std::string& by) { table.replace(table.find(text), text.size(), by); };
    cut("\"version\": 2", "\"version\": 1");
    cut(",\n      \"machine\": true", "");
    std::ofstream(state + "/tokens.json") << table;
    std::filesystem::remove(state + "/token");
    ASSERT_TRUE(keep_operator_token(state, turn.now));
    EXPECT_EQ(load_tokens(state)->find(old, turn.now), nullptr);
    EXPECT_EQ(load_tokens(state)->entries().size(), 1U);
}

TEST_F(Tokens, a_damaged_table_is_said_so_and_not_taken_for_empty) {
    for (const char* bad : {"{", "[]", "{}", R"({"tokens":[7]})", R"({"tokens":[{"id":"t","role":"king","sha256":""}]})"}) {
        std::ofstream(state + "/tokens.json") << bad;
        const auto loaded = load_tokens(state);
        ASSERT_FALSE(loaded) << bad;
        EXPECT_THAT(loaded.error().text, HasSubstr("damaged"));
    }
}

}  // namespace
}  // namespace berth::gateway::testing
