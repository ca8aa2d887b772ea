// SPDX-License-Identifier: Apache-2.0
// Who may do what: every route of the table × every kind of caller.
#include <gtest/gtest.h>

#include "gateway/fields.hpp"
#include "tests/unit/gateway/scene.hpp"

namespace berth::gateway::testing {
namespace {

std::string value_for(const FieldRule& rule) {
    if (rule.name == "role") return R"("operator")";
    if (rule.name == "user" || rule.name == "userId") return R"("ada")";
    switch (rule.kind) {
        case FieldKind::duration_ms:
        case FieldKind::number: return "1000";
        case FieldKind::instant: return R"("2030-01-01T00:00:00Z")";
        default: return rule.name == "workspaceId" ? R"("w-1")" : R"("h-1")";
    }
}

std::string body_for(const Route& route) {
    std::string body;
    for (const auto& rule : route.body) body += fmt::format("{}\"{}\":{}", body.empty() ? "" : ",", rule.name, value_for(rule));
    return "{" + body + "}";
}

std::string path_for(const Route& route) {
    std::string path{route.path};
    const auto open = path.find('{');
    if (open == std::string::npos) return path;
    const auto id = path.starts_with("/v1/workspaces") ? "w-1" : path.starts_with("/v1/hosts") ? "h-1" : path.starts_with("/v1/claims") ? "c-1" : "some";
    return path.replace(open, path.find('}') - open + 1, id);
}

Step try_as(const Picture& picture, const Route& route, const std::string& token) {
    return step(picture, ask(std::string{route.method}, path_for(route), token, route.method == "POST" ? body_for(route) : ""), turn);
}

// In whose name and for whose workspace the bus is asked; the allocator refuses what is another's.
void expect_asks_for(const Call& call, const UserId& user, const Principal& principal, std::string_view route) {
    std::visit(
        [&](const auto& request) {
            using T = std::decay_t<decltype(request)>;
            if constexpr (std::is_same_v<T, ClaimRequest>) {
                EXPECT_EQ(request.user, user) << route;
                EXPECT_EQ(request.principal, principal) << route;
            } else if constexpr (std::is_same_v<T, CordonRequest> || std::is_same_v<T, UncordonRequest> || std::is_same_v<T, EndHostRequest>) {
                ADD_FAILURE() << route << ": hosts are the operators'";
            } else if constexpr (!std::is_same_v<T, FactsRequest>) {
                EXPECT_EQ(request.target.user, user) << route;
                EXPECT_EQ(request.principal, principal) << route;
            }
        },
        call);
}

TEST(Matrix, nobody_changes_or_reads_without_a_token) {
    const auto picture = scene();
    for (const auto& route : routes()) {
        for (const auto& token : {std::string{}, unknown_token, std::string(600, 'x')}) {
            const auto decided = try_as(picture, route, token);
            if (route.reach == Reach::everyone) {
                // Who signs in shows what proves it in the body; a login lets nobody in before a known person confirms it.
                const bool proves_itself = route.operation == Operation::sign_in || route.operation == Operation::begin_login || route.operation == Operation::take_login;
                EXPECT_EQ(route.effect, proves_itself ? Effect::changes : Effect::reads) << route.name;
                EXPECT_NE(status_of_step(decided), 401U) << route.name;
            } else {
                EXPECT_EQ(status_of_step(decided), 401U) << route.name;
            }
        }
    }
}

TEST(Matrix, operators_routes_are_closed_to_users) {
    const auto picture = scene();
    for (const auto& route : routes()) {
        if (route.reach != Reach::operators) continue;
        EXPECT_EQ(status_of_step(try_as(picture, route, ada_token)), 403U) << route.name;
        EXPECT_NE(status_of_step(try_as(picture, route, operator_token)), 403U) << route.name;
        EXPECT_NE(status_of_step(try_as(picture, route, operator_token)), 401U) << route.name;
    }
}

TEST(Matrix, a_users_token_reaches_only_the_users_own) {
    const auto picture = scene();
    for (const auto& route : routes()) {
        if (route.reach != Reach::known) continue;
        for (const auto& [token, user] : {std::pair{ada_token, UserId{"ada"}}, std::pair{bob_token, UserId{"bob"}}}) {
            const auto decided = try_as(picture, route, token);
            if (const auto* change = std::get_if<TokenChange>(&decided)) {
                EXPECT_EQ(change->revoke, user.value == "ada" ? "t-2" : "t-3") << route.name << ": its own token alone";
                EXPECT_FALSE(change->mint) << route.name;
            }
            if (const auto* asked = std::get_if<Ask>(&decided)) {
                EXPECT_EQ(asked->dress.caller.user, user);
                expect_asks_for(asked->call, user, Principal{"user:" + user.value}, route.name);
            }
            if (const auto* wish = std::get_if<StreamWish>(&decided)) {
                EXPECT_EQ(wish->caller.user, user);
            }
            const auto* answer = std::get_if<HttpAnswer>(&decided);
            if (!answer || user.value == "ada") continue;
            EXPECT_EQ(answer->body.find("\"ada\""), std::string::npos) << route.name << ": " << answer->body;
            EXPECT_EQ(answer->body.find("10.0.0.1"), std::string::npos) << route.name;
        }
    }
}

TEST(Matrix, a_user_does_not_name_another_in_a_body) {
    const auto picture = scene();
    EXPECT_EQ(status_of_step(step(picture, ask("POST", "/v1/claims", bob_token, R"({"user":"ada","project":"web"})"), turn)), 403U);
    EXPECT_EQ(status_of_step(step(picture, ask("POST", "/claim", bob_token, R"({"userId":"ada","projectId":"web"})"), turn)), 403U);
    EXPECT_EQ(status_of_step(step(picture, ask("POST", "/release", bob_token, R"({"userId":"ada"})"), turn)), 403U);
    const auto released = step(picture, ask("POST", "/release", bob_token, R"({"instanceId":"h-1"})"), turn);
    ASSERT_TRUE(std::holds_alternative<Ask>(released));
    expect_asks_for(std::get<Ask>(released).call, UserId{"bob"}, Principal{"user:bob"}, "release");
}

TEST(Matrix, an_operator_acts_for_any_user_in_its_own_name) {
    const auto picture = scene();
    const auto decided = step(picture, ask("POST", "/v1/workspaces/w-1/release", operator_token, "{}"), turn);
    ASSERT_TRUE(std::holds_alternative<Ask>(decided));
    const auto& request = std::get<ReleaseRequest>(std::get<Ask>(decided).call);
    EXPECT_FALSE(request.target.user) << "any user's";
    EXPECT_EQ(request.principal, Principal{"operator:operator"});
}

TEST(Matrix, what_the_ledger_tells_is_shown_to_whom_it_is_about) {
    const auto picture = scene();
    const Dress dress{.route = match_route("GET", "/v1/facts").route, .caller = {TokenRole::user, UserId{"bob"}, "t-3"}, .limit = 10};
    FactRecord record{.position = Position{2}, .fact = WorkspaceStopped{.workspace = WorkspaceId{"w-1"}}, .reason = Reason{"it ended", "allocator", "1"}};
    EXPECT_EQ(answer(picture, dress, Result<Reply>{FactsReply{{record}, Position{40}}}, turn).body.find("w-1"), std::string::npos);
    auto own = dress;
    own.caller.user = UserId{"ada"};
    EXPECT_NE(answer(picture, own, Result<Reply>{FactsReply{{record}, Position{40}}}, turn).body.find("w-1"), std::string::npos);
}

}  // namespace
}  // namespace berth::gateway::testing
