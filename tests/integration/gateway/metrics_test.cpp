// SPDX-License-Identifier: Apache-2.0
// What Prometheus reads, and the document against the server that serves it.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <sstream>

#include "http/client.hpp"
#include "tests/integration/gateway/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Surface : public GatewayStage {
protected:
    double value_of(const std::string& text, const std::string& series) {
        const auto at = text.find("\n" + series + " ");
        return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
    }
};

TEST_F(Surface, metrics_count_what_was_refused_and_tell_no_secret) {
    const auto made = claim("canary-user", "canary-project", "canary-key");
    ASSERT_EQ(made.status, 201) << made.body;
    ask("POST", "/v1/claims", "{", {bearer(), "Content-Type: application/json", "Idempotency-Key: k"});
    ask("POST", "/v1/claims", R"({"user":"a","user":"b","project":"web"})", {bearer(), "Content-Type: application/json", "Idempotency-Key: k"});
    ask("POST", "/v1/claims", std::string(100, '['), {bearer(), "Content-Type: application/json", "Idempotency-Key: k"});
    ask("POST", "/v1/claims", R"({"user":"a","project":"..","x":1})", {bearer(), "Content-Type: application/json", "Idempotency-Key: k"});
    ask("POST", "/v1/claims", "{}", {"Content-Type: application/json"});
    ask("POST", "/claim", "{}", {bearer(), "Origin: http://evil.example"});
    ask("GET", "/v1/" + std::string(50, 'x'), "", {bearer()});
    ask("PATCH", "/v1/claims", "", {bearer()});
    ask("POST", "/v1/claims", std::string(70'000, ' '), {bearer(), "Content-Type: application/json"});
    const auto metrics = ask("GET", "/metrics", "", {}).body;
    for (const std::string reason : {"bad_json", "duplicate", "too_deep", "bad_field", "no_token", "tricked", "no_route", "no_method", "too_large"}) {
        EXPECT_EQ(value_of(metrics, "berth_http_refused_total{reason=\"" + reason + "\"}"), 1) << reason;
    }
    EXPECT_EQ(value_of(metrics, R"(berth_slots{pool="default",use="leased"})"), 1) << metrics;
    EXPECT_EQ(value_of(metrics, R"(berth_http_requests_total{method="POST",route="/v1/claims",status="201"})"), 1);
    EXPECT_EQ(value_of(metrics, "berth_ledger_following"), 1);
    EXPECT_THAT(metrics, Not(HasSubstr("canary"))) << "no user, project or key is a label";
    EXPECT_THAT(metrics, Not(HasSubstr("xxxx")));
    EXPECT_THAT(metrics, Not(HasSubstr(token())));
    EXPECT_THAT(metrics, Not(HasSubstr(made.json["workspace"].get<std::string>())));
    std::istringstream lines(metrics);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {}
    EXPECT_LT(count, 400) << "series are bounded by routes, states and pools";
}

TEST_F(Surface, every_process_of_the_machine_is_under_one_scrape_and_has_a_socket_of_its_own) {
    for (const std::string name : {"broker", "allocator", "gateway"}) {
        const auto socket = cluster.state() + "/run/" + name + ".sock";
        struct stat facts {};
        ASSERT_EQ(::stat(socket.c_str(), &facts), 0) << socket;
        EXPECT_EQ(facts.st_mode & 0777U, 0600U);
        const auto health = http::get_local(socket, "/healthz", Duration{5'000});
        ASSERT_TRUE(health) << health.error().text;
        EXPECT_EQ(health->status, 200) << health->body;
        EXPECT_EQ(http::get_local(socket, "/", Duration{5'000})->status, 404);
    }
    std::string metrics;
    ASSERT_TRUE(eventually([&] {
        metrics = ask("GET", "/metrics", "", {}).body;
        return value_of(metrics, R"(berth_process_answers{process="allocator"})") == 1;
    }, Duration{30'000})) << metrics;
    EXPECT_GT(value_of(metrics, "berth_allocator_memory_bytes"), 1e6);
    EXPECT_GT(value_of(metrics, "berth_broker_descriptors"), 3);
    EXPECT_LT(value_of(metrics, "berth_allocator_loop_silence_seconds"), 5);
    cluster.process("allocator").kill();
    EXPECT_TRUE(eventually([&] {
        metrics = ask("GET", "/metrics", "", {}).body;
        return value_of(metrics, R"(berth_process_answers{process="allocator"})") == 0;
    }, Duration{30'000})) << metrics;
}

TEST_F(Surface, the_broker_tells_what_it_did_not_pass_on) {
    std::string metrics;
    ASSERT_TRUE(eventually([&] {                 // asked for now and then
        metrics = ask("GET", "/metrics", "", {}).body;
        return value_of(metrics, R"(berth_broker_messages_total{outcome="requests"})") > 0 &&
               value_of(metrics, R"(berth_broker_workers{service="allocator"})") == 1;
    }, Duration{30'000})) << metrics;
    EXPECT_EQ(value_of(metrics, "berth_broker_answers"), 1);
    EXPECT_EQ(value_of(metrics, R"(berth_broker_messages_total{outcome="denied"})"), 0) << metrics;
    EXPECT_GT(get("/v1/status").json["broker"]["requests"].get<int>(), 0);
}

TEST_F(Surface, the_server_serves_each_path_of_its_document_and_each_route_stands_in_it) {
    const auto document = get("/v1/openapi.json");
    ASSERT_EQ(document.status, 200);
    for (const auto& [path, methods] : document.json["paths"].items()) {
        auto target = path;
        if (const auto open = target.find('{'); open != std::string::npos) target.replace(open, target.find('}') - open + 1, "sample");
        std::string allowed;
        for (const auto& [method, operation] : methods.items()) {
            std::string upper = method;
            for (auto& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
            allowed += (allowed.empty() ? "" : ", ") + upper;
            if (path == "/v1/events" || path == "/{project}") continue;   // a stream; a claim
            // Without a token nothing is done, but the route is there.
            const auto answer = ask(upper, target, "", {});
            const bool open = operation.contains("security");
            EXPECT_EQ(answer.status == 401, !open) << upper << " " << path << " " << answer.body;
            EXPECT_EQ(answer.body.find("there is nothing at this path"), std::string::npos) << path;
        }
        const auto wrong = ask("PUT", target, "", {});
        EXPECT_EQ(wrong.status, 405) << path;
        EXPECT_EQ(wrong.headers.count("allow") ? wrong.headers.at("allow") : "", allowed) << path;
    }
    for (const char* path : {"/v1/nothing", "/v1/workspaces/w/fly", "/v2/claims"}) EXPECT_EQ(get(path).status, 404) << path;
}

TEST_F(Surface, the_page_and_its_files_come_with_a_strict_policy) {
    for (const std::string path : {"/", "/dashboard"}) {
        const auto page = ask("GET", path, "", {});
        ASSERT_EQ(page.status, 200);
        const auto policy = page.headers.at("content-security-policy");
        EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
        EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
        EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
        EXPECT_EQ(page.headers.at("x-content-type-options"), "nosniff");
        EXPECT_THAT(page.body, Not(HasSubstr(token())));
    }
    EXPECT_THAT(ask("GET", "/dashboard/app.js", "", {}).headers.at("content-type"), HasSubstr("text/javascript"));
    EXPECT_THAT(ask("GET", "/dashboard/style.css", "", {}).headers.at("content-type"), HasSubstr("text/css"));
}

}  // namespace
}  // namespace berth::testing
