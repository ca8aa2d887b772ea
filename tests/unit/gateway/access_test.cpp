// SPDX-License-Identifier: Apache-2.0
// Trusted networks, tricked browsers, names that point here.
#include <gtest/gtest.h>

#include "tests/unit/gateway/scene.hpp"

namespace berth::gateway::testing {
namespace {

Picture with_network(const std::string& text) {
    auto picture = scene();
    picture.networks = read_networks({text}).value();
    return picture;
}

HttpRequest from(const std::string& remote, std::vector<std::pair<std::string, std::string>> more = {}) {
    auto request = ask("GET", "/web");
    request.remote = remote;
    for (auto& header : more) request.headers.push_back(std::move(header));
    return request;
}

TEST(Access, no_network_is_trusted_by_default) {
    EXPECT_TRUE(CompatPolicy{}.trusted_networks.empty());
    EXPECT_EQ(status_of_step(step(scene(), from("127.0.0.1"), turn)), 401U);
    EXPECT_EQ(status_of_step(step(scene(), from("::1"), turn)), 401U);
}

TEST(Access, a_trusted_network_is_its_service_user) {
    const auto picture = with_network("10.0.0.0/8=ci");
    for (const char* inside : {"10.0.0.1", "10.255.255.255", "::ffff:10.1.2.3"}) {
        const auto decided = step(picture, from(inside), turn);
        ASSERT_TRUE(std::holds_alternative<Ask>(decided)) << inside;
        const auto& claim = std::get<ClaimRequest>(std::get<Ask>(decided).call);
        EXPECT_EQ(claim.user, UserId{"ci"});
        EXPECT_EQ(claim.principal, Principal{"network:ci"}) << "never taken for a token's user";
    }
    for (const char* outside : {"11.0.0.1", "9.255.255.255", "192.0.2.7", "::1", "", "10.0.0"}) {
        EXPECT_EQ(status_of_step(step(picture, from(outside), turn)), 401U) << outside;
    }
}

TEST(Access, a_network_counts_for_nothing_on_v1) {
    auto request = ask("POST", "/v1/claims", "", R"({"project":"web"})");
    request.remote = "10.0.0.1";
    EXPECT_EQ(status_of_step(step(with_network("0.0.0.0/0=ci"), request, turn)), 401U);
}

TEST(Access, a_wrong_token_does_not_fall_back_to_the_network) {
    auto request = from("10.0.0.1", {{"authorization", "Bearer " + unknown_token}});
    EXPECT_EQ(status_of_step(step(with_network("10.0.0.0/8=ci"), request, turn)), 401U);
}

TEST(Access, browsers_can_not_be_tricked) {
    const auto picture = with_network("10.0.0.0/8=ci");
    const std::pair<std::string, std::string> tricks[] = {
        {"sec-fetch-site", "cross-site"}, {"sec-fetch-site", "same-site"}, {"sec-purpose", "prefetch;prerender"}, {"purpose", "prefetch"},
        {"x-moz", "prefetch"}, {"x-purpose", "preview"}, {"origin", "https://evil.example"}, {"origin", "null"},
        {"user-agent", "Mozilla/5.0 (X11; Linux x86_64)"}};   // over plain HTTP nothing else tells
    for (const auto& trick : tricks) {
        const auto decided = step(picture, from("10.0.0.1", {trick}), turn);
        ASSERT_TRUE(std::holds_alternative<HttpAnswer>(decided)) << trick.first;
        EXPECT_EQ(std::get<HttpAnswer>(decided).status, 403U) << trick.first;
        EXPECT_EQ(std::get<HttpAnswer>(decided).refusal, Refusal::tricked);
    }
    // Also with a good token: a page that holds one is asked by its own origin.
    auto request = ask("POST", "/v1/workspaces/w-1/destroy", operator_token, "{}");
    request.headers.emplace_back("origin", "https://evil.example");
    EXPECT_EQ(status_of_step(step(picture, request, turn)), 403U);
    request.headers.back().second = "http://127.0.0.1:9092";
    EXPECT_EQ(status_of_step(step(picture, request, turn)), 0U) << "the dashboard";
    EXPECT_EQ(status_of_step(step(picture, from("10.0.0.1", {{"sec-fetch-site", "none"}, {"user-agent", "Mozilla/5.0"}}), turn)), 0U)
        << "a person who typed the address";
}

TEST(Access, a_name_that_points_here_is_no_proof) {
    const auto picture = with_network("10.0.0.0/8=ci");
    auto request = from("10.0.0.1");
    for (const char* host : {"evil.example", "evil.example:9092", "10.0.0.1.evil.example"}) {
        request.headers.front().second = host;
        EXPECT_EQ(status_of_step(step(picture, request, turn)), 401U) << host;
    }
    for (const char* host : {"10.0.0.5:9092", "localhost:9092", "[::1]:9092"}) {
        request.headers.front().second = host;
        EXPECT_EQ(status_of_step(step(picture, request, turn)), 0U) << host;
    }
}

TEST(Access, networks_are_read_strictly) {
    for (const char* bad : {"10.0.0.0/8", "10.0.0.0=ci", "10.0.0.0/33=ci", "fd00::/129=ci", "10.0.0.0/8=", "10.0.0.0/8=../x", "x/8=ci", "10.0.0.0/=ci",
                            "10.0.0.0/-1=ci", ""}) {
        EXPECT_FALSE(read_networks({bad})) << bad;
    }
    const auto networks = read_networks({"10.0.0.0/8=wide", "10.1.0.0/16=narrow", "fd00::/8=six"}).value();
    EXPECT_EQ(network_of(networks, "10.1.2.3")->user, UserId{"narrow"});
    EXPECT_EQ(network_of(networks, "10.2.2.3")->user, UserId{"wide"});
    EXPECT_EQ(network_of(networks, "fd12::1")->user, UserId{"six"});
    EXPECT_EQ(network_of(networks, "192.0.2.1"), nullptr);
}

}  // namespace
}  // namespace berth::gateway::testing
