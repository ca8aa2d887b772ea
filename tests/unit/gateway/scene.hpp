// SPDX-License-Identifier: Apache-2.0
// A picture with one host, two users and a workspace of one of them, and tokens whose text is known.
#pragma once

#include <fmt/format.h>

#include <string>

#include "gateway/step.hpp"

namespace berth::gateway::testing {

inline const std::string operator_token = "berth_" + std::string(64, 'a');
inline const std::string ada_token = "berth_" + std::string(64, 'b');
inline const std::string bob_token = "berth_" + std::string(64, 'c');
inline const std::string unknown_token = "berth_" + std::string(64, 'd');

inline const Turn turn{Instant{Duration{1'000'000'000'000}}, "r-1"};

inline Picture scene() {
    Picture picture;
    const auto add = [&](const char* id, TokenRole role, const char* user, const std::string& plain) {
        std::ignore = picture.tokens.add({.id = id, .role = role, .user = UserId{user}, .hash = hash_of_token(plain), .created_at = turn.now});
    };
    add("t-1", TokenRole::operations, "operator", operator_token);
    add("t-2", TokenRole::user, "ada", ada_token);
    add("t-3", TokenRole::user, "bob", bob_token);
    auto& view = picture.view;
    view.ledger = "l-1";
    view.position = Position{40};
    view.pools[PoolName{"default"}] = PoolDefined{.pool = PoolName{"default"}};
    HostView host{.host = HostId{"h-1"}, .incarnation = HostIncarnation{"i-1"}, .pool = PoolName{"default"}, .instance = "h-1", .public_ip = "10.0.0.1"};
    host.slots = {{SlotUse::leased, Epoch{3}, WorkspaceId{"w-1"}}, {}};
    view.hosts[host.host] = host;
    WorkspaceView workspace{.workspace = WorkspaceId{"w-1"}, .user = UserId{"ada"}, .project = ProjectName{"web"}, .pool = PoolName{"default"}};
    workspace.state = WorkspaceState::stopped;
    workspace.host = host.host;
    workspace.leased = true;
    workspace.claim = ClaimId{"c-1"};
    view.workspaces[workspace.workspace] = workspace;
    ClaimView claim{.asked = {.claim = ClaimId{"c-1"}, .key = IdempotencyKey{"k"}, .principal = Principal{"user:ada"}, .user = UserId{"ada"}},
                    .state = ClaimState::granted, .workspace = workspace.workspace};
    view.claims[claim.asked.claim] = claim;
    view.reindex();
    picture.ever_followed = picture.following = true;
    picture.head_at = turn.now;
    return picture;
}

inline HttpRequest ask(std::string method, std::string path, const std::string& token = "", std::string body = "") {
    HttpRequest request{.method = std::move(method), .path = std::move(path), .headers = {{"host", "127.0.0.1:9092"}}, .body = std::move(body), .remote = "192.0.2.7"};
    if (!token.empty()) request.headers.emplace_back("authorization", "Bearer " + token);
    if (request.method == "POST") request.headers.emplace_back("content-type", "application/json");
    if (request.path == "/v1/claims") request.headers.emplace_back("idempotency-key", "k-1");
    return request;
}

/// 0 when it is no answer yet: something is asked of the bus.
inline unsigned status_of_step(const Step& decided) {
    const auto* answer = std::get_if<HttpAnswer>(&decided);
    return answer ? answer->status : 0;
}

}  // namespace berth::gateway::testing
