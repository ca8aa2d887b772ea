// SPDX-License-Identifier: Apache-2.0
// What the bus replied, as the answer that the route promises.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "events/instances.hpp"
#include "gateway/asked.hpp"
#include "gateway/shapes.hpp"

namespace berth::gateway {

namespace {

HttpAnswer refused(const Dress& dress, Error error, const Turn& turn) {
    const auto operation = dress.route->operation;
    const bool compat_claim = operation == Operation::compat_claim || operation == Operation::compat_project;
    // To an older client a wait that ended without a slot is "none found".
    if (compat_claim && error.kind == ErrorKind::timeout) error.kind = ErrorKind::no_capacity;
    return refuse(problem_of(error), dress.route->style, turn.request_id);
}

HttpAnswer claim_answer(const Dress& dress, const ClaimReply& reply, const Turn& turn) {
    const bool granted = reply.state == ClaimState::granted;
    if (dress.route->style == Style::compat) {
        if (reply.over) return refused(dress, {ErrorKind::conflict, reply.over->text}, turn);
        if (!granted) return refused(dress, {ErrorKind::no_capacity, fmt::format("the claim {} is {}", reply.claim.value, to_string(reply.state))}, turn);
        return json_answer(dress.route->operation == Operation::compat_project ? compat_project_shape(reply) : compat_claim_shape(reply));
    }
    const bool fresh = dress.route->operation == Operation::claim && !dress.known_before;
    auto made = json_answer(claim_reply_shape(reply), granted ? (fresh ? 201 : 200) : 202);
    if (!granted) made.headers.emplace_back("Location", "/v1/claims/" + reply.claim.value);
    return made;
}

const ClaimView* waiting_start(const View& view, const WorkspaceView& workspace) {
    if (workspace.state != WorkspaceState::stopped) return nullptr;
    const auto at = std::find_if(view.claims.begin(), view.claims.end(), [&](const auto& entry) {
        return entry.second.state == ClaimState::waiting && entry.second.asked.user == workspace.user && entry.second.asked.project == workspace.project;
    });
    return at == view.claims.end() ? nullptr : &at->second;
}

HttpAnswer workspace_answer(const Picture& picture, const Dress& dress, const Done& done, const Turn& turn) {
    const auto at = picture.view.workspaces.find(WorkspaceId{dress.parameter});
    const bool known = at != picture.view.workspaces.end();
    if (done.count == 0 && known) {
        const auto state = at->second.state;
        const bool runs = state == WorkspaceState::active || state == WorkspaceState::starting;
        const auto operation = dress.route->operation;
        if ((operation == Operation::extend || operation == Operation::start) && !runs) {
            return refused(dress, {ErrorKind::conflict, fmt::format("{} is {} and can not be extended or started now", dress.parameter, to_string(state))}, turn);
        }
        if (operation == Operation::hold && state != WorkspaceState::active) {
            return refused(dress, {ErrorKind::conflict, fmt::format("{} is {}; only an active workspace can be held", dress.parameter, to_string(state))}, turn);
        }
    }
    auto shape = known ? workspace_shape(at->second, picture) : Json{{"workspace", dress.parameter}};
    // A start that found no slot waits as a claim: its place and its end are told.
    const auto* start = known ? waiting_start(picture.view, at->second) : nullptr;
    if (start) shape["waiting"] = claim_shape(*start, picture.view);
    shape["count"] = done.count;
    shape["position"] = std::to_string(done.position.value);
    return json_answer(shape);
}

HttpAnswer done_answer(const Picture& picture, const Dress& dress, const Done& done, const Turn& turn) {
    switch (dress.route->operation) {
        case Operation::cordon:
        case Operation::uncordon:
        case Operation::drain: {
            const auto at = picture.view.hosts.find(HostId{dress.parameter});
            if (at == picture.view.hosts.end()) return json_answer({{"host", dress.parameter}, {"count", done.count}});
            return json_answer(host_shape(at->second, picture));
        }
        case Operation::compat_release: return json_answer({{"status", "ok"}, {"released", done.count}});
        default: return workspace_answer(picture, dress, done, turn);
    }
}

HttpAnswer end_answer(const Picture& picture, const Dress& dress, const EndHostReply& reply) {
    if (dress.route->style == Style::v1) {
        auto shape = json_of(reply);
        shape["host"] = dress.parameter;
        return json_answer(shape);
    }
    const auto at = picture.view.hosts.find(HostId{dress.parameter});
    return json_answer({{"status", "ok"}, {"machineId", at == picture.view.hosts.end() ? dress.parameter : instance_of(at->second)},
                        {"host", dress.parameter}, {"released", reply.stopped},
                        {"detail", reply.waits_for.empty() ? "it has ended" : reply.waits_for}});
}

HttpAnswer facts_answer(const Picture& picture, const Dress& dress, const FactsReply& reply) {
    auto list = Json::array();
    for (const auto& record : reply.facts) {
        if (may_see(dress.caller, picture.view, record.fact)) list.push_back(fact_shape(record));
    }
    Json body = {{"facts", std::move(list)}, {"head", std::to_string(reply.head.value)}};
    if (reply.facts.size() >= dress.limit && !reply.facts.empty()) {
        body["next"] = std::to_string(reply.facts.back().position.value + 1);
    }
    return json_answer(body);
}

}  // namespace

HttpAnswer answer(const Picture& picture, const Dress& dress, const Result<Reply>& reply, const Turn& turn) {
    check(dress.route != nullptr, "a reply is dressed for the route that asked");
    if (dress.route->operation == Operation::open_workspace) return opened(reply);
    if (!reply) return refused(dress, reply.error(), turn);
    if (const auto* claim = std::get_if<ClaimReply>(&*reply)) return claim_answer(dress, *claim, turn);
    if (const auto* done = std::get_if<Done>(&*reply)) return done_answer(picture, dress, *done, turn);
    if (const auto* ending = std::get_if<EndHostReply>(&*reply)) return end_answer(picture, dress, *ending);
    return facts_answer(picture, dress, std::get<FactsReply>(*reply));
}

HttpAnswer answer_token(const TokenChange& change, const Result<MintedToken>& minted, const Turn& turn) {
    if (!minted) return refused(change.dress, minted.error(), turn);
    if (!change.mint) return json_answer({{"revoked", change.revoke}});
    if (change.mint->kind == TokenKind::invite) {
        return json_answer({{"id", minted->entry.id}, {"user", minted->entry.user.value}, {"role", role_word(minted->entry.role)},
                            {"expires_at", json_of(*minted->entry.expires_at)},
                            {"link", fmt::format("{}/sign-in#{}", change.dress.subject, minted->plain)}}, 201);
    }
    auto shape = token_shape(minted->entry);
    shape["token"] = minted->plain;
    if (minted->entry.grant) {
        shape["url"] = change.dress.subject;
        shape["command"] = fmt::format("berth-hostagent join --url {} --token {}", change.dress.subject, minted->plain);
    }
    return json_answer(shape, 201);
}

bool shows(const Picture& picture, const Result<Reply>& reply) {
    if (!reply || !picture.following) return true;
    if (const auto* done = std::get_if<Done>(&*reply)) return picture.view.position >= done->position;
    if (const auto* ending = std::get_if<EndHostReply>(&*reply)) return picture.view.position >= ending->position;
    const auto* claim = std::get_if<ClaimReply>(&*reply);
    if (!claim || claim->state != ClaimState::granted || claim->claim.empty()) return true;
    const auto at = picture.view.claims.find(claim->claim);
    return at != picture.view.claims.end() && !at->second.open();
}

}  // namespace berth::gateway
