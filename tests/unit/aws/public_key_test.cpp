// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/surroundings.hpp"

namespace berth::aws {
namespace {

using ::testing::HasSubstr;

constexpr const char* good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDMwXpiNEr3wZjbIX2Uq789xpMYGkJYs+dGrnMLRY1W8 ada@laptop";

TEST(PublicKey, one_line_as_ssh_keygen_writes_it_is_taken_with_or_without_its_line_break) {
    const auto key = read_public_key(std::string{good} + "\n", "id.pub");
    ASSERT_TRUE(key) << key.error().text;
    EXPECT_EQ(key->line, good);
    EXPECT_EQ(key->mark.size(), 12U);
    EXPECT_EQ(read_public_key(good, "id.pub")->mark, key->mark);
    std::string without_comment = good;
    without_comment.resize(without_comment.rfind(' '));
    EXPECT_EQ(read_public_key(without_comment, "id.pub")->mark, key->mark) << "the comment is no part of the key";
}

TEST(PublicKey, what_is_none_is_refused_with_what_it_is_instead) {
    const struct {
        const char* name;
        std::string text;
        const char* says;
    } rows[] = {{"private", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----", "is a private key"},
                {"pem", "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----", "another format"},
                {"putty", "---- BEGIN SSH2 PUBLIC KEY ----\nComment\n", "another format"},
                {"empty", " \n", "is no public key"},
                {"two lines", std::string{good} + "\n" + good, "one line was expected"},
                {"word", "hello", "begins with 'hello'"},
                {"ecdsa", "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKlugNFeOdwuulveYBkOecz4flXNP2XFAGQtjOeoncWC2H6iRWHTjBrqt+SCqFwLr8M2Pm9rw5QPdl/1YFdXPo4= bob", "ssh-ed25519 or ssh-rsa"},
                {"cut", std::string{good}.substr(0, 40), "is a damaged public key"},
                {"of another kind", "ssh-rsa " + std::string{good}.substr(12), "is a damaged public key"},
                {"no blob", "ssh-ed25519", "is a damaged public key"}};
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        const auto key = read_public_key(row.text, "id.pub");
        ASSERT_FALSE(key);
        EXPECT_EQ(key.error().kind, ErrorKind::invalid);
        EXPECT_THAT(key.error().text, HasSubstr(row.says));
        EXPECT_THAT(key.error().text, HasSubstr("id.pub"));
    }
}

}  // namespace
}  // namespace berth::aws
