// SPDX-License-Identifier: Apache-2.0
// Several messages in one frame: whole or not at all, wherever it was torn.
#include "bus/batch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/rng.hpp"

namespace berth::bus {
namespace {

using ::testing::ElementsAre;

std::vector<std::vector<std::string>> all_of(std::string_view body) {
    std::vector<std::vector<std::string>> messages;
    while (const auto parts = next_of_batch(body)) {
        messages.emplace_back(parts->frames.begin(), parts->frames.begin() + static_cast<std::ptrdiff_t>(parts->count));
    }
    return messages;
}

TEST(batch, gives_back_what_was_added_in_order) {
    Batch batch;
    batch.add("allocator.claim.", std::string(70'000, 'x'));
    batch.add("reply.", "", "tag-1");
    batch.add("a.b.", std::string("\0\1", 2));
    EXPECT_EQ(batch.count(), 3U);
    ASSERT_TRUE(is_batch(batch.body()));
    EXPECT_THAT(all_of(batch.body()), ElementsAre(ElementsAre("allocator.claim.", std::string(70'000, 'x')), ElementsAre("reply.", "", "tag-1"),
                                                  ElementsAre("a.b.", std::string("\0\1", 2))));
    batch.clear();
    EXPECT_TRUE(batch.empty());
    EXPECT_EQ(batch.body(), "");
}

TEST(batch, torn_at_any_byte_is_none_or_ends_between_two_messages) {
    Batch batch;
    std::vector<std::size_t> ends{0};
    for (const auto* envelope : {"one", "", "three and more"}) {
        batch.add("host.bind.h-1.", envelope, "stamp");
        ends.push_back(batch.body().size());
    }
    for (std::size_t size = 0; size < batch.body().size(); ++size) {
        const bool between = std::find(ends.begin(), ends.end(), size) != ends.end();
        EXPECT_EQ(is_batch(batch.body().substr(0, size)), between) << "torn at " << size;
    }
    EXPECT_FALSE(is_batch(batch.body() + "x"));
}

TEST(batch, promises_more_than_it_has_and_is_refused) {
    EXPECT_FALSE(is_batch(std::string("\2\0\0\0\1a\xff\xff\xff\xff", 10)));
    EXPECT_FALSE(is_batch(std::string("\1\0\0\0\1a", 6))) << "one frame is no message";
    EXPECT_FALSE(is_batch(std::string("\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17))) << "nor are four";
    std::string many;
    for (std::size_t i = 0; i <= batch_messages_max; ++i) many += std::string("\2\0\0\0\0\0\0\0\0", 9);
    EXPECT_FALSE(is_batch(many)) << "more messages than a body may have";
    EXPECT_TRUE(is_batch(many.substr(9)));
}

TEST(batch, any_bytes_end) {
    Rng rng(7);
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes;
        for (std::uint64_t k = 0, n = rng.below(40); k < n; ++k) bytes.push_back(static_cast<char>(rng.below(rng.chance(0.7) ? 4 : 256)));
        EXPECT_LE(all_of(bytes).size(), bytes.size() / 9);
    }
}

TEST(batch, is_full_at_its_bounds) {
    Batch batch;
    std::size_t added = 0;
    for (const std::string message(1'000, 'm'); batch.has_room_for(message.size() + 1); ++added) batch.add("t", message);
    EXPECT_LE(batch.body().size(), batch_bytes_max);
    EXPECT_GT(added, 200U);
    batch.clear();
    while (batch.has_room_for(2)) batch.add("t", "e");
    EXPECT_EQ(batch.count(), batch_messages_max);
}

}  // namespace
}  // namespace berth::bus
