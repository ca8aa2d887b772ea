// SPDX-License-Identifier: Apache-2.0
// The folder of keys: modes, damage, roles.
#include "bus/keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/folder.hpp"

namespace berth::bus {
namespace {

using testing::Folder;
using ::testing::HasSubstr;

unsigned mode_of(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 ? about.st_mode & 0777U : 0U;
}

TEST(keys, are_minted_once_and_only_their_owner_reads_them) {
    Folder folder;
    const auto dir = folder / "keys";
    const auto pair = mint_key(dir, "robot", Role::client);
    ASSERT_TRUE(pair) << pair.error().text;
    EXPECT_EQ(mode_of(dir), 0700U);
    EXPECT_EQ(mode_of(dir + "/robot.key"), 0600U);
    EXPECT_EQ(mode_of(dir + "/peers/robot"), 0600U);
    const auto again = mint_key(dir, "robot", Role::client);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->secret_key, pair->secret_key);
    EXPECT_EQ(load_key(dir, "robot")->public_key, pair->public_key);
    EXPECT_EQ(mint_key(dir, "robot", Role::gateway).error().kind, ErrorKind::conflict);
    const auto peers = load_peers(dir);
    ASSERT_TRUE(peers);
    EXPECT_EQ(peers->at(pair->public_key).name, "robot");
}

TEST(keys, the_broker_is_no_peer_and_nobody_else_has_its_name) {
    Folder folder;
    const auto pair = mint_key(folder.path(), "broker", Role::broker);
    ASSERT_TRUE(pair);
    EXPECT_EQ(load_broker_key(folder.path()).value(), pair->public_key);
    EXPECT_TRUE(load_peers(folder.path())->empty());
    EXPECT_FALSE(mint_key(folder.path(), "broker", Role::client));
    EXPECT_FALSE(mint_key(folder.path(), "other", Role::broker));
    EXPECT_FALSE(revoke_key(folder.path(), "broker"));
}

TEST(keys, names_are_labels) {
    Folder folder;
    for (const auto& name : {std::string{}, std::string{"../up"}, std::string{"a/b"}, std::string{"a.b"}, std::string{"a b"},
                             std::string(65, 'a'), std::string{"ä"}, std::string{"a\n"}}) {
        EXPECT_EQ(mint_key(folder.path(), name, Role::client).error().kind, ErrorKind::invalid) << name;
        EXPECT_FALSE(load_key(folder.path(), name)) << name;
    }
}

TEST(keys, damage_is_an_error_that_names_the_file_and_never_the_secret) {
    Folder folder;
    const auto one = mint_key(folder.path(), "one", Role::client);
    const auto two = mint_key(folder.path(), "two", Role::client);
    const auto file = folder / "one.key";
    for (const auto& text : {std::string{}, std::string{"x"}, one->public_key, one->public_key + " " + two->secret_key,
                             std::string(40, '0') + " " + std::string(40, '0'),
                             one->public_key + " " + one->secret_key + " more"}) {
        testing::write_text(file, text);
        ::chmod(file.c_str(), 0600);
        const auto loaded = load_key(folder.path(), "one");
        ASSERT_FALSE(loaded) << text.size();
        EXPECT_EQ(loaded.error().kind, ErrorKind::corrupt);
        EXPECT_THAT(loaded.error().text, HasSubstr("one"));
        EXPECT_THAT(loaded.error().text, Not(HasSubstr(one->secret_key)));
        EXPECT_THAT(loaded.error().text, Not(HasSubstr(two->secret_key)));
    }
}

TEST(keys, that_others_could_read_are_refused) {
    Folder folder;
    ASSERT_TRUE(mint_key(folder.path(), "robot", Role::client));
    ::chmod((folder / "robot.key").c_str(), 0640);
    const auto loaded = load_key(folder.path(), "robot");
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().kind, ErrorKind::denied);
    EXPECT_THAT(loaded.error().text, HasSubstr("chmod 600"));
}

TEST(keys, a_revoked_peer_is_gone_and_two_with_one_key_are_refused) {
    Folder folder;
    ASSERT_TRUE(mint_key(folder.path(), "robot", Role::client));
    ASSERT_TRUE(revoke_key(folder.path(), "robot"));
    EXPECT_TRUE(load_peers(folder.path())->empty());
    EXPECT_EQ(revoke_key(folder.path(), "robot").error().kind, ErrorKind::not_found);
    const auto pair = mint_key(folder.path(), "a", Role::client);
    testing::write_text(folder / "peers/b", "gateway " + pair->public_key + "\n");
    const auto peers = load_peers(folder.path());
    ASSERT_FALSE(peers) << "whose message would it be?";
    EXPECT_THAT(peers.error().text, HasSubstr("the key of another peer"));
}

TEST(keys, a_file_that_is_being_written_is_not_looked_at) {
    Folder folder;
    ASSERT_TRUE(mint_key(folder.path(), "robot", Role::client));
    testing::write_text(folder / "peers/.new-0123", "half a li");
    EXPECT_EQ(load_peers(folder.path())->size(), 1U);
    testing::write_text(folder / "peers/bro", "broker " + load_key(folder.path(), "robot")->public_key);
    EXPECT_FALSE(load_peers(folder.path())) << "nobody becomes the broker by a file";
}

}  // namespace
}  // namespace berth::bus
