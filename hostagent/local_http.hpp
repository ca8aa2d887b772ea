// SPDX-License-Identifier: Apache-2.0
// One GET to an environment on this host: is it healthy, and what does it say of its use?
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace berth::hostagent {

struct LocalAnswer {
    int status = 0;
    std::string body;                     // at most 64 KiB; a longer one is an error
};

/// From 127.0.0.1; blocks until the deadline at most. Follows nothing and uses no proxy.
Result<LocalAnswer> get_local(std::uint32_t port, const std::string& path, Duration deadline);

}  // namespace berth::hostagent
