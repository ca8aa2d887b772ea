// SPDX-License-Identifier: Apache-2.0
// A topic taken apart: "host.heartbeat.h-1." is the message host.heartbeat with the key h-1. Names
// have exactly one dot and keys none, so that there is one reading only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace berth {

inline constexpr std::string_view reply_topic = "reply.";

struct Topic {
    std::string name;
    std::string key;   // empty when plain
};

/// Empty when it is no topic of a named message; "reply." is none.
std::optional<Topic> parse_topic(std::string_view text);

/// Who answers: "allocator" for "allocator.claim", "host.h-1" for ("host.bind", "h-1").
std::string service_of(std::string_view name, std::string_view key);

}  // namespace berth
