// SPDX-License-Identifier: Apache-2.0
// A claim asks for the workspace of (user, project). It is accepted once per (principal, key) and
// ends granted, denied, failed or expired within its deadline (I6, I7).
//
//   accepted ─► waiting ─► starting ─► *granted
//                  │            └────► waiting (the host failed; the next candidate is tried)
//                  └► *denied  *failed  *expired
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/reflect.hpp"
#include "base/time.hpp"

namespace berth {

BERTH_ENUM(ClaimState, waiting, starting, granted, denied, failed, expired)

/// Request `allocator.claim` and intent `claim.requested`. `principal` is honoured from a gateway
/// only; for anyone else it is the sender that the broker stamped.
struct ClaimRequest {
    IdempotencyKey key;
    UserId user;
    ProjectName project;
    std::optional<PoolName> pool;         // default: the only pool, or "default"
    std::optional<Duration> wait_ms;      // 0 answers at once; default and cap: allocator/policy.hpp
    std::optional<Duration> ttl_ms;       // lease length; default and cap: the pool
    std::optional<Principal> principal;

    BERTH_FIELDS(ClaimRequest, key, user, project, pool, wait_ms, ttl_ms, principal)
};

/// In the reply to a key whose claim was granted before: what was granted then is over.
struct ClaimOver {
    std::string state;                    // of its workspace now: "stopped"; "active" when it runs under a later lease
    Instant since;
    std::string text;                     // what became of it and what to do
    BERTH_FIELDS(ClaimOver, state, since, text)
};

/// What a granted claim gives. `link` opens the workspace in a browser: once, within 60 s. It is
/// minted by the host for each answer and stands in no fact and no log (I30).
struct ClaimReply {
    ClaimId claim;
    IdempotencyKey key;
    ClaimState state = ClaimState::waiting;
    WorkspaceId workspace;
    UserId user;
    ProjectName project;
    HostId host;
    std::string instance;
    std::string ip;
    std::uint32_t port = 0;               // of the host's proxy
    std::string url;                      // the workspace's origin
    std::string link;                     // url + one-use token
    std::string token;                    // the same token alone
    Epoch epoch;
    Instant lease_expires_at;
    std::optional<ClaimOver> over;        // then there is no link

    BERTH_FIELDS(ClaimReply, claim, key, state, workspace, user, project, host, instance, ip, port, url,
                 link, token, epoch, lease_expires_at, over)
};

/// Request `allocator.claim_outcome`: what became of a key, at any time after (I7).
struct ClaimOutcomeRequest {
    IdempotencyKey key;
    std::optional<Principal> principal;

    BERTH_FIELDS(ClaimOutcomeRequest, key, principal)
};

struct ClaimAccepted {
    ClaimId claim;
    IdempotencyKey key;
    Principal principal;
    std::string body_hash;                // same key with another body is refused
    UserId user;
    ProjectName project;
    PoolName pool;
    Duration ttl_ms{0};
    Instant accepted_at;
    Instant deadline;

    BERTH_FIELDS(ClaimAccepted, claim, key, principal, body_hash, user, project, pool, ttl_ms, accepted_at,
                 deadline)
};

/// The claim's good end: its workspace runs and can be opened.
struct ClaimGranted {
    ClaimId claim;
    IdempotencyKey key;
    WorkspaceId workspace;
    HostId host;
    Epoch epoch;
    std::string url;
    Instant lease_expires_at;

    BERTH_FIELDS(ClaimGranted, claim, key, workspace, host, epoch, url, lease_expires_at)
};

/// The claim's other ends: `state` is denied, failed or expired.
struct ClaimDenied {
    ClaimId claim;
    IdempotencyKey key;
    ClaimState state = ClaimState::denied;
    ErrorKind kind = ErrorKind::no_capacity;
    std::string text;

    BERTH_FIELDS(ClaimDenied, claim, key, state, kind, text)
};

/// Where a waiting claim stands; published when it changes. An observation.
struct ClaimProgress {
    ClaimId claim;
    IdempotencyKey key;
    ClaimState state = ClaimState::waiting;
    std::uint32_t place = 0;              // 1 = next
    std::string phase;                    // "queued", "launching host", "starting on h-1", "ready"
    std::string blocked_by;               // e.g. "vCPU quota"; empty when nothing is known to block
    Instant since;

    BERTH_FIELDS(ClaimProgress, claim, key, state, place, phase, blocked_by, since)
};

}  // namespace berth
