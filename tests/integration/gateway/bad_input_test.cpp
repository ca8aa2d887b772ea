// SPDX-License-Identifier: Apache-2.0
// What must be refused, and that the gateway lives on afterwards.
#include <gmock/gmock.h>

#include "tests/integration/gateway/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
using namespace std::string_literals;

class BadInput : public GatewayStage {
protected:
    BadInput() : GatewayStage("connections_max = 12\nread_timeout = \"700ms\"\nidle_timeout = \"700ms\"\n"
                              "[compat]\ntrusted_networks = [\"127.0.0.0/8=ci\"]\n") {}
    ~BadInput() override {
        EXPECT_EQ(get("/healthz").status, 200) << cluster.log_of("gateway");
        EXPECT_TRUE(cluster.process("gateway").alive());
    }
    WireAnswer raw(const std::string& bytes) {
        WireAnswer answer;
        beside([&] {
            Wire wire(port());
            wire.send(bytes);
            answer = parse_answer(wire.receive([](const std::string&) { return false; }, Duration{5'000}));
        });
        return answer;
    }
    Answer claim_body(const std::string& body) {
        return ask("POST", "/v1/claims", body, {bearer(), "Content-Type: application/json", "Idempotency-Key: k"});
    }
};

TEST_F(BadInput, names_the_field) {
    const std::pair<const char*, const char*> bodies[] = {
        {R"({"user":"ada"})", "project"},
        {R"({"user":"ada","project":7})", "project"},
        {R"({"user":"ada","project":"../etc"})", "project"},
        {R"({"user":"ada","project":"a\u0007b"})", "project"},
        {R"({"user":"ada","project":"health"})", "project"},
        {R"({"user":"ada","project":"v1"})", "project"},
        {R"({"user":"","project":"web"})", "user"},
        {R"({"project":"web"})", "user"},
        {R"({"user":"ada","project":"web","ttl_ms":"1h"})", "ttl_ms"},
        {R"({"user":"ada","project":"web","ttl_ms":-1})", "ttl_ms"},
        {R"({"user":"ada","project":"web","ttl_ms":1e30})", "ttl_ms"},
        {R"({"user":"ada","project":"web","wait_ms":99999999999999})", "wait_ms"},
        {R"({"user":"ada","project":"web","color":"red"})", "color"},
    };
    for (const auto& [body, field] : bodies) {
        const auto answer = claim_body(body);
        EXPECT_EQ(answer.status, 422) << body << answer.body;
        EXPECT_EQ(answer.json.value("field", ""), field) << body << answer.body;
    }
    for (const char* body : {"", "{", "[]", "null", "7", "{\"user\":\"ada\",\"project\":\"\xff\"}", "{}{}"}) {
        const auto status = claim_body(body).status;
        EXPECT_TRUE(status == 400 || status == 422) << body << " " << status;
    }
    EXPECT_EQ(claim_body(std::string(50, '[')).status, 400);
}

TEST_F(BadInput, bounds_bodies_headers_and_time) {
    EXPECT_EQ(claim_body("{\"user\":\"" + std::string(70'000, 'a') + "\"}").status, 413);
    EXPECT_EQ(ask("GET", "/healthz", "", {"X-Long: " + std::string(20'000, 'a')}).status, 431);
    std::vector<std::string> many;
    for (int i = 0; i < 150; ++i) many.push_back("X-" + std::to_string(i) + ": 1");
    EXPECT_EQ(ask("GET", "/healthz", "", many).status, 431);
    EXPECT_EQ(raw("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow").status, 408);
}

TEST_F(BadInput, refuses_what_two_parsers_could_read_in_two_ways) {
    const auto head = "POST /v1/claims HTTP/1.1\r\nHost: x\r\n" + bearer() + "\r\n";
    for (const std::string& bytes : {
             head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
             head + "Content-Length: -2\r\n\r\n{}",
             head + "Host: y\r\nContent-Length: 2\r\n\r\n{}",
             std::string{"GET http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n"},
             std::string{"GET /healthz HTTP/1.1\r\n\r\n"},
             std::string{"GET /healthz HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n"},
             "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n"s,
             std::string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
             std::string{"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n"},
         }) {
        const auto answer = raw(bytes);
        EXPECT_TRUE(answer.status == 400 || answer.status == 0) << bytes << " " << answer.status;
    }
}

TEST_F(BadInput, wants_a_token_for_every_change) {
    for (const std::string path : {"/v1/claims", "/v1/workspaces/w-1/destroy", "/v1/tokens", "/v1/hosts/h-1/cordon"}) {
        const auto answer = ask_as("", "POST", path, Json::object(), {"Idempotency-Key: k"});
        EXPECT_EQ(answer.status, 401) << path;
        EXPECT_THAT(answer.headers.at("www-authenticate"), HasSubstr("Bearer"));
        EXPECT_EQ(ask_as("berth_" + std::string(64, '0'), "POST", path, Json::object()).status, 401) << path;
    }
    EXPECT_EQ(ask("GET", "/v1/workspaces", "", {"Authorization: Basic YTpi"}).status, 401);
}

TEST_F(BadInput, a_trusted_network_counts_on_the_older_routes_only_and_never_for_a_tricked_browser) {
    const auto own = "Content-Type: application/json";
    EXPECT_EQ(ask("POST", "/claim", R"({"userId":"ada","projectId":"web"})", {own}).status, 200);
    EXPECT_EQ(ask("GET", "/site", "", {}).status, 200);
    EXPECT_EQ(ask("POST", "/v1/claims", R"({"user":"ada","project":"web"})", {own, "Idempotency-Key: k"}).status, 401);
    for (const std::string header : {"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Sec-Purpose: prefetch;prerender",
                                     "Purpose: prefetch", "Origin: http://evil.example", "Origin: null"}) {
        EXPECT_EQ(ask("GET", "/site", "", {header}).status, 403) << header;
        EXPECT_EQ(ask("POST", "/claim", R"({"userId":"ada","projectId":"web"})", {own, header}).status, 403) << header;
    }
    EXPECT_EQ(ask("POST", "/claim", "userId=ada", {"Content-Type: text/plain"}).status, 415);
    EXPECT_EQ(raw("GET /site HTTP/1.1\r\nHost: rebound.example\r\n\r\n").status, 401) << "a name that points here is no proof";
}

TEST_F(BadInput, has_a_bound_on_connections) {
    WireAnswer busy;
    beside([&] {
        std::vector<std::unique_ptr<Wire>> held;
        EXPECT_TRUE(eventually([&] {             // anew each time: quiet ones are closed in time
            held.clear();
            for (int i = 0; i < 12; ++i) held.push_back(std::make_unique<Wire>(port()));
            busy = exchange(port(), "GET", "/healthz", "", {});
            return busy.status == 503;
        }));
    });
    EXPECT_EQ(busy.status, 503);
    EXPECT_EQ(busy.headers["content-type"], "application/problem+json") << "who is turned away is told why";
    EXPECT_THAT(busy.body, HasSubstr("connections"));
    EXPECT_TRUE(eventually([&] { return get("/healthz").status == 200; })) << "quiet connections are closed in time";
}

TEST_F(BadInput, paths_and_methods) {
    EXPECT_EQ(get("/v1/nothing").status, 404);
    EXPECT_EQ(get("/v1/workspaces/%00").status, 404);
    EXPECT_EQ(get("/v1/workspaces/..%2f..%2fetc").status, 404);
    EXPECT_EQ(get("/../../etc/passwd").status, 404);
    EXPECT_EQ(get("//evil.example").status, 404);
    const auto wrong = ask("DELETE", "/v1/claims", "", {bearer()});
    EXPECT_EQ(wrong.status, 405);
    EXPECT_EQ(wrong.headers.at("allow"), "POST, GET");
    EXPECT_EQ(get("/claim").status, 405) << "a reserved word is no project";
    EXPECT_EQ(get("/favicon.ico").status, 404);
    EXPECT_EQ(get("/..").status, 400);
    EXPECT_EQ(get("/v1/workspaces?limit=abc").status, 422);
    EXPECT_EQ(get("/v1/workspaces?nonsense=1").status, 422);
    EXPECT_EQ(get("/v1/events?from=abc").status, 422);
}

}  // namespace
}  // namespace berth::testing
