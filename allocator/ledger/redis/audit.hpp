// SPDX-License-Identifier: Apache-2.0
// Would this server keep what it acknowledges? Pure: what INFO and CONFIG GET say, and what of it loses writes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "allocator/policy.hpp"
#include "base/result.hpp"

namespace berth::allocator {

using RedisFacts = std::map<std::string, std::string, std::less<>>;

/// The "name:value" lines of INFO.
RedisFacts parse_redis_info(std::string_view text);

/// conflict: this server could lose acknowledged writes; names the line of redis.conf that mends it. invalid: it is
/// too old. `config` are the pairs of CONFIG GET.
Result<void> audit_redis(const RedisFacts& info, const RedisFacts& config, const std::string& place);

/// low: new claims are refused while releases go on.
Storage redis_room(const RedisFacts& info);

}  // namespace berth::allocator
