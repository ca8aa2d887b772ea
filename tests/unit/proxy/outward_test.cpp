// SPDX-License-Identifier: Apache-2.0
// How a browser sees a workspace through a front proxy (field report 14), as tables.
#include "proxy/outward.hpp"

#include <gtest/gtest.h>

namespace berth::proxy {
namespace {

const Inward plain{.scheme = "http", .apps_domain = "localhost"};
const Inward fronted{.scheme = "https", .apps_domain = "localhost", .public_domain = "apps.example.org", .public_port = 8443};

std::string seen(const Inward& here, const Called& called) {
    const auto outward = outward_of(here, called);
    if (!outward) return std::string{to_string(outward.error())};
    const auto workspace = outward->workspace ? outward->workspace->value : "none";
    return outward->scheme + "://" + outward->host + " " + workspace;
}

TEST(Outward, WithoutAFrontProxyItIsTheHostField) {
    EXPECT_EQ(seen(plain, {.host = "w-1.localhost:1"}), "http://w-1.localhost:1 w-1");
    EXPECT_EQ(seen(plain, {.host = "w-1.localhost"}), "http://w-1.localhost w-1");
    EXPECT_EQ(seen(plain, {.host = "evil.example"}), "http://evil.example none");
    EXPECT_EQ(seen(plain, {.host = ""}), "http:// none");
}

TEST(Outward, APublicNameAndPortAreTheBrowsersViewWhateverHostWasRewrittenTo) {
    for (const auto* host : {"w-1.localhost:12001", "w-1.localhost", "w-1.apps.example.org", "W-1.apps.example.org:8443",
                             "w-1.apps.example.org:12001"}) {
        EXPECT_EQ(seen(fronted, {.host = host}), "https://w-1.apps.example.org:8443 w-1") << host;
        EXPECT_EQ(seen(fronted, {.host = host, .origin = "https://evil.example"}),
                  "https://w-1.apps.example.org:8443 w-1") << host;
    }
    EXPECT_EQ(seen(fronted, {.host = "evil.example"}), "https://evil.example none");
    auto usual = fronted;
    usual.public_port = 443;
    EXPECT_EQ(seen(usual, {.host = "w-1.localhost:12001"}), "https://w-1.apps.example.org w-1");
    auto only_name = fronted;
    only_name.public_port = 0;
    EXPECT_EQ(seen(only_name, {.host = "w-1.localhost:12001"}), "https://w-1.apps.example.org:12001 w-1");
    const Inward only_port{.scheme = "http", .apps_domain = "localhost", .public_port = 8080};
    EXPECT_EQ(seen(only_port, {.host = "w-1.localhost:12001"}), "http://w-1.localhost:8080 w-1");
}

TEST(Outward, APageThatWasReachedPastTheFrontProxyStaysWhereItIs) {
    const Inward only_port{.scheme = "http", .apps_domain = "localhost", .public_port = 8080};
    EXPECT_EQ(seen(only_port, {.host = "w-1.localhost:12001", .origin = "http://w-1.localhost:12001"}),
              "http://w-1.localhost:12001 w-1");
    EXPECT_EQ(seen(only_port, {.host = "w-1.localhost:12001", .origin = "http://w-1.localhost:8080"}),
              "http://w-1.localhost:8080 w-1");
}

TEST(Outward, AFrontProxyIsBelievedOnlyFromATrustedNetwork) {
    Called called{.host = "127.0.0.1:12001", .by_front_proxy = true, .forwarded_host = {"w-1.localhost:80"},
                  .forwarded_scheme = {"https"}};
    EXPECT_EQ(seen(plain, called), "https://w-1.localhost:80 w-1");
    called.by_front_proxy = false;
    EXPECT_EQ(seen(plain, called), "http://127.0.0.1:12001 none");
}

TEST(Outward, AFrontProxyThatSaysTwoThingsSaysNothing) {
    const auto told = [](std::vector<std::string_view> host, std::vector<std::string_view> scheme) {
        return seen(plain, {.host = "w-1.localhost", .by_front_proxy = true, .forwarded_host = std::move(host),
                            .forwarded_scheme = std::move(scheme)});
    };
    EXPECT_EQ(told({"w-1.localhost", "w-2.localhost"}, {}), "malformed");
    EXPECT_EQ(told({"w-1.localhost, w-2.localhost"}, {}), "malformed");
    EXPECT_EQ(told({}, {"https", "http"}), "malformed");
    EXPECT_EQ(told({}, {"https,http"}), "malformed");
    EXPECT_EQ(told({}, {"ftp"}), "malformed");
    EXPECT_EQ(told({"evil.example"}, {"HTTPS"}), "https://evil.example none");
    EXPECT_EQ(told({}, {}), "http://w-1.localhost w-1");
}

}  // namespace
}  // namespace berth::proxy
