// SPDX-License-Identifier: Apache-2.0
#include "proxy/port_holder.hpp"

#include <gtest/gtest.h>

namespace berth::proxy {
namespace {

TEST(PortHolder, OnlyWhoListensAtThePortIsFound) {
    const auto found = listeners_in(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:2EE1 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n"
        "   1: 0100007F:2EE1 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1001        0 4712 1 0 20 4 30 10 -1\n"
        "   2: 00000000:2EE2 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0\n"
        "half a line\n",
        12'001);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].inode, "4711");
    EXPECT_EQ(found[0].user_id, "1000");
    EXPECT_TRUE(listeners_in("", 80).empty());
}

}  // namespace
}  // namespace berth::proxy
