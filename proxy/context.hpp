// SPDX-License-Identifier: Apache-2.0
// What all connections of one proxy share. Everything runs on one thread.
#pragma once

#include "proxy/net.hpp"

#include <cstdint>
#include <map>
#include <string>

#include "base/clock.hpp"
#include "hostkv/local_kv.hpp"
#include "proxy/activity.hpp"
#include "tls/certificate.hpp"
#include "proxy/chunks.hpp"
#include "proxy/links.hpp"
#include "proxy/networks.hpp"
#include "proxy/outward.hpp"
#include "proxy/policy.hpp"
#include "proxy/sessions.hpp"

namespace berth::proxy {

struct Counters {
    std::uint64_t connections = 0;
    std::uint64_t requests = 0;      // forwarded
    std::uint64_t refused = 0;
    std::uint64_t tunnels = 0;
    std::uint64_t cut = 0;           // live ones that lost their right
    std::uint64_t timed_out = 0;
    std::uint64_t turned_away = 0;   // over a bound
    BERTH_FIELDS(Counters, connections, requests, refused, tunnels, cut, timed_out, turned_away)
};

struct Context {
    Policy policy;
    const Clock& clock;
    LocalKv& kv;
    HostId host;
    Inward inward;
    Networks trusted;                // front proxies
    berth::tls::Context tls;         // null: plain; new connections use what it is now
    bool draining = false;
    Chunks chunks;
    Activity activity;
    Links links;
    Sessions sessions;
    Counters counters;
    std::map<WorkspaceId, std::uint32_t> live;   // requests and tunnels under way
    std::map<WorkspaceId, Instant> opened;       // by a link whose session has not come back yet
};

/// A session as it stands: it goes on beyond what its token says while it is used.
inline TokenClaims session_as_used(const Context& context, TokenClaims session) {
    session.expires_at = context.sessions.end_of(session);
    return session;
}

}  // namespace berth::proxy
