// SPDX-License-Identifier: Apache-2.0
// What things look like in answers: on /v1/, and as older clients know them. Heavy (JSON): for .cpp
// files only.
#pragma once

#include "events/claim.hpp"
#include "gateway/json.hpp"
#include "gateway/step.hpp"

namespace berth::gateway {

Json workspace_shape(const WorkspaceView& workspace, const Picture& picture);
Json tape_shape(const WorkspaceView& workspace, const Picture& picture);
Json host_shape(const HostView& host, const Picture& picture);
Json reach_shape(const Reached& reached);
Json pool_shape(const PoolDefined& pool, const Picture& picture);
Json claim_shape(const ClaimView& claim, const View& view);
Json claim_reply_shape(const ClaimReply& reply);
Json fact_shape(const FactRecord& record);
Json status_shape(const View& view, const std::optional<BrokerStatus>& broker);
Json token_shape(const TokenEntry& entry);

Json compat_project_shape(const ClaimReply& reply);  // exactly what clients of GET /<project> know
Json compat_claim_shape(const ClaimReply& reply);
Json compat_status_shape(const Picture& picture);

/// "ok" or "failing", and each part by name.
struct Health {
    bool ok = true;
    Json shape;
};
Health health_of(const Picture& picture, Instant now);

/// Whether this user may read of it. Operators may read everything.
bool may_see(const Caller& caller, const View& view, const Fact& fact);
bool may_see(const Caller& caller, const View& view, const ClaimProgress& progress);

}  // namespace berth::gateway
