// SPDX-License-Identifier: Apache-2.0
// Who may reach which container now (I25, I26): the whole judgement, as functions of the route that
// the host's memory holds, the token that the browser shows, and the time. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/reflect.hpp"
#include "hostkv/records.hpp"
#include "proxy/policy.hpp"
#include "hostkv/token.hpp"

namespace berth::proxy {

BERTH_ENUM(Refusal,
           malformed,           // two readers could read the request in two ways
           head_too_large,
           cookies_too_large,   // of a program that the user previews
           method_refused,
           no_such_page,        // below /_berth/
           unknown_workspace,   // the host name names nothing here
           starting,            // the host has it, the environment is not given yet
           stopped,             // it was here
           unconfirmed,         // no word of an allocator for longer than a grant is kept
           no_session,
           cookie_lost,         // no session, although a link was opened here a moment ago
           ended_session,       // forged, expired, or of an earlier lease
           other_session,       // of another workspace or user
           foreign_origin,
           bad_link,            // forged, expired, for another workspace or lease
           used_link,
           prefetched,          // a link is opened by people only
           too_many,            // connections
           memory_unreadable,   // the host's own memory: nothing can be judged
           container_refused,   // nothing listens
           container_silent,
           container_broken)    // its answer is no HTTP, or ended early

template <class T>
using Judged = tl::expected<T, Refusal>;

/// Why there is no way to a workspace without a route: what the host's slots say of it.
Refusal why_no_route(const WorkspaceId& workspace, const std::vector<SlotRecord>& slots);

/// The container is reached by a Unix socket instead of a port of this machine.
bool has_socket(const RouteRecord& route);

/// A route that may be used now: it exists and an allocator confirmed it within grant_age_max.
Judged<RouteRecord> usable(const std::optional<RouteRecord>& route, const Policy& policy, Instant now);

/// Both lead into the same container of the same lease.
bool same_way(const RouteRecord& one, const RouteRecord& other);

/// The link's token, before it is marked as used.
Judged<TokenClaims> judge_link(std::string_view token, const WorkspaceId& workspace, const HostId& host,
                               std::string_view secret, Instant now);

/// A session's token, by itself: forged, or another host's. When it ends is judge_claims' to say.
Judged<TokenClaims> judge_session(std::string_view token, const HostId& host, std::string_view secret,
                                  Instant now);
/// A session that came of a link is named "<link>.<its own id>", and good when the link is its own.
std::string session_of_link(std::string_view link, std::string_view id);
/// The link that has to be its own; nullopt for a session that came of another session.
std::optional<std::string> link_of_session(const TokenClaims& session);

/// A session against a route: same workspace, user and epoch; also used again while connections live.
Judged<void> judge_claims(const TokenClaims& session, const RouteRecord& route, Instant now);

/// What a browser says of where a request comes from.
struct Provenance {
    std::string_view method;
    bool websocket = false;
    std::optional<std::string_view> origin;
    bool origin_repeated = false;
    std::string_view scheme;        // as the browser sees this host
    std::string_view host;          // the Host field
    std::string_view fetch_site;    // Sec-Fetch-*: empty where a browser does not send it
    std::string_view fetch_mode;
    std::string_view fetch_destination;
};
/// WebSockets and methods that change something need our own origin; a missing one is refused too.
/// Reads from another site's page are refused where the browser tells of it (SameSite=Lax does not
/// keep the workspaces of one apps domain apart), except that a person may follow a link.
Judged<void> judge_origin(const Provenance& from);

/// True for requests that a person did not make: prefetches, previews inside other pages.
bool is_prefetch(std::string_view purpose, std::string_view fetch_destination);

}  // namespace berth::proxy
