// SPDX-License-Identifier: Apache-2.0
#include "base/by_name.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace berth {
namespace {

struct Thing {
    std::string name;
    int number = 0;
};

int number_of(ByName<Thing>& things, const char* name) {
    const auto* thing = things.find(name);
    return thing ? thing->number : 0;
}

TEST(ByName, FindsWhatWasAddedInAnyOrder) {
    const std::vector<Thing> things{{"h-2", 2}, {"h-10", 10}, {"h-1", 1}};
    ByName<Thing> by_name(things.size());
    for (const auto& thing : things) by_name.add(thing.name, thing);

    EXPECT_EQ(number_of(by_name, "h-2"), 2);
    EXPECT_EQ(number_of(by_name, "h-1"), 1);
    EXPECT_EQ(number_of(by_name, "h-10"), 10);
    EXPECT_EQ(number_of(by_name, "h-2"), 2);
    EXPECT_EQ(number_of(by_name, "h-"), 0);
    EXPECT_EQ(number_of(by_name, "h-3"), 0);
}

TEST(ByName, OfEqualNamesTheLastOneIsFound) {
    const std::vector<Thing> things{{"a", 1}, {"b", 2}, {"b", 3}, {"b", 4}, {"c", 5}};
    ByName<Thing> by_name(things.size());
    for (const auto& thing : things) by_name.add(thing.name, thing);

    for (const auto& [name, number] : std::vector<Thing>{{"a", 1}, {"b", 4}, {"c", 5}, {"b", 4}}) EXPECT_EQ(number_of(by_name, name.c_str()), number);
}

TEST(ByName, OfNothingFindsNothing) {
    ByName<Thing> by_name(0);

    EXPECT_EQ(number_of(by_name, "a"), 0);
}

}  // namespace
}  // namespace berth
