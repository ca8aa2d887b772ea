// SPDX-License-Identifier: Apache-2.0
#include "gateway/shapes.hpp"

#include <algorithm>

#include "events/ending.hpp"

namespace berth::gateway {

namespace {

// The member of that type, when the fact has one.
template <class Wanted, class T>
std::optional<Wanted> member_of(const T& fact) {
    std::optional<Wanted> found;
    const auto look = [&](const auto& member) {
        if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Wanted>) found = member;
    };
    std::apply([&](const auto&... field) { (look(fact.*field.member), ...); }, T::fields());
    return found;
}

bool owns(const View& view, const UserId& user, const std::optional<ClaimId>& claim, const std::optional<WorkspaceId>& workspace) {
    if (workspace && !workspace->empty()) {
        const auto at = view.workspaces.find(*workspace);
        return at != view.workspaces.end() && at->second.user == user;
    }
    if (!claim) return false;
    const auto at = view.claims.find(*claim);
    return at != view.claims.end() && at->second.asked.user == user;
}

std::uint32_t place_in_line(const ClaimView& claim, const View& view) {
    std::uint32_t place = 1;
    for (const auto& [id, other] : view.claims) {
        if (other.state != ClaimState::waiting || other.asked.pool != claim.asked.pool) continue;
        const bool earlier = other.asked.accepted_at < claim.asked.accepted_at ||
                             (other.asked.accepted_at == claim.asked.accepted_at && id < claim.asked.claim);
        place += earlier ? 1 : 0;
    }
    return place;
}

// The latest end of what is leased there.
std::optional<Instant> lease_of(const HostView& host, const View& view) {
    std::optional<Instant> until;
    for (const auto& slot : host.slots) {
        const auto at = view.workspaces.find(slot.workspace);
        if (!slot.workspace.empty() && at != view.workspaces.end()) until = std::max(until.value_or(Instant{}), at->second.expires_at);
    }
    return until;
}

std::string compat_state(const HostView& host) {
    if (host.liveness != Liveness::live) return std::string{to_string(host.liveness)};
    return host.admission == Admission::open ? "running" : std::string{to_string(host.admission)};
}

}  // namespace

Json workspace_shape(const WorkspaceView& workspace, const Picture& picture) {
    auto shape = json_of(workspace);
    if (const auto use = use_of(picture.view, workspace, picture.uses)) shape["use"] = json_of(*use);
    const auto beat = picture.heartbeats.find(workspace.host);
    if (beat == picture.heartbeats.end() || beat->second.incarnation != workspace.incarnation) return shape;
    for (const auto& slot : beat->second.slots) {
        if (slot.slot == workspace.slot && slot.epoch == workspace.epoch && slot.home) shape["home"] = json_of(*slot.home);
    }
    return shape;
}

Json tape_shape(const WorkspaceView& workspace, const Picture& picture) {
    auto stretches = Json::array();
    if (const auto at = picture.tapes.find(workspace.workspace); at != picture.tapes.end()) {
        for (const auto& one : at->second) stretches.push_back(json_of(one));
    }
    return {{"workspace", workspace.workspace.value}, {"stretches", std::move(stretches)}};
}

Json reach_shape(const Reached& reached) { return {{"ok", reached.ok}, {"why", reached.why}, {"at", json_of(reached.at)}}; }

Json host_shape(const HostView& host, const Picture& picture) {
    auto shape = json_of(host);
    if (auto waits = waits_for(picture.view, host); !waits.empty()) shape["waits_for"] = std::move(waits);
    const auto reached = picture.reached.find(host.host);
    if (reached != picture.reached.end() && host.liveness != Liveness::gone) shape["reach"] = reach_shape(reached->second);
    if (const auto heard = picture.heard.find(host.host); heard != picture.heard.end()) shape["heard_at"] = json_of(heard->second);
    if (const auto until = lease_of(host, picture.view)) shape["lease_expires_at"] = json_of(*until);
    const auto heartbeat = picture.heartbeats.find(host.host);
    if (heartbeat == picture.heartbeats.end() || heartbeat->second.incarnation != host.incarnation) return shape;
    shape["load"] = json_of(heartbeat->second.load);
    if (const auto& trouble = heartbeat->second.home_trouble) shape["home_trouble"] = *trouble;
    auto phases = Json::array();
    for (const auto& slot : heartbeat->second.slots) phases.push_back(std::string{to_string(slot.phase)});
    shape["phases"] = std::move(phases);
    return shape;
}

namespace {

constexpr std::size_t troubles_shown_max = 20;

/// What the pool's provider says of it: machines that did not come, newest first, and what is unsafe.
void add_report(Json& shape, const PoolDefined& pool, const Picture& picture) {
    const auto at = picture.providers.find(pool.provider);
    if (at == picture.providers.end()) return;
    auto troubles = Json::array(), advice = Json::array();
    if (at->second.troubles) {
        for (auto trouble = at->second.troubles->rbegin(); trouble != at->second.troubles->rend() && troubles.size() < troubles_shown_max; ++trouble) {
            if (trouble->pool == pool.pool) troubles.push_back(json_of(*trouble));
        }
    }
    for (const auto& one : at->second.advice.value_or(std::vector<PoolAdvice>{})) {
        if (one.pool == pool.pool) advice.push_back(one.text);
    }
    if (!troubles.empty()) shape["troubles"] = std::move(troubles);
    if (!advice.empty()) shape["advice"] = std::move(advice);
}

}  // namespace

