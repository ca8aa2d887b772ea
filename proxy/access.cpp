// SPDX-License-Identifier: Apache-2.0
#include "proxy/access.hpp"

#include <fmt/format.h>

#include "proxy/names.hpp"

namespace berth::proxy {

Refusal why_no_route(const WorkspaceId& workspace, const std::vector<SlotRecord>& slots) {
    for (const auto& slot : slots) {
        if (slot.workspace != workspace) continue;
        switch (slot.phase) {
            case SlotPhase::empty: continue;
            case SlotPhase::preparing:
            case SlotPhase::prepared:
            case SlotPhase::binding:
            case SlotPhase::bound: return Refusal::starting;   // bound: its container is started anew
            case SlotPhase::stopping:
            case SlotPhase::stopped:
            case SlotPhase::broken: return Refusal::stopped;
        }
    }
    return Refusal::unknown_workspace;
}

bool has_socket(const RouteRecord& route) { return route.socket && !route.socket->empty(); }

bool same_way(const RouteRecord& one, const RouteRecord& other) {
    return one.workspace == other.workspace && one.epoch == other.epoch && one.container == other.container &&
           one.port == other.port && one.socket == other.socket;
}

Judged<RouteRecord> usable(const std::optional<RouteRecord>& route, const Policy& policy, Instant now) {
    const bool leads_somewhere = route && (has_socket(*route) || (route->port > 0 && route->port <= 65'535));
    if (!leads_somewhere) return tl::make_unexpected(Refusal::unknown_workspace);
    if (now - route->confirmed_at > policy.grant_age_max) return tl::make_unexpected(Refusal::unconfirmed);
    return *route;
}

Judged<TokenClaims> judge_link(std::string_view token, const WorkspaceId& workspace, const HostId& host,
                               std::string_view secret, Instant now) {
    auto claims = verify_token(token, TokenPurpose::link, host, secret, now);
    if (!claims || claims->workspace != workspace) return tl::make_unexpected(Refusal::bad_link);
    return std::move(*claims);
}

Judged<TokenClaims> judge_session(std::string_view token, const HostId& host, std::string_view secret,
                                  Instant now) {
    auto claims = read_token(token, TokenPurpose::session, host, secret, now);
    if (!claims) return tl::make_unexpected(Refusal::ended_session);
    return std::move(*claims);
}

std::string session_of_link(std::string_view link, std::string_view id) { return fmt::format("{}.{}", link, id); }

std::optional<std::string> link_of_session(const TokenClaims& session) {
    const auto dot = session.id.find('.');
    if (dot == std::string::npos) return std::nullopt;
    return session.id.substr(0, dot);
}

Judged<void> judge_claims(const TokenClaims& session, const RouteRecord& route, Instant now) {
    if (session.workspace != route.workspace) return tl::make_unexpected(Refusal::other_session);
    if (session.epoch != route.epoch || now >= session.expires_at) {
        return tl::make_unexpected(Refusal::ended_session);
    }
    if (session.user != route.user) return tl::make_unexpected(Refusal::other_session);
    return {};
}

Judged<void> judge_origin(const Provenance& from) {
    const bool safe = from.method == "GET" || from.method == "HEAD" || from.method == "OPTIONS";
    // A page with "Referrer-Policy: no-referrer" says null of itself; that it is ours is then told by
    // Sec-Fetch-Site, which no page can set. Nothing makes a WebSocket's origin null but a foreign one.
    const bool veiled = from.origin == "null" && from.fetch_site == "same-origin" && !from.websocket;
    const bool ours = from.origin && !from.origin_repeated &&
                      (veiled || same_origin(*from.origin, from.scheme, from.host));
    if (!safe || from.websocket) {
        if (!ours) return tl::make_unexpected(Refusal::foreign_origin);
        return {};
    }
    if (from.fetch_mode == "navigate" && from.fetch_destination == "document") return {};
    const bool foreign_page = from.fetch_site == "same-site" || from.fetch_site == "cross-site";
    if (foreign_page || (from.origin && !ours)) return tl::make_unexpected(Refusal::foreign_origin);
    return {};
}

bool is_prefetch(std::string_view purpose, std::string_view fetch_destination) {
    if (to_lower(purpose).find("prefetch") != std::string::npos) return true;
    return !fetch_destination.empty() && fetch_destination != "document";
}

}  // namespace berth::proxy
