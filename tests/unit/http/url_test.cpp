// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "http/client.hpp"

namespace berth::testing {
namespace {

TEST(Url, is_loopback_by_its_host_alone) {
    struct Row {
        const char* name;
        const char* url;
        bool loopback;
    };
    const Row rows[] = {
        {"an address", "http://127.0.0.1:9092/v1", true},
        {"another of the block", "http://127.64.3.9", true},
        {"the short form that libcurl reads", "http://127.1/", true},
        {"a number", "http://2130706433/", true},
        {"IPv6", "https://[::1]:8443/x", true},
        {"IPv4 in IPv6", "http://[::ffff:127.0.0.1]/", true},
        {"the name", "http://LocalHost:80/", true},
        {"with a dot at its end", "http://localhost./", true},
        {"a workspace's name", "http://w-1.localhost:9000/", true},
        {"with a user", "http://a:b@127.0.0.1/", true},
        {"a user that looks like one", "http://127.0.0.1@berth.example/", false},
        {"a name that begins like one", "http://127.0.0.1.berth.example/", false},
        {"a name that ends like one", "http://notlocalhost/", false},
        {"another machine", "http://10.0.0.1/", false},
        {"in the path", "http://berth.example/127.0.0.1", false},
        {"nothing", "", false},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(http::is_loopback(row.url), row.loopback);
    }
}

TEST(Url, is_link_local_by_its_host_alone) {
    for (const auto* url : {"http://169.254.169.254/latest", "http://169.254.170.2/v2", "http://[fe80::1]/", "http://[fd00:ec2::254]/latest"}) {
        EXPECT_TRUE(http::is_link_local(url)) << url;
    }
    for (const auto* url : {"http://169.253.169.254/", "http://10.0.0.1/169.254.1.1", "http://169.254.169.254@berth.example/", "http://127.0.0.1/",
                            "http://[fd00:ec3::254]/", ""}) {
        EXPECT_FALSE(http::is_link_local(url)) << url;
    }
}

TEST(Url, encodes_all_but_unreserved_characters) {
    EXPECT_EQ(http::url_encoded("a-Z_0.~"), "a-Z_0.~");
    EXPECT_EQ(http::url_encoded("{\"label\": [\"ä/b\"]}"), "%7B%22label%22%3A%20%5B%22%C3%A4%2Fb%22%5D%7D");
}

}  // namespace
}  // namespace berth::testing