Json pool_shape(const PoolDefined& pool, const Picture& picture) {
    const auto& view = picture.view;
    auto shape = json_of(pool);
    add_report(shape, pool, picture);
    std::uint64_t cost = 0;
    if (view.is_retired(pool.pool)) shape["retired_at"] = json_of(view.retired->at(pool.pool));
    std::uint32_t hosts = 0, ready = 0, leased = 0, stopping = 0, quarantined = 0, launching = 0, waiting = 0, slots = 0;
    for (const auto& [id, host] : view.hosts) {
        if (host.pool != pool.pool || host.liveness == Liveness::gone) continue;
        ++hosts;
        slots += static_cast<std::uint32_t>(host.slots.size());
        ready += host.ready();
        cost += host.price ? host.price->microdollars_per_hour : 0;
        leased += host.count(SlotUse::leased);
        stopping += host.count(SlotUse::stopping);
        quarantined += host.count(SlotUse::quarantined);
    }
    for (const auto& [id, launch] : view.launches) launching += launch.pool == pool.pool ? 1 : 0;
    for (const auto& [id, claim] : view.claims) {
        waiting += claim.state == ClaimState::waiting && claim.asked.pool == pool.pool ? 1 : 0;
    }
    shape["hosts"] = hosts;
    shape["slots"] = slots;
    shape["ready"] = ready;
    shape["leased"] = leased;
    shape["stopping"] = stopping;
    shape["quarantined"] = quarantined;
    shape["launching"] = launching;
    shape["waiting"] = waiting;
    if (cost > 0) shape["microdollars_per_hour"] = cost;
    return shape;
}

Json claim_shape(const ClaimView& claim, const View& view) {
    Json shape = {{"claim", claim.asked.claim.value}, {"key", claim.asked.key.value},
                  {"principal", claim.asked.principal.value}, {"user", claim.asked.user.value},
                  {"project", claim.asked.project.value}, {"pool", claim.asked.pool.value},
                  {"state", to_string(claim.state)}, {"accepted_at", json_of(claim.asked.accepted_at)},
                  {"deadline", json_of(claim.asked.deadline)}, {"ended_at", json_of(claim.ended_at)},
                  {"tries", claim.tries}};
    if (claim.state == ClaimState::waiting) shape["place"] = place_in_line(claim, view);
    if (!claim.workspace.empty()) shape["workspace"] = claim.workspace.value;
    if (!claim.host.empty()) shape["host"] = claim.host.value;
    if (claim.state == ClaimState::granted) {
        shape["url"] = claim.url;
        shape["lease_expires_at"] = json_of(claim.lease_expires_at);
    } else if (!claim.open()) {
        shape["kind"] = to_string(claim.kind);
        shape["text"] = claim.text;
    }
    return shape;
}

Json claim_reply_shape(const ClaimReply& reply) { return json_of(reply); }

Json fact_shape(const FactRecord& record) {
    Json shape = {{"position", std::to_string(record.position.value)}, {"term", std::to_string(record.term.value)},
                  {"at", json_of(record.at)}, {"type", type_of(record.fact)}};
    shape["data"] = std::visit([](const auto& fact) { return json_of(fact); }, record.fact);
    shape["reason"] = {{"why", record.reason.why()}, {"actor", record.reason.actor()},
                       {"policy", record.reason.policy()}, {"evidence", record.reason.evidence()}};
    shape["cause"] = record.cause;
    return shape;
}

Json status_shape(const View& view, const std::optional<BrokerStatus>& broker) {
    std::map<std::string, int> hosts, slots, workspaces, claims;
    for (const auto& [id, host] : view.hosts) {
        ++hosts[std::string{to_string(host.liveness)}];
        if (host.liveness == Liveness::gone) continue;
        for (const auto& slot : host.slots) ++slots[std::string{to_string(slot.use)}];
    }
    for (const auto& [id, workspace] : view.workspaces) ++workspaces[std::string{to_string(workspace.state)}];
    for (const auto& [id, claim] : view.claims) ++claims[std::string{to_string(claim.state)}];
    Json shape = {{"ledger", view.ledger}, {"term", std::to_string(view.term.value)},
                  {"position", std::to_string(view.position.value)}, {"hosts", hosts}, {"slots", slots},
                  {"workspaces", workspaces}, {"claims", claims}, {"launches", view.launches.size()}};
    auto unmet = Json::array();
    for (const auto& [id, host] : view.hosts) {
        if (host.liveness != Liveness::gone && !view.has_met(host)) unmet.push_back(id.value);
    }
    if (broker) {
        auto& counters = shape["broker"] = Json::object();
        for (const auto& counter : broker->counters) counters[counter.name] = counter.value;
    }
    if (view.doubted_by) shape["doubted_by"] = view.doubted_by->value;
    if (!unmet.empty()) shape["unmet"] = std::move(unmet);
    return shape;
}

