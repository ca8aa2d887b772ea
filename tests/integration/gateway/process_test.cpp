// SPDX-License-Identifier: Apache-2.0
// The gateway as its clients meet it, with the real broker and allocator behind it.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <future>

#include "tests/integration/gateway/stage.hpp"

namespace berth::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Gateway : public GatewayStage {};

TEST_F(Gateway, claims_lists_links_and_releases_req_4) {
    const auto made = claim("ada", "web", "k-1");
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.json["state"], "granted");
    EXPECT_EQ(made.json["user"], "ada");
    EXPECT_EQ(made.json["instance"], "h-1");
    EXPECT_EQ(made.json["ip"], "127.0.0.1");
    EXPECT_THAT(made.json["link"].get<std::string>(), HasSubstr("/_berth/open?token="));
    const auto id = made.json["workspace"].get<std::string>();

    const auto listed = get("/v1/workspaces");
    ASSERT_EQ(listed.json["workspaces"].size(), 1U) << listed.body;
    EXPECT_EQ(listed.json["workspaces"][0]["state"], "active");
    EXPECT_THAT(listed.body, Not(HasSubstr("_berth/open"))) << "links stand in no listing (I30)";

    const auto again = claim("ada", "web", "k-1");
    EXPECT_EQ(again.status, 200) << again.body;
    EXPECT_EQ(again.json["workspace"], id);
    EXPECT_NE(again.json["link"], made.json["link"]);
    EXPECT_EQ(claim("ada", "other", "k-1").status, 409) << "the same key with another body (I6)";

    const auto link = post("/v1/workspaces/" + id + "/link", Json::object());
    EXPECT_EQ(link.status, 200) << link.body;
    EXPECT_THAT(link.json["link"].get<std::string>(), HasSubstr("/_berth/open?token="));

    const auto released = post("/v1/workspaces/" + id + "/release", {{"why", "done for today"}});
    ASSERT_EQ(released.status, 200) << released.body;
    EXPECT_EQ(released.json["count"], 1);
    EXPECT_NE(released.json["state"], "active") << "who reads after writing finds what they wrote";
    EXPECT_TRUE(host_until([&] { return !host->stopped.empty(); }));
    ASSERT_TRUE(host->beat());
    EXPECT_TRUE(eventually([&] { return get("/v1/workspaces/" + id).json["state"] == "stopped"; }));

    const auto facts = get("/v1/facts?subject=" + id);
    EXPECT_THAT(facts.body, HasSubstr("workspace.stopping"));
    EXPECT_THAT(facts.body, HasSubstr("done for today"));
    EXPECT_THAT(facts.body, Not(HasSubstr("_berth/open")));
    EXPECT_THAT(cluster.log_of("gateway"), Not(HasSubstr("_berth/open")));
    EXPECT_THAT(cluster.log_of("gateway"), Not(HasSubstr(token())));
}

