// SPDX-License-Identifier: Apache-2.0
// JSON Schemas (2020-12) of what the gateway takes and gives; tests hold real answers against them.
// Heavy (JSON): for .cpp files only.
#pragma once

#include "gateway/json.hpp"
#include "gateway/routes.hpp"

namespace berth::gateway {

/// Of a field in a body or query: the rule that fields.cpp checks.
Json schema_of(FieldKind kind);
/// By name: every word that stands in a route's `answer`, and the two kinds of refusal.
Json all_schemas();

}  // namespace berth::gateway
