// SPDX-License-Identifier: Apache-2.0
// The local hosts of a state folder. The scaler starts them and they outlive it by design, so it is
// `berth up` that ends them, each by the pid that it wrote down.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.hpp"

namespace berth::cli {

struct LocalHost {
    std::string name;
    std::vector<pid_t> agents;            // at most one; as a list so that callers can join them
    std::vector<pid_t> proxies;
};
std::vector<LocalHost> local_hosts(const std::string& state);

/// Takes away every mount below the folder, deepest first; what could not be taken away is named.
std::vector<std::string> unmount_below(const std::string& folder);

}  // namespace berth::cli
