// SPDX-License-Identifier: Apache-2.0
// [front] in the configuration: a front proxy before the gateway.
#pragma once

#include <string>
#include <vector>

#include "base/reflect.hpp"

namespace berth::gateway {

struct FrontPolicy {
    std::vector<std::string> trusted_proxies;     // "127.0.0.1", "10.0.0.0/8"

    BERTH_FIELDS(FrontPolicy, trusted_proxies)
};

}  // namespace berth::gateway
