// SPDX-License-Identifier: Apache-2.0
#include "os/lock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "tests/support/folder.hpp"

namespace berth::os {
namespace {

using ::testing::HasSubstr;
using testing::Folder;

TEST(Lock, is_held_by_one_at_a_time_and_names_its_holder) {
    Folder folder;
    const auto path = folder / "up.lock";
    EXPECT_FALSE(is_locked(path)) << "there is no such file";
    {
        const auto first = Lock::take(path, Duration{0}, LockNote::pid);
        ASSERT_TRUE(first) << first.error().text;
        EXPECT_TRUE(is_locked(path));
        EXPECT_EQ(lock_holder(path), std::to_string(::getpid()));

        const auto second = Lock::take(path, Duration{0});
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().kind, ErrorKind::conflict);
        EXPECT_THAT(second.error().text, HasSubstr(fmt::format("{} is held by process {}", path, ::getpid())));
    }
    EXPECT_FALSE(is_locked(path));
    EXPECT_TRUE(Lock::take(path, Duration{0}));
}

TEST(Lock, is_waited_for_as_long_as_one_has_patience) {
    Folder folder;
    const auto path = folder / "lock";
    std::optional<Lock> held{std::move(*Lock::take(path, Duration{0}))};
    Result<void> outcome;

    std::thread other([&] {
        const auto taken = Lock::take(path, Duration{60'000});
        if (!taken) outcome = fail(taken.error());
    });
    held.reset();
    other.join();

    EXPECT_TRUE(outcome) << outcome.error().text;
    EXPECT_EQ(Lock::take(folder / "no/such", Duration{0}).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace berth::os
