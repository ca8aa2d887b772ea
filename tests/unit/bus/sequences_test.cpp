// SPDX-License-Identifier: Apache-2.0
// What was lost on the way is found by numbers alone (I21).
#include "bus/sequences.hpp"

#include <gtest/gtest.h>

namespace berth::bus {
namespace {

TEST(sequence_source, counts_each_topic_from_one) {
    SequenceSource source;
    EXPECT_EQ(source.next("a."), 1U);
    EXPECT_EQ(source.next("a."), 2U);
    EXPECT_EQ(source.next("b."), 1U);
}

TEST(sequence_source, stops_counting_new_topics_at_its_bound_and_goes_on_with_the_old) {
    SequenceSource source;
    for (std::size_t i = 0; i < SequenceSource::topics_max; ++i) ASSERT_TRUE(source.next(std::to_string(i)));
    EXPECT_FALSE(source.next("one more"));
    EXPECT_EQ(source.next("0"), 2U);
}

TEST(sequence_watch, begins_with_whatever_comes_first) {
    SequenceWatch watch;
    EXPECT_FALSE(watch.note("s", "boot 1", "a.", 500));
    EXPECT_FALSE(watch.note("s", "boot 1", "a.", 501));
    EXPECT_FALSE(watch.note("s", "boot 1", "b.", 7)) << "a topic of its own";
}

TEST(sequence_watch, says_how_many_are_missing_once) {
    SequenceWatch watch;
    watch.note("s", "boot 1", "a.", 1);
    EXPECT_EQ(watch.note("s", "boot 1", "a.", 5), 3U);
    EXPECT_FALSE(watch.note("s", "boot 1", "a.", 6));
}

TEST(sequence_watch, repeated_and_older_numbers_are_no_gap) {
    SequenceWatch watch;
    for (const std::uint64_t number : {3U, 4U, 4U, 2U}) EXPECT_FALSE(watch.note("s", "boot 1", "a.", number));
    EXPECT_FALSE(watch.note("s", "boot 1", "a.", 5)) << "an old one does not turn the count back";
}

TEST(sequence_watch, a_new_start_of_the_sender_is_told_with_what_it_published_before) {
    SequenceWatch watch;
    watch.note("s", "boot 1", "a.", 9);
    EXPECT_EQ(watch.note("s", "boot 2", "a.", 1), 0U);
    EXPECT_EQ(watch.note("s", "boot 3", "a.", 4), 3U);
    EXPECT_FALSE(watch.note("s", "boot 3", "a.", 5));
    EXPECT_FALSE(watch.note("other", "boot 1", "a.", 80));
}

}  // namespace
}  // namespace berth::bus
