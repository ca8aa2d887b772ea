// SPDX-License-Identifier: Apache-2.0
#include "cli/browser.hpp"

#include <gmock/gmock.h>

namespace berth::cli {
namespace {

using ::testing::ElementsAre;

TEST(Browser, NamesOneCommandOrSeveral_field_report_32) {
    EXPECT_THAT(browser_commands("firefox", "file:///p"), ElementsAre(ElementsAre("firefox", "file:///p")));
    EXPECT_THAT(browser_commands("a --new %s:b", "file:///p"), ElementsAre(ElementsAre("a", "--new", "file:///p"), ElementsAre("b", "file:///p")));
    EXPECT_THAT(browser_commands("a --url=%s --x", "file:///%s"), ElementsAre(ElementsAre("a", "--url=file:///%s", "--x")));
    EXPECT_THAT(browser_commands(" : :", "file:///p"), ElementsAre());
}

}  // namespace
}  // namespace berth::cli
