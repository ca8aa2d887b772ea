// SPDX-License-Identifier: Apache-2.0
// The route table, the OpenAPI document and the shapes that older clients know.
#include <gmock/gmock.h>

#include <set>

#include "gateway/metrics.hpp"
#include "gateway/openapi.hpp"
#include "gateway/pages.hpp"
#include "gateway/shapes.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace berth::gateway::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> keys_of(const Json& object) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : object.items()) keys.push_back(key);
    return keys;
}

Json read(const Step& decided) { return Json::parse(std::get<HttpAnswer>(decided).body); }

TEST(Metrics, req31_what_a_pool_costs_per_hour_is_there_by_what_runs) {
    Picture picture;
    picture.view.pools[PoolName{"lab"}] = {};
    picture.view.pools[PoolName{"attic"}] = {};
    for (const auto& [name, liveness] : {std::pair{"h-1", Liveness::live}, {"h-2", Liveness::live}, {"h-3", Liveness::gone}}) {
        HostView host{.host = HostId{name}, .pool = PoolName{"lab"}, .liveness = liveness};
        host.price = HostPrice{"t3.large", "z", false, 83'200};
        picture.view.hosts[host.host] = host;
    }
    const auto text = metrics_text(picture, {}, Instant{});
    EXPECT_THAT(text, HasSubstr("berth_pool_dollars_per_hour{pool=\"lab\"} 0.1664"));
    EXPECT_THAT(text, HasSubstr("berth_pool_dollars_per_hour{pool=\"attic\"} 0\n"));
}

TEST(OpenApi, tells_of_every_route_and_of_nothing_else) {
    const auto document = Json::parse(openapi_document());
    EXPECT_EQ(document["openapi"], "3.1.0");
    std::set<std::string> told, real, names;
    for (const auto& [path, methods] : document["paths"].items()) {
        for (const auto& [method, operation] : methods.items()) {
            std::string upper = method;
            for (auto& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
            told.insert(upper + " " + path);
            EXPECT_TRUE(names.insert(operation["operationId"].get<std::string>()).second) << path;
            // What is told of is what the table matches.
            auto sample = path;
            if (const auto open = sample.find('{'); open != std::string::npos) sample.replace(open, sample.find('}') - open + 1, "sample");
            const auto match = match_route(upper, sample);
            ASSERT_TRUE(match.route) << upper << " " << sample;
            EXPECT_EQ(match.route->path, path);
            EXPECT_EQ(match.route->name, operation["operationId"].get<std::string>());
        }
    }
    for (const auto& route : routes()) real.insert(std::string{route.method} + " " + std::string{route.path});
    EXPECT_EQ(told, real);
    EXPECT_EQ(real.size(), routes().size()) << "no route stands in the table twice";
}

TEST(Pools, req13_req15_show_what_their_provider_says_of_them_and_what_they_cost) {
    auto picture = scene();
    const auto pool = [&] { return read(step(picture, ask("GET", "/v1/pools", operator_token), turn))["pools"][0]; };
    EXPECT_FALSE(pool().contains("advice") || pool().contains("troubles") || pool().contains("microdollars_per_hour"));

    const auto name = picture.view.pools.begin()->first;
    picture.view.pools.begin()->second.provider = "cloud";
    picture.view.hosts.begin()->second.price = HostPrice{"t3.large", "z", false, 83'200};
    ProviderSnapshot said{.provider = "cloud", .read_at = turn.now, .complete = true};
    said.advice = {{name, "AZRebalance is on"}, {{"other"}, "not of this one"}};
    said.troubles = {{name, turn.now - Duration{9}, LaunchFailure::quota, "old", {}, {}}, {name, turn.now, LaunchFailure::capacity, "new", {}, "z-1"}};
    picture.providers["cloud"] = said;

    EXPECT_EQ(pool()["advice"], Json::array({"AZRebalance is on"}));
    EXPECT_EQ(pool()["troubles"].size(), 2U);
    EXPECT_EQ(pool()["troubles"][0]["text"], "new") << "the newest first";
    EXPECT_EQ(pool()["microdollars_per_hour"], 83'200);
}

TEST(Status, says_that_the_ledger_is_an_old_copy_and_who_was_not_met_since_F16) {
    auto picture = scene();
    auto& view = picture.view;
    const auto status = [&] { return status_shape(view, std::nullopt); };
    EXPECT_FALSE(status().contains("doubted_by"));
    EXPECT_FALSE(status().contains("unmet"));
    view.doubted_by = HostId{"h-1"};
    EXPECT_EQ(status()["doubted_by"], "h-1");
    view.doubted_by.reset();
    view.recovered = Recovery{Position{40}, turn.now};
    EXPECT_EQ(status()["unmet"], Json({"h-1"}));
    view.hosts.at(HostId{"h-1"}).met_at = Position{41};
    EXPECT_FALSE(status().contains("unmet"));
    view.hosts.at(HostId{"h-1"}).met_at = Position{39};
    EXPECT_EQ(status()["unmet"], Json({"h-1"})) << "it was met by the ledger before";
    view.hosts.at(HostId{"h-1"}).liveness = Liveness::gone;
    EXPECT_FALSE(status().contains("unmet")) << "nobody waits for it";
}

void expect_refs_lead_somewhere(const Json& from, const Json& schemas) {
    if (from.is_object() && from.contains("$ref")) {
        const auto name = from["$ref"].get<std::string>().substr(std::string{"#/components/schemas/"}.size());
        EXPECT_TRUE(schemas.contains(name)) << name;
    }
    if (from.is_structured()) {
        for (const auto& item : from) expect_refs_lead_somewhere(item, schemas);
    }
}

TEST(OpenApi, every_reference_leads_somewhere_and_every_path_parameter_is_told) {
    const auto document = Json::parse(openapi_document());
    expect_refs_lead_somewhere(document, document["components"]["schemas"]);
    for (const auto& [path, methods] : document["paths"].items()) {
        for (const auto& [method, operation] : methods.items()) {
            EXPECT_TRUE(operation["responses"].contains("default"));
            if (path.find('{') != std::string::npos) {
                EXPECT_EQ(operation["parameters"][0]["in"], "path") << path;
            }
        }
    }
}

TEST(Routes, the_first_words_of_all_paths_are_reserved) {
    for (const auto& route : routes()) {
        const auto first = route.path.substr(1, route.path.find('/', 1) - 1);
        if (!first.empty() && first.front() != '{') {
            EXPECT_TRUE(is_reserved(first)) << first;
        }
    }
    EXPECT_FALSE(is_reserved("web"));
    const auto match = match_route("GET", "/claim");
    EXPECT_FALSE(match.route) << "a misspelt method is no claim of the project 'claim'";
    EXPECT_EQ(match.allow, "POST");
}

TEST(Routes, bad_paths_match_nothing) {
    for (const char* path : {"", "x", "//", "/../..", "/v1", "/v1/", "/v1/workspaces/", "/v1/workspaces/%", "/v1/workspaces/%00", "/a/b", "/v1/workspaces//stop"}) {
        EXPECT_FALSE(match_route("GET", path).route) << path;
    }
    EXPECT_EQ(match_route("HEAD", "/v1/hosts").route->name, "list_hosts");
    EXPECT_FALSE(match_route("HEAD", "/web").route) << "a HEAD changes nothing";
}

TEST(Compat, shapes_are_exactly_those_of_row_22) {
    const auto picture = scene();
    ClaimReply reply{.claim = ClaimId{"c"}, .state = ClaimState::granted, .workspace = WorkspaceId{"w-1"}, .user = UserId{"ada"},
                     .project = ProjectName{"web"}, .instance = "i-1", .ip = "10.0.0.1", .port = 8080, .url = "http://w", .link = "http://w/l", .token = "t"};
    reply.lease_expires_at = turn.now;
    const auto get = match_route("GET", "/web").route;
    const Dress dress{.route = get, .caller = {TokenRole::user, UserId{"ada"}, "t-2"}};
    const auto told = answer(picture, dress, Result<Reply>{reply}, turn);
    EXPECT_EQ(told.status, 200U);
    EXPECT_THAT(keys_of(Json::parse(told.body)), ElementsAre("ip", "projectId", "instanceId", "url", "token", "leaseExpiry"));

    for (const auto kind : {ErrorKind::no_capacity, ErrorKind::timeout}) {
        const auto none = answer(picture, dress, Result<Reply>{fail(kind, "all 4 slots are leased")}, turn);
        EXPECT_EQ(none.status, 404U);
        const auto body = Json::parse(none.body);
        EXPECT_THAT(keys_of(body), ElementsAre("error", "reason"));
        EXPECT_EQ(body["error"], "No idle machine found");
        EXPECT_EQ(body["reason"], "all 4 slots are leased");
    }
    const auto status = read(step(picture, ask("GET", "/status", operator_token), turn));
    EXPECT_THAT(keys_of(status), ElementsAre("totalMachines", "idleMachines", "usedMachines", "machines"));
    EXPECT_EQ(status["usedMachines"], 1);
    EXPECT_EQ(status["machines"][0]["instanceId"], "h-1");
    EXPECT_EQ(status["machines"][0]["ip"], "10.0.0.1");
    EXPECT_EQ(status["machines"][0]["isUsed"], true);
    EXPECT_EQ(status["machines"][0]["assignedProject"], "web");
    EXPECT_THAT(keys_of(read(step(picture, ask("GET", "/status"), turn))), ElementsAre("error")) << "errors are {\"error\": …}";
    const auto healthy = step(picture, ask("GET", "/health"), turn);
    EXPECT_EQ(status_of_step(healthy), 200U);
    EXPECT_EQ(read(healthy)["status"], "ok");
}

TEST(Compat, health_names_the_part_that_fails) {
    auto picture = scene();
    picture.head_at = turn.now - Duration{60'000};
    const auto failing = step(picture, ask("GET", "/health"), turn);
    EXPECT_EQ(status_of_step(failing), 503U);
    EXPECT_EQ(read(failing)["failing"], Json::array({"allocator"}));
    EXPECT_THAT(read(failing)["error"].get<std::string>(), HasSubstr("berth-allocator"));
    picture = scene();
    picture.ever_followed = picture.following = false;
    EXPECT_EQ(read(step(picture, ask("GET", "/health"), turn))["failing"][0], "ledger");
    EXPECT_EQ(status_of_step(step(picture, ask("GET", "/v1/workspaces", ada_token), turn)), 503U) << "an empty list would be a lie";
}

TEST(Compat, a_full_disk_degrades_health_field_report_N1) {
    auto picture = scene();
    picture.storage_low = true;
    const auto degraded = step(picture, ask("GET", "/health"), turn);
    EXPECT_EQ(status_of_step(degraded), 503U);
    EXPECT_EQ(read(degraded)["status"], "degraded");
    EXPECT_EQ(read(degraded)["failing"], Json::array({"storage"}));
    EXPECT_THAT(read(degraded)["error"].get<std::string>(), HasSubstr("disk is full"));
    picture.head_at = turn.now - Duration{60'000};
    EXPECT_EQ(read(step(picture, ask("GET", "/health"), turn))["status"], "failing");
}

TEST(Routes, options_tell_what_there_is_field_report_37) {
    const auto all = std::get<HttpAnswer>(step(scene(), ask("OPTIONS", "*"), turn));
    EXPECT_EQ(all.status, 204U);
    const auto one = std::get<HttpAnswer>(step(scene(), ask("OPTIONS", "/v1/claims"), turn));
    EXPECT_EQ(one.status, 204U);
    EXPECT_THAT(one.headers, ::testing::Contains(std::pair<std::string, std::string>{"Allow", "POST, GET, HEAD, OPTIONS"}));
    EXPECT_EQ(status_of_step(step(scene(), ask("OPTIONS", "/nothing/here"), turn)), 404U);
}

TEST(Compat, get_project_can_be_switched_off) {
    auto picture = scene();
    picture.compat.claim_by_get = false;
    EXPECT_EQ(status_of_step(step(picture, ask("GET", "/web", ada_token), turn)), 404U);
}

TEST(Problem, is_rfc_9457_on_v1) {
    const auto answer = std::get<HttpAnswer>(step(scene(), ask("POST", "/v1/claims", operator_token, R"({"user":"ada","project":7})"), turn));
    EXPECT_EQ(answer.type, "application/problem+json");
    const auto body = Json::parse(answer.body);
    EXPECT_THAT(keys_of(body), ElementsAre("type", "title", "status", "detail", "kind", "field", "request_id"));
    EXPECT_EQ(body["status"], 422);
    EXPECT_EQ(body["field"], "project");
}

TEST(Claim, a_key_is_needed_and_checked) {
    auto request = ask("POST", "/v1/claims", ada_token, R"({"project":"web"})");
    request.headers.pop_back();
    EXPECT_EQ(status_of_step(step(scene(), request, turn)), 400U);
    for (const std::string& bad : {std::string{"\"\""}, std::string(129, 'a'), std::string{"a b"}, std::string{"a\"b"}}) {
        auto with = request;
        with.headers.emplace_back("idempotency-key", bad);
        EXPECT_EQ(status_of_step(step(scene(), with, turn)), 400U) << bad;
    }
    request.headers.emplace_back("idempotency-key", "\"quoted\"");
    const auto decided = step(scene(), request, turn);
    EXPECT_EQ(std::get<ClaimRequest>(std::get<Ask>(decided).call).key, IdempotencyKey{"quoted"});
}

TEST(Dashboard, is_one_page_without_inline_script) {
    for (const char* path : {"/", "/dashboard"}) {
        const auto page = std::get<HttpAnswer>(step(scene(), ask("GET", path), turn));
        EXPECT_EQ(page.type, "text/html; charset=utf-8");
        EXPECT_EQ(page.body, dashboard_page());
    }
    const std::string page{dashboard_page()};
    EXPECT_THAT(page, Not(HasSubstr("style=")));
    EXPECT_THAT(page, Not(HasSubstr("onclick")));
    EXPECT_THAT(page, Not(HasSubstr("=\"http"))) << "nothing comes from another site";
    EXPECT_THAT(page, Not(HasSubstr("=\"//")));
    EXPECT_THAT(std::string{dashboard_script()}, Not(HasSubstr("innerHTML")));
}

}  // namespace
}  // namespace berth::gateway::testing
