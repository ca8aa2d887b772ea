// SPDX-License-Identifier: Apache-2.0
// The checker itself is checked: good and bad histories made by hand, and random ones against every
// permutation.
#include "tests/sim/linear.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "base/rng.hpp"

namespace berth::sim {
namespace {

Call call(CallKind kind, int began, int ended, std::uint64_t epoch = 0, std::uint32_t count = 0, CallEnd end = CallEnd::ok) {
    static int keys = 0;
    return {.client = "ada", .kind = kind, .end = end, .key = "k" + std::to_string(++keys), .project = "p",
            .workspace = kind == CallKind::release ? "" : "w", .epoch = epoch, .count = count,
            .began_at = Instant{Duration{began}}, .ended_at = Instant{Duration{ended}}};
}
LinearVerdict verdict(const History& history) { return check_linear(history).verdict; }

TEST(Linear, ClaimReleaseClaimGrowsTheEpoch) {
    EXPECT_EQ(verdict({call(CallKind::claim, 0, 1, 1), call(CallKind::release, 2, 3, 0, 1), call(CallKind::claim, 4, 5, 2)}), LinearVerdict::linear);
}
TEST(Linear, AReleasedEpochNeverComesBack) {
    EXPECT_EQ(verdict({call(CallKind::claim, 0, 1, 1), call(CallKind::release, 2, 3, 0, 1), call(CallKind::claim, 4, 5, 1)}), LinearVerdict::broken);
}
TEST(Linear, AReleaseThatOverlapsMayComeAfter) {
    EXPECT_EQ(verdict({call(CallKind::claim, 0, 1, 1), call(CallKind::release, 2, 9, 0, 1), call(CallKind::claim, 3, 4, 1)}), LinearVerdict::linear);
}
TEST(Linear, NothingRanBeforeTheFirstClaim) {
    EXPECT_EQ(verdict({call(CallKind::release, 0, 1, 0, 1), call(CallKind::claim, 2, 3, 1)}), LinearVerdict::broken);
}
TEST(Linear, AClaimOfUnknownOutcomeMayHaveBegunIt) {
    EXPECT_EQ(verdict({call(CallKind::claim, 0, 1, 0, 0, CallEnd::unknown), call(CallKind::release, 2, 3, 0, 1)}), LinearVerdict::linear);
}
TEST(Linear, ALinkOfAnEndedLeaseIsALie) {
    EXPECT_EQ(verdict({call(CallKind::claim, 0, 1, 3), call(CallKind::release, 2, 3, 0, 1), call(CallKind::link, 4, 5, 3)}), LinearVerdict::broken);
}
TEST(Linear, EpochsNeverFall) {
    EXPECT_EQ(verdict({call(CallKind::claim, 0, 1, 3), call(CallKind::claim, 2, 3, 2)}), LinearVerdict::broken);
}

// Every order of all calls, and of all choices of unknown ones left out.
bool brute_force(History calls) {
    std::sort(calls.begin(), calls.end(), [](const Call& a, const Call& b) { return a.key < b.key; });
    const auto later = [](const Call& a, const Call& b) {   // must a come after b?
        return b.end != CallEnd::unknown && b.ended_at < a.began_at;
    };
    do {
        for (unsigned skip = 0; skip < (1U << calls.size()); ++skip) {
            LeaseSeen lease;
            bool good = true;
            for (std::size_t i = 0; i < calls.size() && good; ++i) {
                const bool skipped = (skip >> i) & 1U;
                if (skipped) {
                    good = calls[i].end == CallEnd::unknown;
                    continue;
                }
                for (std::size_t j = i + 1; j < calls.size(); ++j) {
                    if (!((skip >> j) & 1U)) good = good && !later(calls[i], calls[j]);
                }
                good = good && apply_call(lease, calls[i]);
            }
            if (good) return true;
        }
    } while (std::next_permutation(calls.begin(), calls.end(), [](const Call& a, const Call& b) { return a.key < b.key; }));
    return false;
}

TEST(Linear, AgreesWithEveryPermutation) {
    Rng rng{7};
    int broken = 0;
    for (int round = 0; round < 600; ++round) {
        History history;
        for (std::uint64_t index = 0, size = 2 + rng.below(4); index < size; ++index) {
            constexpr std::array kinds{CallKind::claim, CallKind::claim, CallKind::release, CallKind::link};
            const auto began = static_cast<int>(rng.below(20));
            history.push_back(call(kinds[rng.below(4)], began, began + static_cast<int>(rng.below(8)), 1 + rng.below(3),
                                   static_cast<std::uint32_t>(rng.below(2)), rng.chance(0.2) ? CallEnd::unknown : CallEnd::ok));
            if (history.back().kind == CallKind::link) history.back().end = CallEnd::ok;
        }
        const bool good = brute_force(history);
        broken += good ? 0 : 1;
        ASSERT_EQ(verdict(history) == LinearVerdict::linear, good) << "round " << round;
    }
    EXPECT_GT(broken, 50);
    EXPECT_LT(broken, 550);
}

}  // namespace
}  // namespace berth::sim
