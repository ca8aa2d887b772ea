// SPDX-License-Identifier: Apache-2.0
// The event stream: from a position, live, over a cut.
#include <gmock/gmock.h>

#include "tests/integration/gateway/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Events : public GatewayStage {
protected:
    // Opens a stream and reads until `is_enough` says so.
    std::string read(const std::string& target, const std::function<bool(const std::string&)>& is_enough, const std::string& as = "",
                     const std::string& more = "") {
        std::string all;
        beside([&] {
            Wire wire(port());
            wire.send("GET " + target + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + (as.empty() ? token() : as) + "\r\n" + more + "\r\n");
            all = wire.receive(is_enough);
        });
        return all;
    }
};

std::function<bool(const std::string&)> has(const std::string& text) {
    return [text](const std::string& all) { return all.find(text) != std::string::npos; };
}

TEST_F(Events, replays_the_ledger_from_its_beginning) {
    ASSERT_EQ(claim("ada", "web", "k-1").status, 201);
    const auto all = read("/v1/events?from=0", has("event: claim.granted"));
    EXPECT_THAT(all, HasSubstr("Content-Type: text/event-stream"));
    EXPECT_THAT(all, HasSubstr("event: allocator.took_over"));
    EXPECT_THAT(all, HasSubstr("event: lease.granted"));
    EXPECT_THAT(all, HasSubstr("event: claim.granted"));
    EXPECT_THAT(all, HasSubstr("\"specversion\":\"1.0\""));
    EXPECT_THAT(all, Not(HasSubstr("_berth/open")));
}

TEST_F(Events, goes_on_after_the_last_event_that_was_seen) {
    ASSERT_EQ(claim("ada", "web", "k-1").status, 201);
    const auto all = read("/v1/events?from=0&types=claim.", has("event: claim.granted"));
    EXPECT_THAT(all, Not(HasSubstr("event: lease.granted")));
    const auto at = all.find("id: ", all.find("\r\n\r\n"));
    const auto id = all.substr(at + 4, all.find('\n', at) - at - 4);
    const auto rest = read("/v1/events", has("event: claim.granted"), "", "Last-Event-ID: " + id + "\r\n");
    EXPECT_THAT(rest, Not(HasSubstr("event: claim.accepted")));
    EXPECT_THAT(rest, HasSubstr("event: lease.granted"));
}

TEST_F(Events, sends_what_happens_as_it_happens) {
    std::string all;
    beside([&] {
        Wire wire(port());
        wire.send("GET /v1/events?types=claim. HTTP/1.1\r\nHost: x\r\n" + bearer() + "\r\n\r\n");
        wire.receive(has(": berth, at"));
        exchange(port(), "POST", "/v1/claims", R"({"user":"ada","project":"web"})",
                 {bearer(), "Content-Type: application/json", "Idempotency-Key: k-1"});
        all = wire.receive(has("event: claim.granted"));
    });
    EXPECT_THAT(all, HasSubstr("event: claim.accepted"));
    EXPECT_THAT(all, HasSubstr("event: claim.granted"));
}

TEST_F(Events, misses_nothing_while_the_gateway_was_cut_off) {
    std::string all;
    beside([&] {
        Wire wire(port());
        wire.send("GET /v1/events HTTP/1.1\r\nHost: x\r\n" + bearer() + "\r\n\r\n");
        wire.receive(has(": berth, at"));
        cluster.process("allocator").kill();
        cluster.start("allocator");
        all = wire.receive(has("event: allocator.took_over"));
    });
    EXPECT_THAT(all, HasSubstr("event: allocator.took_over"));
}

TEST_F(Events, shows_users_only_what_is_theirs) {
    const auto ada = token_of("ada");
    ASSERT_EQ(claim("bob", "secret-plan", "k-1").status, 201);
    ASSERT_EQ(claim("ada", "web", "k-2").status, 201);
    const auto all = read("/v1/events?from=0", has("event: claim.granted"), ada);
    EXPECT_THAT(all, HasSubstr("\"ada\""));
    EXPECT_THAT(all, Not(HasSubstr("secret-plan")));
    EXPECT_THAT(all, Not(HasSubstr("host.registered")));
    EXPECT_THAT(all, Not(HasSubstr("host.heartbeat")));
}

TEST_F(Events, says_gap_for_an_event_of_another_ledger) {
    const auto all = read("/v1/events?from=other:3", has("event: gap"));
    EXPECT_THAT(all, HasSubstr("event: gap"));
}

TEST_F(Events, ends_with_its_token) {
    const auto minted = post("/v1/tokens", {{"role", "user"}, {"user", "ada"}});
    std::string all;
    beside([&] {
        Wire wire(port());
        wire.send("GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + minted.json["token"].get<std::string>() + "\r\n\r\n");
        wire.receive(has(": berth, at"));
        exchange(port(), "POST", "/v1/tokens/" + minted.json["id"].get<std::string>() + "/revoke", "{}",
                 {bearer(), "Content-Type: application/json"});
        all = wire.receive([](const std::string&) { return false; });
    });
    EXPECT_THAT(all, HasSubstr("the token was revoked"));
}

}  // namespace
}  // namespace berth::testing