Json token_shape(const TokenEntry& entry) {
    Json shape = {{"kind", to_string(entry.kind)}, {"id", entry.id}, {"role", role_word(entry.role)}, {"user", entry.user.value},
                  {"note", entry.note}, {"created_at", json_of(entry.created_at)}};
    if (entry.expires_at) shape["expires_at"] = json_of(*entry.expires_at);
    if (!entry.grant) return shape;
    shape["pool"] = entry.grant->pool.value;
    shape["uses_max"] = entry.grant->uses_max;
    shape["used"] = entry.grant->used;
    return shape;
}

Json compat_project_shape(const ClaimReply& reply) {
    return {{"ip", reply.ip}, {"projectId", reply.project.value}, {"instanceId", reply.instance},
            {"url", reply.link.empty() ? reply.url : reply.link}, {"token", reply.token},
            {"leaseExpiry", json_of(reply.lease_expires_at)}};
}

Json compat_claim_shape(const ClaimReply& reply) {
    auto shape = compat_project_shape(reply);
    shape["port"] = reply.port;
    shape["workspaceId"] = reply.workspace.value;
    shape["userId"] = reply.user.value;
    return shape;
}

Json compat_status_shape(const Picture& picture) {
    const auto& view = picture.view;
    auto machines = Json::array();
    int used = 0;
    for (const auto& [id, host] : view.hosts) {
        if (host.liveness == Liveness::gone) continue;
        const WorkspaceView* first = nullptr;
        auto list = Json::array();
        for (const auto& slot : host.slots) {
            const auto at = slot.workspace.empty() ? view.workspaces.end() : view.workspaces.find(slot.workspace);
            if (at == view.workspaces.end()) continue;
            if (first == nullptr) first = &at->second;
            list.push_back({{"workspaceId", at->first.value}, {"userId", at->second.user.value},
                            {"projectId", at->second.project.value}, {"leaseExpiry", json_of(at->second.expires_at)}});
        }
        used += host.idle() ? 0 : 1;
        const Json none = nullptr;
        const auto heard = picture.heard.find(id);
        machines.push_back({{"instanceId", host.instance}, {"ip", host.public_ip.empty() ? host.private_ip : host.public_ip},
                            {"privateIp", host.private_ip}, {"state", compat_state(host)}, {"isUsed", !host.idle()},
                            {"assignedProject", first ? Json(first->project.value) : none},
                            {"assignedUser", first ? Json(first->user.value) : none},
                            {"leaseExpiry", first ? json_of(first->expires_at) : none},
                            {"lastHeartbeat", heard == picture.heard.end() ? none : json_of(heard->second)},
                            {"slotsFree", host.count(SlotUse::free)}, {"slots", host.slots.size()},
                            {"workspaces", std::move(list)}});
    }
    const auto total = static_cast<int>(machines.size());
    return {{"totalMachines", total}, {"idleMachines", total - used}, {"usedMachines", used}, {"machines", std::move(machines)}};
}

Health health_of(const Picture& picture, Instant now) {
    Health health;
    auto parts = Json::object();
    auto failing = Json::array();
    std::string why;
    const auto part = [&](const char* name, bool ok, const char* text) {
        parts[name] = ok ? "ok" : "failing";
        if (ok) return;
        failing.push_back(name);
        if (why.empty()) why = text;
    };
    part("ledger", picture.ever_followed && picture.following,
         "the ledger is not followed: berth-broker or berth-allocator does not answer. `berth doctor` looks");
    part("allocator", picture.head_at != Instant{} && now - picture.head_at <= head_patience,
         "berth-allocator was not heard for over 5 s; is it running? `berth doctor` looks");
    const bool answers = failing.empty();
    part("storage", !picture.storage_low, "the ledger's disk is full: new claims and starts are refused until there is room on it; releases work");
    health.ok = failing.empty();
    health.shape = {{"status", health.ok ? "ok" : answers ? "degraded" : "failing"}, {"parts", std::move(parts)},
                    {"position", std::to_string(picture.view.position.value)}};
    if (!health.ok) {
        health.shape["failing"] = std::move(failing);
        health.shape["error"] = why;
        health.shape["detail"] = why;
    }
    return health;
}

bool may_see(const Caller& caller, const View& view, const Fact& fact) {
    if (caller.is_operator()) return true;
    return std::visit(
        [&](const auto& value) {
            if (const auto user = member_of<UserId>(value)) return *user == caller.user;
            return owns(view, caller.user, member_of<ClaimId>(value), member_of<WorkspaceId>(value));
        },
        fact);
}

bool may_see(const Caller& caller, const View& view, const ClaimProgress& progress) {
    return caller.is_operator() || owns(view, caller.user, progress.claim, std::nullopt);
}

}  // namespace berth::gateway