TEST_F(Gateway, extends_holds_starts_and_destroys) {
    const auto made = claim("ada", "web", "k-1", {{"ttl_ms", 600'000}});
    ASSERT_EQ(made.status, 201) << made.body;
    const auto path = "/v1/workspaces/" + made.json["workspace"].get<std::string>();
    const auto later = to_rfc3339(RealClock{}.now() + Duration{3'600'000});
    const auto extended = post(path + "/extend", {{"expires_at", later}});
    EXPECT_EQ(extended.status, 200) << extended.body;
    EXPECT_EQ(extended.json["expires_at"], later);
    const auto held = post(path + "/hold", {{"until", later}, {"why", "a long build"}});
    EXPECT_EQ(held.json["hold_until"], later) << held.body;
    EXPECT_EQ(post(path + "/start", Json::object()).json["state"], "active");

    ASSERT_EQ(post(path + "/stop", Json::object()).status, 200);
    ASSERT_TRUE(host_until([&] { return !host->stopped.empty(); }));
    ASSERT_TRUE(host->beat());
    ASSERT_TRUE(eventually([&] { return get(path).json["state"] == "stopped"; }));
    EXPECT_EQ(post(path + "/hold", {{"until", later}}).status, 409);
    EXPECT_EQ(post(path + "/start", Json::object()).status, 200);
    EXPECT_TRUE(eventually([&] { return get(path).json["state"] == "active"; }));

    EXPECT_EQ(post(path + "/destroy", Json::object()).status, 200);
    EXPECT_EQ(post(path + "/destroy", Json::object()).status, 200) << "destroying again is no error";
}

TEST_F(Gateway, says_at_once_when_nothing_is_free_req_6) {
    for (int i = 0; i < 4; ++i) ASSERT_EQ(claim("ada", "p" + std::to_string(i), "k" + std::to_string(i)).status, 201);
    const auto denied = claim("ada", "one-more", "k-x", {{"wait_ms", 0}});
    EXPECT_EQ(denied.status, 503) << denied.body;
    EXPECT_EQ(denied.json["kind"], "no_capacity");
    EXPECT_EQ(denied.headers.at("content-type"), "application/problem+json");
    const auto compat = ask_as(token(), "POST", "/claim", {{"userId", "bob"}, {"projectId", "site"}}, {"Prefer: wait=0"});
    EXPECT_EQ(compat.status, 404);
    EXPECT_EQ(compat.json["error"], "No idle machine found");
    EXPECT_TRUE(compat.json.contains("reason"));
}

TEST_F(Gateway, keeps_users_apart) {
    const auto ada = token_of("ada");
    const auto bob = token_of("bob");
    ASSERT_FALSE(ada.empty());
    const auto made = ask_as(ada, "POST", "/v1/claims", {{"project", "web"}}, {"Idempotency-Key: a-1"});
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.json["user"], "ada");
    const auto id = made.json["workspace"].get<std::string>();
    EXPECT_EQ(ask_as(bob, "POST", "/v1/claims", {{"user", "ada"}, {"project", "web"}}, {"Idempotency-Key: b-1"}).status, 403);
    EXPECT_EQ(ask_as(bob, "GET", "/v1/workspaces").json["workspaces"].size(), 0U);
    EXPECT_EQ(ask_as(bob, "GET", "/v1/workspaces/" + id).status, 404);
    for (const std::string verb : {"release", "stop", "start", "destroy", "link"}) {
        EXPECT_EQ(ask_as(bob, "POST", "/v1/workspaces/" + id + "/" + verb, Json::object()).status, 404) << verb;
    }
    EXPECT_EQ(ask_as(bob, "GET", "/v1/facts?subject=" + id).json["facts"].size(), 0U);
    EXPECT_EQ(ask_as(bob, "GET", "/v1/hosts").status, 403);
    EXPECT_EQ(ask_as(bob, "POST", "/v1/tokens", {{"role", "operator"}, {"user", "bob"}}).status, 403);
    EXPECT_EQ(ask_as(bob, "POST", "/release", {{"instanceId", "h-1"}}).status, 404) << "none of bob's is there";
    EXPECT_EQ(ask_as(ada, "GET", "/v1/workspaces/" + id).json["state"], "active");
    EXPECT_GT(ask_as(ada, "GET", "/v1/facts?subject=" + id).json["facts"].size(), 1U);
}

TEST_F(Gateway, knows_tokens_by_their_hash_and_forgets_revoked_ones) {
    const auto minted = post("/v1/tokens", {{"role", "user"}, {"user", "ada"}, {"note", "laptop"}});
    ASSERT_EQ(minted.status, 201) << minted.body;
    const auto plain = minted.json["token"].get<std::string>();
    const auto file = read_text(cluster.state() + "/tokens.json");
    EXPECT_THAT(file, Not(HasSubstr(plain)));
    EXPECT_THAT(file, Not(HasSubstr(token())));
    struct stat facts {};
    ASSERT_EQ(::stat((cluster.state() + "/tokens.json").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0600U);
    EXPECT_EQ(ask_as(plain, "GET", "/v1/me").json["user"], "ada");
    EXPECT_THAT(get("/v1/tokens").body, Not(HasSubstr(plain)));
    EXPECT_EQ(post("/v1/tokens/" + minted.json["id"].get<std::string>() + "/revoke", Json::object()).status, 200);
    EXPECT_EQ(ask_as(plain, "GET", "/v1/me").status, 401);
}

TEST_F(Gateway, speaks_as_older_clients_expect_req_22) {
    EXPECT_EQ(ask_as("", "GET", "/health").json["status"], "ok");
    const auto claimed = ask_as(token(), "POST", "/claim", {{"userId", "ada"}, {"projectId", "web"}, {"extra", 1}});
    ASSERT_EQ(claimed.status, 200) << claimed.body;
    for (const char* key : {"ip", "projectId", "instanceId", "url", "token", "leaseExpiry"}) EXPECT_TRUE(claimed.json.contains(key)) << key;
    const auto status = get("/status");
    EXPECT_EQ(status.json["totalMachines"], 1) << status.body;
    EXPECT_EQ(status.json["idleMachines"], 0);
    EXPECT_EQ(status.json["usedMachines"], 1);
    const auto& machine = status.json["machines"][0];
    EXPECT_EQ(machine["instanceId"], "h-1");
    EXPECT_EQ(machine["isUsed"], true);
    EXPECT_EQ(machine["assignedProject"], "web");
    const auto first = get("/site");
    ASSERT_EQ(first.status, 200) << first.body;
    const auto origin = [](const Answer& answer) {
        const auto url = answer.json.at("url").get<std::string>();
        return url.substr(0, url.find('/', url.find("//") + 2));
    };
    EXPECT_THAT(origin(first), HasSubstr("//w"));
    EXPECT_EQ(origin(get("/site")), origin(first)) << "the same project gets its workspace";
    EXPECT_EQ(post("/heartbeat", {{"instanceId", "h-1"}}).status, 200);
    EXPECT_EQ(post("/heartbeat", {{"instanceId", "h-9"}}).status, 404);
    const auto released = post("/release", {{"userId", "ada"}});
    EXPECT_EQ(released.json["released"], 1) << released.body;
    EXPECT_EQ(post("/release", {{"userId", "nobody"}}).status, 404);
    const auto none = post("/release", Json::object());
    EXPECT_EQ(none.status, 422);
    EXPECT_TRUE(none.json.contains("error"));
}

TEST_F(Gateway, ends_a_machine_by_sealing_it_first) {
    ASSERT_EQ(claim("ada", "web", "k-1").status, 201);
    const auto ended = post("/destroy", {{"machineId", "h-1"}});
    ASSERT_EQ(ended.status, 200) << ended.body;
    EXPECT_EQ(ended.json["released"], 1);
    EXPECT_THAT(std::string{ended.json["detail"]}, HasSubstr("being stopped"));
    ASSERT_TRUE(host_until([&] { return !host->stopped.empty(); }));
    ASSERT_TRUE(host->beat());
    EXPECT_TRUE(eventually([&] { return get("/v1/hosts/h-1").json["admission"] == "draining"; }));
    EXPECT_EQ(post("/destroy", {{"machineId", "nothing"}}).status, 404);
}

// Field report 39: the end is a fact, and whoever dies after it only delays it.
TEST_F(Gateway, a_destroyed_machine_ends_though_gateway_and_allocator_are_killed_on_the_way) {
    ASSERT_EQ(claim("ada", "web", "k-1").status, 201);
    std::uint32_t seals = 0;
    host->peer().endpoint().serve<SealCommand>([&](SealCommand command, const bus::Delivery&, bus::Responder to) {
        if (++seals > 1) to.reply(SealReply{.incarnation = command.incarnation});   // the first one dies with its allocator
    });
    ASSERT_EQ(post("/destroy", {{"machineId", "h-1"}}).status, 200);
    cluster.process("gateway").kill();
    cluster.process("allocator").kill();
    cluster.start("allocator");
    ASSERT_TRUE(host_until([&] { return host->beat().has_value(); }));
    ASSERT_TRUE(host_until([&] { return seals >= 1; }, Duration{30'000})) << cluster.log_of("allocator");
    cluster.process("allocator").kill();
    cluster.start("allocator");
    ASSERT_TRUE(host_until([&] { return host->beat().has_value(); }));
    ASSERT_TRUE(host_until([&] { return seals >= 2; }, Duration{30'000})) << cluster.log_of("allocator");
    restart_gateway();
    EXPECT_TRUE(eventually([&] { return get("/v1/hosts/h-1").json["liveness"] == "gone"; })) << get("/v1/hosts/h-1").body;
    const auto facts = get("/v1/facts?subject=h-1");
    EXPECT_THAT(facts.body, HasSubstr("asked to end it by force (--force): POST /destroy"));
}

TEST_F(Gateway, an_operator_undoes_the_end_of_a_host_until_its_seal) {
    ASSERT_EQ(claim("ada", "web", "k-1").status, 201);
    const auto ending = post("/v1/hosts/h-1/end", {{"why", "old disk"}});
    ASSERT_EQ(ending.status, 200) << ending.body;
    EXPECT_EQ(ending.json["waits_for"], "1 workspace on it; --force stops them now");
    EXPECT_EQ(get("/v1/hosts/h-1").json["ending"]["why"], "operator:operator asked to end it: old disk");
    EXPECT_EQ(post("/v1/hosts/h-1/uncordon", Json::object()).status, 409);
    EXPECT_EQ(post("/v1/hosts/h-1/end", {{"mode", "later"}}).status, 422);
    EXPECT_EQ(post("/v1/hosts/h-1/end", {{"mode", "undo"}}).json["changed"], 1);
    EXPECT_EQ(get("/v1/hosts/h-1").json["admission"], "open");
    EXPECT_EQ(claim("bob", "web", "k-2").status, 201) << "workspaces land there again";

    EXPECT_EQ(post("/v1/hosts/h-1/drain", {{"why", "new kernel"}}).json["admission"], "cordoned");
    ASSERT_TRUE(host_until([&] { return host->stopped.size() == 2; }));
    EXPECT_EQ(post("/v1/hosts/h-1/uncordon", Json::object()).json["admission"], "open");
    EXPECT_EQ(post("/v1/hosts/h-1/end", Json::object()).status, 200);
    EXPECT_EQ(post("/v1/hosts/h-1/end", {{"mode", "undo"}}).status / 100, 4) << "it is empty, so it was sealed at once";
}

TEST_F(Gateway, answers_a_claim_although_its_allocator_died) {
    host->answers_binds = false;          // the claim waits
    std::optional<WireAnswer> answer;
    beside([&] {
        auto waiting = std::async(std::launch::async, [&] {
            return exchange(port(), "POST", "/v1/claims", R"({"user":"ada","project":"web"})",
                            {bearer(), "Content-Type: application/json", "Idempotency-Key: k-1"});
        });
        EXPECT_TRUE(eventually([&] { return !host->bound.empty(); }));
        cluster.process("allocator").kill();
        host->answers_binds = true;
        cluster.start("allocator");
        answer = waiting.get();
    });
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 201) << answer->body;
    EXPECT_THAT(answer->body, HasSubstr("granted"));
}

TEST_F(Gateway, tells_how_a_claim_ended_that_no_host_could_start) {
    int tries = 0;
    host->peer().endpoint().serve<BindCommand>([&tries](BindCommand, const bus::Delivery&, bus::Responder to) {
        ++tries;
        to.refuse({ErrorKind::internal, "broken on purpose"});
    });
    const auto begun = RealClock{}.now();
    const auto failed = claim("ada", "web", "k-1", {{"wait_ms", 60'000}});
    EXPECT_EQ(failed.status, 503) << failed.body;
    EXPECT_THAT(failed.body, HasSubstr("failed to start"));
    EXPECT_GT(tries, 1);
    EXPECT_LT((RealClock{}.now() - begun).count(), 20'000) << "its end is known, so nothing is waited for";
    EXPECT_EQ(claim("ada", "web", "k-1", {{"wait_ms", 60'000}}).status, 503) << "the same key, the same end";
}

TEST_F(Gateway, is_stateless_over_kill_9) {
    const auto made = claim("ada", "web", "k-1");
    restart_gateway();
    ASSERT_TRUE(eventually([&] { return get("/v1/workspaces").json["workspaces"].size() == 1; }));
    EXPECT_EQ(claim("ada", "web", "k-1").json["workspace"], made.json["workspace"]);
}

TEST_F(Gateway, names_the_part_that_fails) {
    ASSERT_TRUE(eventually([&] { return get("/health").status == 200; }));
    cluster.process("allocator").kill();
    EXPECT_TRUE(eventually([&] { return get("/health").status == 503; }, Duration{15'000}));
    const auto failing = get("/health");
    EXPECT_THAT(failing.json["failing"].dump(), HasSubstr("allocator"));
    EXPECT_EQ(get("/healthz").status, 200) << "the process itself lives";
}

TEST_F(Gateway, ends_on_sigterm_within_two_seconds) {
    Wire idle(port());
    EXPECT_EQ(cluster.process("gateway").terminate(Duration{2'000}), 0);
}

}  // namespace
}  // namespace berth::testing
