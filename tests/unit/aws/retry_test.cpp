// SPDX-License-Identifier: Apache-2.0
#include "aws/retry.hpp"

#include <gtest/gtest.h>

namespace berth::testing {
namespace {

using aws::Fault;
using aws::FaultClass;
using aws::Repeat;

TEST(Retries, pauses_are_chance_below_a_bound_that_doubles) {
    const aws::RetryPolicy policy{.tries_max = 20, .tokens_max = 1e9};
    aws::Retries retries(policy, Rng{1});
    for (std::uint32_t tries = 1; tries < 20; ++tries) {
        const auto bound = std::min(policy.pause_max, policy.pause * (1L << (tries - 1)));
        Duration longest{0};
        for (int i = 0; i < 500; ++i) {
            const auto pause = retries.after({.kind = FaultClass::unreachable}, tries, Repeat::harmless);
            ASSERT_TRUE(pause);
            ASSERT_LE(*pause, bound);
            longest = std::max(longest, *pause);
        }
        EXPECT_GT(longest, bound * 9 / 10) << "full jitter";
    }
}

TEST(Retries, only_what_may_pass_is_tried_again) {
    aws::Retries retries({}, Rng{1});
    for (const auto kind : {FaultClass::throttle, FaultClass::contention, FaultClass::unreachable, FaultClass::broken}) {
        EXPECT_TRUE(retries.after({.kind = kind}, 1, Repeat::harmless)) << to_string(kind);
    }
    for (const auto kind : {FaultClass::permission, FaultClass::quota, FaultClass::capacity, FaultClass::configuration, FaultClass::missing, FaultClass::skew}) {
        EXPECT_FALSE(retries.after({.kind = kind}, 1, Repeat::harmless)) << to_string(kind);
    }
    EXPECT_FALSE(retries.after({.kind = FaultClass::throttle}, 4, Repeat::harmless)) << "four tries in all";
}

TEST(Retries, what_would_do_harm_twice_is_tried_again_only_when_it_was_refused) {
    aws::Retries retries({}, Rng{1});
    EXPECT_FALSE(retries.after({.kind = FaultClass::unreachable, .perhaps_done = true}, 1, Repeat::harmful));
    EXPECT_TRUE(retries.after({.kind = FaultClass::throttle}, 1, Repeat::harmful));
}

TEST(Retries, an_outage_empties_the_bucket_and_answers_fill_it) {
    aws::Retries retries({.tokens_max = 10}, Rng{1});
    const Fault fault{.kind = FaultClass::broken};
    EXPECT_TRUE(retries.after(fault, 1, Repeat::harmless));
    EXPECT_TRUE(retries.after(fault, 1, Repeat::harmless));
    EXPECT_FALSE(retries.after(fault, 1, Repeat::harmless));
    for (int i = 0; i < 5; ++i) retries.worked();
    EXPECT_TRUE(retries.after(fault, 1, Repeat::harmless));
}

}  // namespace
}  // namespace berth::testing
