// SPDX-License-Identifier: Apache-2.0
// The keys folder in memory: enrolled and revoked keys are seen at once, each change once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/peer_book.hpp"
#include "tests/support/folder.hpp"

namespace berth::broker {
namespace {

using testing::Folder;

TEST(peer_book, knows_a_new_key_at_the_next_look) {
    Folder folder;
    ASSERT_TRUE(bus::mint_key(folder.path(), "robot", Role::client));
    auto book = PeerBook::open(folder.path());
    ASSERT_TRUE(book) << book.error().text;
    EXPECT_EQ((*book)->peers()->size(), 1U);
    const auto pair = bus::mint_key(folder.path(), "h-1", Role::host);
    ASSERT_TRUE(pair);
    EXPECT_FALSE((*book)->find(pair->public_key));
    ASSERT_TRUE((*book)->refresh());
    const auto found = (*book)->find(pair->public_key);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->name, "h-1");
    EXPECT_EQ(found->role, Role::host);
}

TEST(peer_book, tells_once_who_is_gone) {
    Folder folder;
    ASSERT_TRUE(bus::mint_key(folder.path(), "robot", Role::client));
    ASSERT_TRUE(bus::mint_key(folder.path(), "h-1", Role::host));
    auto book = PeerBook::open(folder.path());
    ASSERT_TRUE(book);
    ASSERT_TRUE(bus::revoke_key(folder.path(), "h-1"));
    const auto gone = (*book)->refresh();
    ASSERT_TRUE(gone);
    ASSERT_EQ(gone->size(), 1U);
    EXPECT_EQ(gone->front().name, "h-1");
    EXPECT_TRUE((*book)->refresh()->empty());
}

TEST(peer_book, one_that_was_enrolled_anew_with_another_key_or_role_is_gone_and_there) {
    Folder folder;
    ASSERT_TRUE(bus::mint_key(folder.path(), "x", Role::client));
    auto book = PeerBook::open(folder.path());
    ASSERT_TRUE(bus::revoke_key(folder.path(), "x"));
    const auto anew = bus::mint_key(folder.path(), "x", Role::host);
    ASSERT_TRUE(anew);
    const auto gone = (*book)->refresh();
    ASSERT_TRUE(gone && gone->size() == 1);
    EXPECT_EQ(gone->front().role, Role::client);
    EXPECT_EQ((*book)->find(anew->public_key)->role, Role::host);
}

TEST(peer_book, keeps_what_it_knew_while_the_folder_is_damaged) {
    Folder folder;
    const auto pair = bus::mint_key(folder.path(), "robot", Role::client);
    auto book = PeerBook::open(folder.path());
    testing::write_text(folder / "peers/broken", "client\n");
    const auto refreshed = (*book)->refresh();
    ASSERT_FALSE(refreshed);
    EXPECT_THAT(refreshed.error().text, ::testing::HasSubstr("peers/broken"));
    EXPECT_TRUE((*book)->find(pair->public_key));
}

}  // namespace
}  // namespace berth::broker
