// SPDX-License-Identifier: Apache-2.0
// Faults that users of such systems reported (docs of the project: field reports), on the real gateway.
#include <gmock/gmock.h>

#include <filesystem>
#include <future>

#include "tests/integration/gateway/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Duration since(Instant begun) { return RealClock{}.now() - begun; }

class FullDisk : public GatewayStage {
protected:
    // No disk has that much room, so the ledger's is low from its first look on.
    FullDisk() : GatewayStage("[ledger]\nballast_mib = 100000000\ntidy_every = \"200ms\"\n") {}
};

TEST_F(FullDisk, is_answered_at_once_with_its_reason_and_health_names_it_N1_28) {
    ASSERT_TRUE(eventually([&] { return get("/health").json["status"] == "degraded"; }));
    const auto health = get("/v1/health");
    EXPECT_EQ(health.status, 503);
    EXPECT_EQ(health.json["failing"], Json::array({"storage"}));
    EXPECT_EQ(get("/healthz").status, 200);
    const auto begun = RealClock{}.now();
    const auto refused = claim("ada", "web", "k-1", {{"wait_ms", 60'000}});
    EXPECT_EQ(refused.status, 503);
    EXPECT_THAT(refused.json["detail"].get<std::string>(), HasSubstr("disk is full"));
    EXPECT_LT(since(begun), Duration{5'000}) << "a reason is no absence: nothing is waited for";
}

class FieldReports : public GatewayStage {
protected:
    explicit FieldReports(const std::string& more = "") : GatewayStage(more) {}
    WireAnswer raw(const std::string& bytes) {
        WireAnswer answer;
        beside([&] {
            Wire wire(port());
            wire.send(bytes);
            answer = parse_answer(wire.receive([](const std::string&) { return false; }, Duration{5'000}));
        });
        return answer;
    }
};

TEST_F(FieldReports, absence_is_waited_out_no_longer_than_the_caller_waits_N1) {
    cluster.process("allocator").kill();
    for (const int wait : {0, 1'500}) {
        const auto begun = RealClock{}.now();
        const auto refused = claim("ada", "web", "k-" + std::to_string(wait), {{"wait_ms", wait}});
        EXPECT_EQ(refused.status, 503) << refused.body;
        EXPECT_EQ(refused.json["kind"], "unavailable");
        EXPECT_LT(since(begun), Duration{wait + 5'000});
    }
    std::optional<WireAnswer> answer;
    beside([&] {
        auto waiting = std::async(std::launch::async, [&] {
            return exchange(port(), "POST", "/v1/claims", R"({"user":"ada","project":"web","wait_ms":6000})",
                            {bearer(), "Content-Type: application/json", "Idempotency-Key: k-2"});
        });
        cluster.start("allocator");
        answer = waiting.get();
    });
    EXPECT_EQ(Json::parse(answer->body)["kind"], "no_capacity") << "the allocator was heard; its host has not spoken to it yet";
}

TEST_F(FieldReports, a_key_whose_outcome_is_over_says_so_15) {
    const auto made = claim("ada", "web", "k-1");
    ASSERT_EQ(made.status, 201);
    EXPECT_FALSE(made.json.contains("over"));
    const auto id = made.json["workspace"].get<std::string>();
    EXPECT_EQ(post("/v1/workspaces/" + id + "/stop", Json::object()).status, 200);
    ASSERT_TRUE(host_until([&] { return !host->stopped.empty(); }));
    ASSERT_TRUE(host->beat());
    ASSERT_TRUE(eventually([&] { return get("/v1/workspaces/" + id).json["state"] == "stopped"; }));
    const auto again = claim("ada", "web", "k-1");
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.json["state"], "granted");
    EXPECT_EQ(again.json["over"]["state"], "stopped") << again.body;
    EXPECT_THAT(again.json["over"]["text"].get<std::string>(), HasSubstr("berth start " + id));
    EXPECT_EQ(again.json["link"], "");
    const auto older = ask("POST", "/claim", R"({"userId":"ada","projectId":"web"})", {bearer(), "Content-Type: application/json", "Idempotency-Key: k-1"});
    EXPECT_EQ(older.status, 409) << older.body;
    EXPECT_THAT(older.json["error"].get<std::string>(), HasSubstr("berth start " + id));
}

TEST_F(FieldReports, streams_and_waiting_claims_end_with_their_token_5) {
    host->answers_binds = false;
    const auto mint = [&] { return post("/v1/tokens", {{"role", "user"}, {"user", "ada"}, {"ttl_ms", 2'000}}).json["token"].get<std::string>(); };
    const auto token = mint();
    std::string stream;
    WireAnswer claimed;
    const auto begun = RealClock{}.now();
    beside([&] {
        auto waiting = std::async(std::launch::async, [&] {
            return exchange(port(), "POST", "/v1/claims", R"({"project":"web","wait_ms":60000})",
                            {"Authorization: Bearer " + token, "Content-Type: application/json", "Idempotency-Key: k-1"});
        });
        Wire wire(port());
        wire.send("GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n");
        stream = wire.receive([](const std::string&) { return false; });
        claimed = waiting.get();
    });
    EXPECT_LT(since(begun), Duration{8'000});
    EXPECT_THAT(stream, HasSubstr("event: error"));
    EXPECT_THAT(stream, HasSubstr("the token is over since"));
    EXPECT_EQ(claimed.status, 401);
    EXPECT_THAT(claimed.body, HasSubstr("while this claim waited"));
    host->answers_binds = true;
}

TEST_F(FieldReports, a_replaced_token_file_ends_the_old_one_4) {
    const auto old = token();
    std::filesystem::remove(cluster.state() + "/token");
    EXPECT_TRUE(eventually([&] { return ask_as(old, "GET", "/v1/me").status == 401; })) << "without a restart";
    const auto fresh = read_text(cluster.state() + "/token");
    EXPECT_EQ(ask_as(fresh.substr(0, fresh.find('\n')), "GET", "/v1/me").status, 200);
    std::filesystem::remove(cluster.state() + "/token");
    restart_gateway();
    EXPECT_EQ(ask_as(old, "GET", "/v1/me").status, 401);
    EXPECT_EQ(get("/v1/tokens").json["tokens"].size(), 1U) << "one entry of this machine";
}

TEST_F(FieldReports, who_asks_whether_the_body_is_welcome_is_told_at_once_33) {
    const std::string body = R"({"user":"ada","project":"web"})";
    const auto head = "POST /v1/claims HTTP/1.1\r\nHost: x\r\n" + bearer() + "\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nConnection: close\r\n";
    std::string before, after;
    beside([&] {
        Wire wire(port());
        wire.send(head + "Expect: 100-Continue\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
        before = wire.receive([](const std::string& all) { return all.ends_with("\r\n\r\n"); }, Duration{5'000});
        wire.send(body);
        after = wire.receive([](const std::string&) { return false; });
    });
    EXPECT_EQ(before, "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ(parse_answer(after).status, 201) << after;
    EXPECT_EQ(raw(head + "Expect: 100-continue\r\nContent-Length: 900000\r\n\r\n").status, 413) << "refused before it is sent";
    EXPECT_EQ(raw(head + "Expect: a-miracle\r\nContent-Length: 2\r\n\r\n").status, 417);
}

TEST_F(FieldReports, small_edges_are_as_the_rfcs_say_37) {
    const std::string end = "Connection: close\r\n\r\n";
    for (const std::string target : {"/healthz", "http://x/healthz", "HTTP://X/healthz", "http://x/healthz?"}) {
        EXPECT_EQ(raw("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + end).status, 200) << target;
    }
    EXPECT_EQ(raw("GET http://x HTTP/1.1\r\nHost: x\r\n" + end).status, 200) << "an empty path is /";
    EXPECT_EQ(raw("GET http://y/healthz HTTP/1.1\r\nHost: x\r\n" + end).status, 400) << "two parsers could read it in two ways";
    EXPECT_EQ(raw("GET ftp://x/healthz HTTP/1.1\r\nHost: x\r\n" + end).status, 400);
    EXPECT_EQ(raw("GET * HTTP/1.1\r\nHost: x\r\n" + end).status, 400);
    EXPECT_EQ(raw("\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n" + end).status, 200) << "empty lines before a request";
    for (const std::string target : {"*", "http://x"}) {
        const auto all = raw("OPTIONS " + target + " HTTP/1.1\r\nHost: x\r\n" + end);
        EXPECT_EQ(all.status, 204) << target;
        EXPECT_EQ(all.headers.at("allow"), "GET, HEAD, POST, OPTIONS");
        EXPECT_FALSE(all.headers.contains("content-length"));
    }
    EXPECT_EQ(raw("OPTIONS /v1/status HTTP/1.1\r\nHost: x\r\n" + end).headers.at("allow"), "GET, HEAD, OPTIONS");
    for (const std::string type : {"application/JSON", "Application/Json; charset=UTF-8", "application/json ;charset=utf-8"}) {
        EXPECT_EQ(ask("POST", "/v1/claims", R"({"user":"ada","project":"web"})", {bearer(), "Content-Type: " + type, "Idempotency-Key: k"}).status / 100, 2) << type;
    }
    EXPECT_EQ(ask("POST", "/v1/claims", "{}", {bearer(), "Content-Type: application/jsonp", "Idempotency-Key: k"}).status, 415);
}

class PublicName : public GatewayStage {
protected:
    PublicName() : GatewayStage("public_url = \"https://berth.example/\"\n") {}
};

TEST_F(PublicName, is_for_others_and_this_machine_keeps_its_own_way_in_N8) {
    EXPECT_THAT(read_text(cluster.state() + "/gateway.url"), HasSubstr("http://127.0.0.1:"));
    EXPECT_EQ(read_text(cluster.state() + "/gateway.public_url"), "https://berth.example/\n");
    const auto before = port();
    restart_gateway();
    EXPECT_EQ(port(), before) << "any free port is the same one again";
    const auto destroy = [&](const char* origin) {
        return ask("POST", "/v1/workspaces/none/destroy", "{}", {bearer(), "Content-Type: application/json", std::string{"Origin: "} + origin}).status;
    };
    EXPECT_TRUE(eventually([&] { return destroy("https://berth.example") == 404; })) << "the page of the public address may ask (field report 14)";
    EXPECT_EQ(destroy("https://berth.example:443"), 404);
    for (const char* foreign : {"http://berth.example", "https://berth.example:8443", "https://evil.example", "https://berth.example.evil.example", "null"}) {
        EXPECT_EQ(destroy(foreign), 403) << foreign;
    }
}

}  // namespace
}  // namespace berth::testing
