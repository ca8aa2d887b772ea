// SPDX-License-Identifier: Apache-2.0
// What the broker must know of an envelope, and no more: is it sound and within bounds, what is its
// id, by when must it be answered, when was it made. One pass, nothing copied, nothing allocated by what it claims.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace berth::broker {

struct Glance {
    std::string_view id;               // 1 to 512 printable ASCII characters; lives as long as the bytes
    std::optional<Instant> deadline;   // both by the clock of whoever sent it
    std::optional<Instant> time;       // looked at only beside a deadline
};

Result<Glance> glance(std::string_view envelope);

}  // namespace berth::broker
