// SPDX-License-Identifier: Apache-2.0
// Whose word about a client's address is believed.
#include <gtest/gtest.h>

#include "gateway/front.hpp"

namespace berth::gateway {

namespace {

std::string client(const std::vector<std::string>& trusted, const std::string& peer, const std::vector<std::string>& forwarded) {
    HttpRequest request{.method = "GET", .remote = peer};
    for (const auto& value : forwarded) request.headers.emplace_back("x-forwarded-for", value);
    return Front::open({trusted}).value().client_of(request);
}

}  // namespace

TEST(Front, nobody_is_believed_by_default) {
    EXPECT_EQ(client({}, "127.0.0.1", {"192.0.2.7"}), "127.0.0.1");
}

TEST(Front, a_client_is_whom_the_last_trusted_proxy_heard) {
    struct Row {
        const char* name;
        std::vector<std::string> trusted;
        const char* peer;
        std::vector<std::string> forwarded;
        const char* client;
    };
    const Row rows[] = {
        {"by its proxy", {"127.0.0.1"}, "127.0.0.1", {"192.0.2.7"}, "192.0.2.7"},
        {"who is no proxy says nothing", {"127.0.0.1"}, "192.0.2.9", {"192.0.2.7"}, "192.0.2.9"},
        {"its own word stands before the proxy's", {"127.0.0.1"}, "127.0.0.1", {"10.9.9.9, 192.0.2.7"}, "192.0.2.7"},
        {"also in a header of its own", {"127.0.0.1"}, "127.0.0.1", {"10.9.9.9", "192.0.2.7"}, "192.0.2.7"},
        {"two proxies in a row", {"127.0.0.1", "10.0.0.0/8"}, "127.0.0.1", {"1.2.3.4, 192.0.2.7, 10.0.0.3"}, "192.0.2.7"},
        {"the proxy itself asks", {"127.0.0.0/8"}, "127.0.0.1", {"127.0.0.5"}, "127.0.0.5"},
        {"a proxy that says nothing", {"127.0.0.1"}, "127.0.0.1", {}, "127.0.0.1"},
        {"or no address", {"127.0.0.1"}, "127.0.0.1", {"192.0.2.7, unknown"}, "127.0.0.1"},
        {"with a port", {"127.0.0.1"}, "127.0.0.1", {"192.0.2.7:4711"}, "192.0.2.7"},
        {"IPv6", {"::1"}, "::1", {"2001:db8::7"}, "2001:db8::7"},
        {"IPv6 with a port", {"::1"}, "::1", {"[2001:db8::7]:4711"}, "2001:db8::7"},
        {"IPv4 as IPv6", {"127.0.0.1"}, "::ffff:127.0.0.1", {"192.0.2.7"}, "192.0.2.7"},
        {"an open bracket", {"127.0.0.1"}, "127.0.0.1", {"["}, "127.0.0.1"},
        {"blanks and commas", {"127.0.0.1"}, "127.0.0.1", {" ,, ,"}, "127.0.0.1"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(client(row.trusted, row.peer, row.forwarded), row.client);
    }
}

TEST(Front, a_chain_without_end_is_followed_for_so_many_proxies) {
    std::string chain = "192.0.2.7";
    for (unsigned hop = 1; hop <= front_hops_max; ++hop) chain += ", 10.0.0." + std::to_string(hop);
    EXPECT_EQ(client({"127.0.0.1", "10.0.0.0/8"}, "127.0.0.1", {chain}), "10.0.0.1");
}

TEST(Front, what_is_no_network_is_named) {
    for (const std::string text : {"", "berth.example.org", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8=ci", "::1/129"}) {
        SCOPED_TRACE(text);
        const auto opened = Front::open({{text}});
        ASSERT_FALSE(opened);
        EXPECT_NE(opened.error().text.find("front.trusted_proxies: '" + text + "' is no network"), std::string::npos) << opened.error().text;
    }
}

}  // namespace berth::gateway
