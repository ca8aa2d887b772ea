// SPDX-License-Identifier: Apache-2.0
// Which server, as one line of configuration:
//
//   redis://host:6379/0   redis+unix:///run/redis/redis.sock   ?prefix=name tells two uses of one database apart
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "redis/connection.hpp"

namespace berth::redis {

struct Address {
    Place place;                          // its name is the address in full
    std::string prefix;                   // empty: none was given
};
/// invalid: says what is wrong. A password has no place in it, and is not shown when it is there.
Result<Address> parse_address(std::string_view text);

/// A prefix of keys: no spaces, colons or braces.
bool is_prefix(std::string_view text);

}  // namespace berth::redis
