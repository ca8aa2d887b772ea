// SPDX-License-Identifier: Apache-2.0
// Instants and durations, in milliseconds. Cores receive `now` as a parameter; only a shell asks a
// clock (base/clock.hpp). On the wire an Instant is RFC 3339 text in UTC, a Duration a whole number
// of milliseconds in a field whose name ends in `_ms`.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace berth {

using Duration = std::chrono::milliseconds;

struct Timeline {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Timeline>;
    static constexpr bool is_steady = false;
};
using Instant = Timeline::time_point;  // since 1970-01-01T00:00:00Z

std::string to_rfc3339(Instant at);                       // "2026-11-21T03:44:40.123Z"
Result<Instant> from_rfc3339(std::string_view text);      // UTC or ±hh:mm; up to nanoseconds, cut

/// "90s", "15m", "1h30m", "2d", "250ms"; no sign, no blanks.
Result<Duration> parse_duration(std::string_view text);
std::string to_text(Duration duration);                   // the shortest of the same form

}  // namespace berth
